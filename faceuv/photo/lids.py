"""Which of the lids' skin a photograph with open eyes shows."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry.uv import bake
from faceuv.models.faces.arkit.control import with_arkit
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import kept
from faceuv.models.faces.points import Points
from faceuv.photo.projection import posed_mesh
from faceuv.structures import Coefficients

_OPEN, _CLOSED = ({"eyeBlinkLeft": amount, "eyeBlinkRight": amount} for amount in (0.0, 1.0))
_MOVED = (0.008, 0.02)  # dm that a blink moves skin: not the upper lids, the upper lids
_SHOWN = (0.30, 0.75)  # share of the closed lid's area that is seen: folded away, spread out
_RIM = (0.003, 0.009)  # dm above the line of the lashes: the rim, skin
_AROUND = 0.6  # dm from the landmarks of the eyes: no blink moves skin as far away
_BESIDE = 0.015  # dm: above the same place of an eye


@torch.no_grad()
def lids(model: FaceModel, coefficients: Coefficients, distance: float, size: int) -> tuple[Tensor, Tensor]:
    """``(1, T, T)`` and ``(1, T, T)`` in [0, 1]: where the lids are without their rims, and how far each texel of
    them lies open.

    The upper lid of an open eye is folded into a strip some pixels high, on which lashes, the lid's shadow and, where
    the fit is not exact, the eye itself are seen. Spread over a closed lid that looks like an eye painted on it. The
    rims stay: what is dark there is the line of the lashes, with open eyes and with closed ones.

    Args:
        distance: of the camera from the origin, dm.
    """
    nowhere = torch.zeros(1, size, size).to(model.mean)
    if not set(_CLOSED) <= set(model.arkit_table().expressible):
        return nowhere, 1 - nowhere
    rows, faces, points = kept(model, "around the eyes", 0, lambda: _around_the_eyes(model))
    open_, closed = (
        points.place(torch.cat([own.identity, own.expression], 1))[0]
        for own in (with_arkit(coefficients, model, lid) for lid in (_OPEN, _CLOSED))
    )
    low, high = _MOVED
    travel = (closed - open_).norm(dim=1) * model.skin_mask[rows].to(open_)
    moved = ((travel - low) / (high - low)).clamp(0, 1)
    lid = (moved > 0).nonzero()[:, 0]
    moved[lid] *= _beyond_the_rims(model.mean[rows[lid]], travel[lid])
    world = posed_mesh(model, coefficients)[0].vertices[0, rows]
    corners = world[faces]
    toward = corners.new_tensor([0.0, 0.0, distance]) - corners.mean(1)
    seen = (_area(corners) * torch.nn.functional.normalize(toward, dim=1)).sum(1)
    full = _area(closed[faces]).norm(dim=1)
    around = torch.zeros(2, len(world)).to(world)
    for k in range(3):
        around.index_add_(1, faces[:, k], torch.stack([seen, full]))
    low, high = _SHOWN
    spread_out = ((around[0] / around[1].clamp_min(1e-9) - low) / (high - low)).clamp(0, 1)
    both = torch.zeros(len(model.mean), 2).to(world)
    both[rows] = torch.stack([moved, spread_out], 1)
    there, shown = bake(both[None], model.chart(size, size))[0].split(1)
    return there, 1 - there * (1 - shown)


def _around_the_eyes(model: FaceModel) -> tuple[Tensor, Tensor, Points]:
    """The vertices ``(N,)`` about the eyes, the faces ``(F, 3)`` between them in these numbers, and their places."""
    near = torch.cdist(model.mean, model.mean[model.landmarks[36:48]]).amin(1) < _AROUND
    rows = near.nonzero()[:, 0]
    number = torch.zeros(len(near), dtype=torch.int64, device=rows.device)
    number[rows] = torch.arange(len(rows), device=rows.device)
    return rows, number[model.faces[near[model.faces].all(1)]], model.points(rows)


def _beyond_the_rims(points: Tensor, travel: Tensor) -> Tensor:
    """``(N,)``: 0 at the rims of the lids and 1 above them, of skin at ``points (N, 3)`` that moves by ``travel``.

    Of the skin above one place of the eye, the rim moves farthest, and what lies some way above it as much less."""
    beside = (points[:, None, 0] - points[None, :, 0]).abs() < _BESIDE
    most = torch.where(beside, travel[None], travel.new_zeros(())).amax(1)
    low, high = _RIM
    return ((most - travel - low) / (high - low)).clamp(0, 1)


def _area(corners: Tensor) -> Tensor:
    """``(F, 3, 3)`` → ``(F, 3)``: normals as long as the faces are large."""
    one, two, three = corners.unbind(1)
    return torch.linalg.cross(two - one, three - one) / 2
