"""Values that a part of a chart knows, over the whole skin: smooth, without a step where the chart has a seam."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.boxes import box_mean
from faceuv.geometry.weld import neighbours, welded_faces
from faceuv.models.faces.base import FaceModel

_STIFF = 0.5  # an edge against a vertex that is fully known
_HOME = 4e-4  # a vertex's pull toward the mean: half way after some forty edges


def spread_over(model: FaceModel, values: Tensor, weight: Tensor) -> Tensor:
    """``values (C, H, W)`` of a chart as vertex values ``(V, C)``, continued smoothly over the skin where
    ``weight (1, H, W)`` is 0; far away, and on eyes and teeth, they return to the weighted mean.

    Minimises Σ w·(x − value)² + Σ over edges (x_i − x_j)² + a little·(x − mean)²; copies of a vertex at seams are one.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    soft = weight.clamp(0, 1)
    at = (model.uv * 2 - 1)[None, None]
    given = torch.cat([soft, values * soft])
    *total, cover = F.grid_sample(box_mean(given[None], 3), at.to(soft), align_corners=False)[0, :, 0].roll(-1, 0)
    nodes, graph = _skin_graph(model)
    place = nodes.to(cover.device)
    w = torch.zeros(int(place.max()) + 1).to(cover).index_add_(0, place, cover).double().cpu()
    goal = torch.zeros(len(w), len(values)).to(cover).index_add_(0, place, torch.stack(total, 1)).double().cpu()
    mean = goal[1:].sum(0) / w[1:].sum().clamp_min(1e-6)
    system = (graph * _STIFF + sparse.diags(w[1:].numpy() + _HOME)).tocsc()
    # symmetric, ordered once for all photographs, and far too sparse for wide panels
    factors = splu(system, permc_spec="NATURAL", diag_pivot_thresh=0.0, relax=1, panel_size=1, options=_SYMMETRIC)
    found = torch.from_numpy(factors.solve((goal[1:] + _HOME * mean).numpy()))
    return torch.cat([mean[None], found]).to(values)[place]


_SYMMETRIC = {"SymmetricMode": True}
_GRAPHS: WeakKeyDictionary[FaceModel, tuple[Tensor, Any]] = WeakKeyDictionary()


def _skin_graph(model: FaceModel) -> tuple[Tensor, Any]:
    """``(V,)`` int64: which of the graph's nodes, counted from 1, each vertex of the skin is, copies at seams one node,
    0 for all others; and the graph, sparse: Σ over edges (x_i − x_j)² as a quadratic form. The nodes lie in an order in
    which the form is factorised with few new entries."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    if model not in _GRAPHS:
        count = len(model.mean)
        faces = model.faces if model.part is None else model.faces[model.faces_of("skin")]
        weld = torch.arange(count) if model.weld is None else model.weld.cpu()
        joined = neighbours(welded_faces(faces, model.weld), count)
        used = weld[faces.cpu()].unique()
        joined = joined[used.numpy()][:, used.numpy()]
        form = (sparse.diags(np.asarray(joined.sum(1)).ravel()) - joined).tocsc()
        tried = splu(form + sparse.identity(len(used)), permc_spec="MMD_AT_PLUS_A", options=_SYMMETRIC)
        order = np.argsort(tried.perm_c)
        number = torch.zeros(count, dtype=torch.int64)
        number[used[torch.from_numpy(order.copy()).long()]] = torch.arange(1, len(used) + 1)
        _GRAPHS[model] = number[weld], form[order][:, order].tocsc()
    return _GRAPHS[model]
