"""Maps that are known in part: the mirrored side, smooth continuation, seams that nobody sees."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.weld import neighbours, welded_faces
from faceuv.models.faces.base import FaceModel
from faceuv.photo.boxes import box_mean

_FAR = 12.0  # median lengths of an edge on the chart: mirrored corners farther apart lie on both sides of a seam
_COARSEST = 4
_SWEEPS = 8  # of relaxation at each level
_STIFF = 0.5  # an edge against a vertex that is fully known
_HOME = 4e-4  # a vertex's pull toward the mean: half way after some forty edges


def spread(values: Tensor, weight: Tensor) -> Tensor:
    """``values (C, H, W)`` where ``weight (1, H, W)`` is 1, continued smoothly where it is 0: pull and push over a
    pyramid, relaxed at each level.

    In between, the coarser levels take over as the weight falls, so that the fine structure fades out first and the
    low frequencies go on: no seam at any scale. With no weight anywhere the result is 0.
    """
    sizes = check_shape("values", values, ("C", "H", "W"))
    check_shape("weight", weight, (1, sizes["H"], sizes["W"]))
    known = [((values * weight)[None], weight[None])]
    while min(known[-1][0].shape[2:]) > _COARSEST:
        total, cover = known[-1]
        odd = (0, total.shape[3] % 2, 0, total.shape[2] % 2)
        total, cover = (F.avg_pool2d(F.pad(x, odd), 2) for x in (total, cover))
        # a coarse texel that is known in part speaks for itself all the same
        fuller = (cover * 2).clamp(max=1)
        known.append((total * (fuller / cover.clamp_min(1e-8)), fuller))
    total, cover = known[-1]
    mean = total.sum((2, 3), keepdim=True) / cover.sum((2, 3), keepdim=True).clamp_min(1e-8)
    found = total + (1 - cover) * mean
    for total, cover in reversed(known[:-1]):
        found = F.interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)
        found = total + (1 - cover) * found[..., : total.shape[2], : total.shape[3]]
        for _ in range(_SWEEPS):  # a coarse level steps at the border of what is known; relaxed, it does not
            found = total + (1 - cover) * box_mean(found, 3)
    return found[0]


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


def mirror_grid(model: FaceModel, size: int) -> tuple[Tensor, Tensor]:
    """Where each texel's point lies on the other side of the face: uv in [−1, 1] ``(1, H, W, 2)`` for ``grid_sample``,
    and ``(1, H, W)`` bool, whether there is such a point.

    It goes through the model's own pairs of vertices, for a chart need not be symmetric.
    """
    chart = model.chart(size, size)
    corners = model.uv[model.mirror][chart.vertices]
    reach = (corners - corners.roll(1, 1)).abs().amax((1, 2))
    edges = model.uv[model.faces]
    usual = (edges - edges.roll(1, 1)).abs().amax((1, 2)).median()
    there = (reach < _FAR * usual) & (chart.face_id >= 0).flatten()
    uv = (corners * chart.weights[:, :, None].to(corners)).sum(1)
    return (uv * 2 - 1).view(1, size, size, 2), there.view(1, size, size)


def sampled(maps: Tensor, grid: Tensor) -> Tensor:
    """``maps (C, H, W)`` at ``grid (1, H, W, 2)``."""
    return F.grid_sample(maps[None], grid.to(maps), padding_mode="border", align_corners=False)[0]


def blurred(values: Tensor, weight: Tensor, times: int) -> Tensor:
    """Weighted mean of ``values (C, H, W)`` over about 2^times texels; 0 where there is no weight near."""
    total, cover = (values * weight)[None], weight[None]
    shape = values.shape[1:]
    for _ in range(times):
        if min(total.shape[2:]) < 2 * _COARSEST:
            break
        total, cover = F.avg_pool2d(total, 2), F.avg_pool2d(cover, 2)
    total, cover = (box_mean(x, 3) for x in (total, cover))
    total, cover = (F.interpolate(x, size=shape, mode="bilinear", align_corners=False) for x in (total, cover))
    return (total / cover.clamp_min(1e-6))[0] * (cover[0] > 1e-6)


def feathered(weight: Tensor, times: int) -> Tensor:
    """``weight (1, H, W)`` made softer inward only: nothing that had no weight gets any."""
    soft = F.avg_pool2d(weight[None], 2**times, 2**times)
    low = -F.max_pool2d(-soft, 3, 1, 1)
    low = F.interpolate(low, size=weight.shape[1:], mode="bilinear", align_corners=False)[0]
    return torch.minimum(weight, low)
