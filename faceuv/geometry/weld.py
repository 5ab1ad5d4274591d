"""Meshes whose vertices are split where the UV chart has a seam: values that the copies of one point share.

``weld (V,)`` names for every vertex the lowest index among the copies of its surface point; its own where there is one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def welded_faces(faces: Tensor, weld: Tensor | None) -> Tensor:
    """The faces ``(F, 3)`` with every corner at the first copy of its point: neighbours across a seam share edges."""
    return faces if weld is None else weld[faces]


def welded_mean(values: Tensor, weld: Tensor | None) -> Tensor:
    """Values ``(B, V, C)`` at the vertices → the mean over the copies of each point, the same at all of them."""
    if weld is None:
        return values
    copies = values.new_zeros(len(weld)).index_add(0, weld, torch.ones_like(values[0, :, 0]))
    total = torch.zeros_like(values).index_add(1, weld, values)
    return (total / copies.clamp_min(1)[:, None]).index_select(1, weld)
