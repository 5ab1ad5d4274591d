"""The colour of the hair in a photograph, and whether there is any."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.models.faces.appearance.hair_modes import with_hair_colour
from faceuv.models.faces.appearance.modes import mode_index

_LEAST = 40  # samples of the scalp: fewer say nothing
_APART = 0.28  # logarithm of colour: what is nearer to the skin than this is skin
_BALD = 0.25  # share of hair among the samples below which the scalp is bare
_DARK = 0.02  # added before logarithms
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
    if len(hair) < _BALD * len(colour):
        found = albedo.clone()
        found[:, mode_index("scalp_hair")] = _BARE
        return found
    found = with_hair_colour(albedo, hair.median(0).values)
    found[:, mode_index("scalp_hair")] = _FULL
    return found
