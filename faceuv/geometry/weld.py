"""Meshes whose vertices are split where the UV chart has a seam: values that the copies of one point share.

``weld (V,)`` names for every vertex the lowest index among the copies of its surface point; its own where there is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def welded_faces(faces: Tensor, weld: Tensor | None) -> Tensor:
    """The faces ``(F, 3)`` with every corner at the first copy of its point: neighbours across a seam share edges."""
    return faces if weld is None else weld[faces]


def neighbours(faces: Tensor, count: int) -> Any:
    """``(count, count)`` sparse matrix of SciPy: 1 where an edge of the welded ``faces (F, 3)`` joins two points."""
    from scipy.sparse import csr_matrix

    corners = faces.cpu()
    edges = torch.cat([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = torch.cat([edges, edges.flip(1)]).unique(dim=0).numpy()
    return csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))


def welded_mean(values: Tensor, weld: Tensor | None) -> Tensor:
    """Values ``(B, V, C)`` at the vertices → the mean over the copies of each point, the same at all of them."""
    if weld is None:
        return values
    copies = values.new_zeros(len(weld)).index_add(0, weld, torch.ones_like(values[0, :, 0]))
    total = torch.zeros_like(values).index_add(1, weld, values)
    return (total / copies.clamp_min(1)[:, None]).index_select(1, weld)
