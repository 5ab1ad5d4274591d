"""Which vertices of ICT-FaceKit are plain skin: without lips, brows, lids, nostrils and what lies in folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
_HAIRLINE = 0.62  # decimetres above the root of the nose
_HIDDEN = -0.35  # skin that looks further away than this lies in a fold


@dataclass(frozen=True)
class Canvas:
    """What the mask depends on; V vertices, decimetres.

    points     ``(V, 3)``
    part       for each vertex the name of its part
    landmarks  ``(68,)``
    facing     ``(V,)`` the cosine between the mean surface's normal and the direction of the camera
    """

    points: Floats
    part: NDArray[np.str_]
    landmarks: NDArray[np.int64]
    facing: Floats


def skin_mask(canvas: Canvas) -> NDArray[np.bool_]:
    """``(V,)``: plain skin of the face, from the hairline to the jaw and the ears."""
    points, marks = canvas.points, canvas.points[canvas.landmarks]
    lips, brows = _lips_and_brows(canvas)
    jaw = marks[:9][np.argsort(marks[:9, 2])]
    above = points[:, 1] > np.interp(points[:, 2], jaw[:, 2], jaw[:, 1]) - 0.03
    face = (points[:, 2] > marks[0, 2]) & above & (points[:, 1] < marks[27, 1] + _HAIRLINE)
    lids = np.zeros(len(points))
    for outline in (marks[36:42], marks[42:48]):
        lids = np.maximum(lids, _inside(points, outline.mean(0) + 1.2 * (outline - outline.mean(0)), 0.01))
    mouth = _inside(points, marks[48:60], 0.01)
    plain = (lips < 0.2) & (brows < 0.1) & (lids < 0.5) & (mouth < 0.5) & ~_nostrils(canvas)
    return (canvas.part == "skin") & face & plain & (canvas.facing > _HIDDEN)


def _nostrils(canvas: Canvas) -> NDArray[np.bool_]:
    """``(V,)``: what looks away from the camera under the nose."""
    (x, y, z), marks = canvas.points.T, canvas.points[canvas.landmarks]
    wide = np.abs(x) < 0.87 * np.abs(marks[[31, 35], 0]).mean()
    high = (y > marks[33, 1] + 0.025) & (y < marks[29, 1])
    return (
        (canvas.part == "skin") & wide & high & (z > marks[31, 2] - 0.3) & (canvas.facing < 0.25) & (np.abs(x) > 0.02)
    )


def _lips_and_brows(canvas: Canvas) -> tuple[Floats, Floats]:
    """How much each vertex is lip and brow ``(V,)`` in [0, 1], by its distance to landmarks."""
    points, marks = canvas.points, canvas.points[canvas.landmarks]
    front = points[:, 2] > marks[[0, 16], 2].mean()
    lips = front * _inside(points, marks[48:60], 0.012)
    brows = np.zeros(len(points))
    for first in (17, 22):
        line = marks[first : first + 5]
        half = np.interp(np.linspace(0, 1, 40), (0, 0.5, 1), (0.6, 1, 1.1) if first == 17 else (1.1, 1, 0.6))
        dense = np.stack([np.interp(np.linspace(0, 4, 40), range(5), line[:, k]) for k in range(3)], 1)
        distance, nearest = cKDTree(dense).query(points)
        brows = np.maximum(brows, _falloff(distance / half[nearest], 0.018, 0.05))
    return lips, brows


def _inside(points: Floats, outline: Floats, soft: float) -> Floats:
    """``(V,)`` how far a point is inside an outline seen from the front, with an edge of the width ``soft``."""
    ends = np.roll(outline, -1, 0)
    x, y = points[:, None, 0], points[:, None, 1]
    (ax, ay), (bx, by) = outline[:, :2].T, ends[:, :2].T
    crossing = ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / np.where(by == ay, 1, by - ay) + ax)
    inside = crossing.sum(1) % 2 == 1
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
    along = along.clip(0, 1)
    distance = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)).min(1)
    return np.clip(0.5 + np.where(inside, distance, -distance) / (2 * soft), 0, 1)


def _falloff(distance: Floats, near: float, far: float) -> Floats:
    """1 up to ``near``, 0 from ``far`` on, smooth in between."""
    t = np.clip((far - distance) / (far - near), 0, 1)
    return t * t * (3 - 2 * t)
