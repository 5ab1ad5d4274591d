"""Closed and open curves through landmarks in the canonical frame, seen from the front, and distances to them."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from faceuv.models.faces.appearance.frame import canonical_landmarks

_STEPS = 6  # points per landmark
_CHUNK = 1 << 15

CONTOURS = {
    "lips": range(48, 60),
    "mouth": range(60, 68),
    "eye_right": range(36, 42),
    "eye_left": range(42, 48),
}
"""Closed curves by their landmarks; left and right are the subject's."""


@functools.cache
def contour(name: str) -> Tensor:
    """``(P, 2)``: x and y in mm of a closed Catmull–Rom curve."""
    knots = canonical_landmarks()[list(CONTOURS[name]), :2]
    return torch.from_numpy(_closed(knots).astype(np.float32))


def _closed(knots: np.ndarray) -> np.ndarray:
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    points = []
    for k in range(len(knots)):
        a, b, c, d = (knots[(k + i) % len(knots)] for i in (-1, 0, 1, 2))
        points.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate(points)


def signed_distance(points: Tensor, name: str) -> Tensor:
    """Distance ``(N,)`` in mm of ``points (N, 2)`` from a contour, negative inside."""
    polygon = contour(name).to(points)
    return torch.cat([_signed(part, polygon) for part in points.split(_CHUNK)])


def _signed(points: Tensor, polygon: Tensor) -> Tensor:
    start, end = polygon, polygon.roll(-1, 0)
    along = end - start
    away = points[:, None] - start
    t = ((away * along).sum(-1) / (along * along).sum(-1)).clamp(0, 1)
    square = (away - t[..., None] * along).square().sum(-1).amin(1)
    x, y = points[:, :1], points[:, 1:]
    crosses = (start[:, 1] > y) != (end[:, 1] > y)
    rise = torch.where(along[:, 1].abs() < 1e-6, torch.full_like(along[:, 1], 1e-6), along[:, 1])
    at = start[:, 0] + (y - start[:, 1]) / rise * along[:, 0]
    inside = (crosses & (x < at)).sum(1) % 2 == 1
    return torch.where(inside, -square.sqrt(), square.sqrt())


def smoothstep(start: float | Tensor, stop: float | Tensor, value: Tensor) -> Tensor:
    """0 before ``start``, 1 after ``stop`` (which may be the smaller one), a cubic between."""
    t = ((value - start) / (stop - start)).clamp(0, 1)
    return t * t * (3 - 2 * t)
