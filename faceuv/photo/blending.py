"""Maps that are known in part: the mirrored side, smooth continuation, seams that nobody sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.boxes import box_mean
from faceuv.models.faces.base import FaceModel

_FAR = 12.0  # median lengths of an edge on the chart: mirrored corners farther apart lie on both sides of a seam
_COARSEST = 4
_SWEEPS = 8  # of relaxation at each level


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
