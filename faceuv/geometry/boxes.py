"""Means and maxima over squares around each texel, one axis after the other: pooling takes many times as long."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_FEW = 5  # texels: up to here summands are added, beyond it running sums are subtracted


def box_mean(maps: Tensor, size: int) -> Tensor:
    """The mean over ``size × size`` texels, an odd number, around each of ``maps (B, C, H, W)``; beyond its border a
    map goes on as it ends."""
    found = F.pad(maps, (size // 2,) * 4, mode="replicate")
    for axis in (3, 2):
        length = maps.shape[axis]
        if size <= _FEW:
            total = found.narrow(axis, 0, length) + found.narrow(axis, size - 1, length)
            for start in range(1, size - 1):
                total += found.narrow(axis, start, length)
        else:
            ends = found.cumsum(axis)
            total = ends.narrow(axis, size - 1, length).clone()
            total.narrow(axis, 1, length - 1).sub_(ends.narrow(axis, 0, length - 1))
        found = total
    return found.mul_(1 / size**2)


def box_max(maps: Tensor, size: int) -> Tensor:
    """The maximum over ``size × size`` texels, an odd number, around each of ``maps (B, C, H, W)``."""
    found = F.pad(maps, (size // 2,) * 4, value=-torch.inf)
    for axis in (3, 2):
        reach = 1
        while reach < size:  # of two runs of ``reach`` texels one that is up to twice as long
            step = min(reach, size - reach)
            length = found.shape[axis] - step
            found = torch.maximum(found.narrow(axis, 0, length), found.narrow(axis, step, length))
            reach += step
    return found
