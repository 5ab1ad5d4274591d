"""Smooth noise in space, so that it has no seams: a small random volume, repeated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_CELLS = 48
_VARIANCE = 0.30  # that trilinear interpolation leaves, on average over a cell


FINEST = 0.52
"""mm: the width of a cell of the finest noise of skin."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Where N points lie in the repeated volume: ``grid (N, 3)`` in [−1, 1]. Kept, it saves half of a noise's time."""

    grid: Tensor

    @classmethod
    def of(cls, points: Tensor, wavelength: float, shift: float = 0.0) -> Cells:
        """Of ``points (N, 3)``; cells are ``wavelength`` wide, in the unit of the points."""
        return cls(torch.remainder(points / (wavelength * _CELLS) + (shift + 0.137), 1.0) * 2 - 1)


class Noise:
    """``channels`` independent noises of about unit variance, from an explicit generator."""

    def __init__(self, generator: torch.Generator, channels: int = 4) -> None:
        volume = torch.randn(channels, _CELLS, _CELLS, _CELLS, generator=generator) / _VARIANCE**0.5
        for axis in (1, 2, 3):
            volume = torch.cat([volume, volume.narrow(axis, 0, 1)], axis)
        self._volume = volume[None]

    def __call__(self, cells: Cells, channels: slice = slice(None)) -> Tensor:
        """``(N, channels)`` at the points of ``cells``."""
        grid = cells.grid[None, None, None]
        found = F.grid_sample(self._volume[:, channels], grid, mode="bilinear", align_corners=True)
        return found[0, :, 0, 0].T
