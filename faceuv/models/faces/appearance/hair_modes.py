"""The albedo modes of hair that give a colour."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.models.faces.appearance.modes import Person, mode_index
from faceuv.models.faces.appearance.paint import hair_colour

_MODES = ("hair_lightness", "hair_red", "hair_grey")
_STEPS, _FAR = 9, 2.5
_DARK = 0.02  # added before logarithms
_USUAL = 0.01  # of equals the most usual


def with_hair_colour(albedo: Tensor, colour: Tensor) -> Tensor:
    """``albedo (1, A)`` whose hair, brows and beard have nearly the ``colour (3,)`` in [0, 1]."""
    goal = torch.log(colour.clamp_min(0) + _DARK).cpu()
    columns = [mode_index(name) for name in _MODES]
    steps = torch.linspace(-_FAR, _FAR, _STEPS)
    values = torch.cartesian_prod(*[steps] * len(_MODES)).T
    persons = albedo[0].cpu()[:, None].repeat(1, values.shape[1])
    persons[columns] = values.to(persons)
    apart = (torch.log(hair_colour(Person(persons)).to(goal) + _DARK) - goal).square().sum(1)
    best = int((apart + _USUAL * values.square().sum(0).to(apart)).argmin())
    found = albedo.clone()
    found[0, columns] = values[:, best].to(found)
    return found
