"""Vertex colours for a model that is published without: what each part looks like, and how people differ.

ICT-FaceKit Light has no albedo. These colours are painted by position, on the vertices: a plain stand-in whose modes
are melanin, haemoglobin, lips, brows and the colour of the irises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
MODES = ("melanin", "haemoglobin", "lips", "brows", "iris_brown", "iris_green")

_SKIN = np.array((0.72, 0.545, 0.46))
_PLAIN = {
    "inner_mouth": (0.40, 0.17, 0.16),
    "gums": (0.66, 0.36, 0.35),
    "tongue": (0.68, 0.36, 0.35),
    "teeth": (0.87, 0.84, 0.76),
}
_SCLERA, _VEINS = np.array((0.86, 0.84, 0.81)), np.array((0.74, 0.56, 0.52))
_PUPIL, _LIMBUS, _IRIS = np.array((0.02, 0.02, 0.025)), np.array((0.10, 0.12, 0.15)), np.array((0.37, 0.38, 0.36))
_HAIRLINE = 0.62  # decimetres above the root of the nose
_HIDDEN = -0.35  # skin that looks further away than this lies in a fold
# Changes of colour per deviation.
_MELANIN = np.array((-0.115, -0.115, -0.110))
_BLOOD = np.array((0.010, -0.020, -0.016))
_LIPS = np.array((0.03, -0.055, -0.045))
_BROWS = np.array((-0.10, -0.09, -0.08))
_BROWN, _GREEN = np.array((0.0, -0.06, -0.11)), np.array((-0.035, 0.02, -0.02))


@dataclass(frozen=True)
class Canvas:
    """What the colours depend on; V vertices, decimetres.

    points     ``(V, 3)``
    part       for each vertex the name of its part
    landmarks  ``(68,)``
    eye        ``(V,)`` for vertices of eyes: distance from the eye's axis, 1 where the cornea begins
    facing     ``(V,)`` the cosine between the mean surface's normal and the direction of the camera
    """

    points: Floats
    part: NDArray[np.str_]
    landmarks: NDArray[np.int64]
    eye: Floats
    facing: Floats


def vertex_colours(canvas: Canvas) -> tuple[Floats, Floats]:
    """Mean ``(V, 3)`` and modes ``(V, 3, len(MODES))`` per deviation, RGB in [0, 1]."""
    points, part = canvas.points, canvas.part
    mean = np.tile(_SKIN, (len(points), 1))
    modes = np.zeros((len(points), 3, len(MODES)))
    skin = part == "skin"
    lips, brows, blood, dark = (np.where(skin, amount, 0)[:, None] for amount in _skin_amounts(canvas))
    mean = mean + blood * (0.025, -0.035, -0.03) + lips * (-0.06, -0.15, -0.11)
    mean = mean * (1 - 0.5 * brows) * (1 - dark)
    for name, colour in _PLAIN.items():
        mean[part == name] = colour
    sclera = np.char.startswith(part, "sclera") | np.char.startswith(part, "cornea")
    iris = np.char.startswith(part, "iris")
    pink = np.clip((canvas.eye - 1.6) / 1.6, 0, 1)[:, None]
    mean = np.where(sclera[:, None], _SCLERA + pink * (_VEINS - _SCLERA), mean)
    mean = np.where(iris[:, None], _iris(canvas.eye), mean)
    mean[np.isin(part, ("lashes",))] = (0.08, 0.06, 0.05)
    within = iris & (canvas.eye > 0.3) & (canvas.eye < 1.02)
    for name, where, change in (
        ("melanin", skin[:, None] * (1 - 0.6 * brows), _MELANIN),
        ("haemoglobin", skin[:, None] * (1 + 0.8 * blood), _BLOOD),
        ("lips", lips, _LIPS),
        ("brows", brows, _BROWS),
        ("iris_brown", within[:, None], _BROWN),
        ("iris_green", within[:, None], _GREEN),
    ):
        modes[:, :, MODES.index(name)] = where * change
    return mean.clip(0, 1), modes


def skin_mask(canvas: Canvas) -> NDArray[np.bool_]:
    """``(V,)``: plain skin of the face, from the hairline to the jaw and the ears."""
    points, marks = canvas.points, canvas.points[canvas.landmarks]
    lips, brows, _, _ = _skin_amounts(canvas)
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


def _skin_amounts(canvas: Canvas) -> tuple[Floats, Floats, Floats, Floats]:
    """How much each vertex is lip, brow, reddened and shaded ``(V,)`` in [0, 1], by its distance to landmarks."""
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
    nose, cheeks = marks[30], (marks[[1, 15]] + 2 * marks[[31, 35]]) / 3
    blood = _falloff(np.linalg.norm(points - nose, axis=1), 0.02, 0.28) * 0.8
    for cheek in cheeks:
        blood = np.maximum(blood, 0.8 * _falloff(np.linalg.norm((points - cheek) * (1, 1, 0.5), axis=1), 0.05, 0.42))
    blood = np.maximum(blood, _falloff(-np.abs(points[:, 0]), -0.85, -0.72) * (points[:, 2] < marks[0, 2]) * 0.6)
    sockets = [marks[36:42].mean(0), marks[42:48].mean(0)]
    around = np.min([np.linalg.norm((points - socket) * (1, 1.4, 1), axis=1) for socket in sockets], 0)
    dark = 0.12 * _falloff(around, 0.16, 0.36) * front
    return lips, brows, blood, np.maximum(dark, 0.75 * _nostrils(canvas))


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


def _iris(eye: Floats) -> Floats:
    """``(V, 3)``: pupil, a light ring about it, and the dark ring at the rim."""
    radius = (0.0, 0.27, 0.31, 0.45, 0.75, 0.93, 1.03)
    colours = np.stack([_PUPIL, _PUPIL, 0.9 * _IRIS, 1.12 * _IRIS, _IRIS, 0.75 * _IRIS, _LIMBUS])
    return np.stack([np.interp(eye, radius, colours[:, k]) for k in range(3)], 1)
