"""Smooth noise in space, so that it has no seams: a small random volume, repeated."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CELLS = 48
_VARIANCE = 0.30  # that trilinear interpolation leaves, on average over a cell


class Noise:
    """``channels`` independent noises of about unit variance, from an explicit generator."""

    def __init__(self, generator: torch.Generator, channels: int = 4) -> None:
        volume = torch.randn(channels, _CELLS, _CELLS, _CELLS, generator=generator) / _VARIANCE**0.5
        for axis in (1, 2, 3):
            volume = torch.cat([volume, volume.narrow(axis, 0, 1)], axis)
        self._volume = volume[None]

    def __call__(self, points: Tensor, wavelength: float, shift: float = 0.0) -> Tensor:
        """``(N, channels)`` at ``points (N, 3)``; cells are ``wavelength`` wide, in the unit of the points."""
        cells = torch.remainder(points / (wavelength * _CELLS) + (shift + 0.137), 1.0)
        found = F.grid_sample(self._volume, cells[None, None, None] * 2 - 1, mode="bilinear", align_corners=True)
        return found[0, :, 0, 0].T
