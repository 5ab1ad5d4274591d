"""The colour of the hair in a photograph, and whether there is any."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.models.faces.appearance.modes import Person, mode_index
from faceuv.models.faces.appearance.paint import hair_colour

_LEAST = 40  # samples of the scalp: fewer say nothing
_APART = 0.28  # logarithm of colour: what is nearer to the skin than this is skin
_BALD = 0.25  # share of hair among the samples below which the scalp is bare
_DARK = 0.02  # added before logarithms
_STEPS = 9
_MODES = ("hair_lightness", "hair_red", "hair_grey")
_BARE, _FULL = -3.0, 3.0  # of the mode scalp_hair


def with_hair_of(albedo: Tensor, colour: Tensor, skin: Tensor) -> Tensor:
    """``albedo (1, A)`` with the hair's colour modes and the scalp's cover as a photograph shows them.

    Args:
        colour: ``(N, 3)`` unlit colours of the picture where the scalp is; ``skin (3,)``, the forehead's.
    """
    if len(colour) < _LEAST:
        return albedo
    away = (torch.log(colour.clamp_min(0) + _DARK) - torch.log(skin + _DARK)).norm(dim=1)
    hair = colour[away > _APART]
    found = albedo.clone()
    if len(hair) < _BALD * len(colour):
        found[:, mode_index("scalp_hair")] = _BARE
        return found
    goal = torch.log(hair.median(0).values.clamp_min(0) + _DARK).cpu()
    columns = [mode_index(name) for name in _MODES]
    steps = torch.linspace(-2.5, 2.5, _STEPS)
    values = torch.cartesian_prod(*[steps] * len(_MODES)).T
    persons = albedo[0].cpu()[:, None].repeat(1, values.shape[1])
    persons[columns] = values.to(persons)
    apart = (torch.log(hair_colour(Person(persons)).to(goal) + _DARK) - goal).square().sum(1)
    best = int((apart + 0.01 * values.square().sum(0).to(apart)).argmin())  # of equals the most usual
    found[0, columns] = values[:, best].to(found)
    found[:, mode_index("scalp_hair")] = _FULL
    return found
