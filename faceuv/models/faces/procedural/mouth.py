"""The mouth: lips, their curves, the furrows around them and the pocket behind them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, Points, carve, chain, cone, sphere, union

HEIGHT = -63.5  # of the closed mouth, below the pupils
HALF_WIDTH = 25.5


class MouthCurves(NamedTuple):
    """Heights over the distance from the midline: closed line, upper and lower vermilion border; and the position
    along the mouth, 0 at the midline and 1 at the corner."""

    line: Array
    top: Array
    bottom: Array
    along: Array


def curves(x: Array, q: Anatomy) -> MouthCurves:
    width = HALF_WIDTH + q.mouth_width
    s = np.clip(x / width, 0, 1.0)
    line = HEIGHT + q.mouth_height
    line = line - 0.9 * np.exp(-((x / 5.0) ** 2)) + 0.8 * np.exp(-(((x - 10) / 6.0) ** 2))  # the upper lip's tubercle
    line = line + (0.6 + q.mouth_corner) * s**3 - 0.6 * s**2
    cupid = 1 - 0.16 * np.exp(-((x / 3.4) ** 2))
    top = (7.8 + q.upper_lip) * (1 - s) ** 0.62 * cupid + 0.5
    bottom = (9.4 + q.lower_lip) * np.maximum(1 - s**2.3, 0) ** 0.8 + 0.5
    return MouthCurves(line, line + top, line - bottom, x / width)


def lips(d: Array, p: Points, q: Anatomy) -> Array:
    corner, y, out = HALF_WIDTH + q.mouth_width, HEIGHT + q.mouth_height, q.muzzle_depth
    upper = chain(
        p,
        [
            (0, y + 3.6, 98.6 + out),
            (6, y + 4.3, 98.2 + out),
            (15, y + 2.8, 94.4 + out),
            (corner - 1, y + 0.9 + q.mouth_corner, 86.0 + 0.6 * out),
        ],
        [4.6 + 0.55 * q.upper_lip, 4.7 + 0.55 * q.upper_lip, 3.8 + 0.45 * q.upper_lip, 1.2],
        5.0,
    )
    lower = chain(
        p,
        [
            (0, y - 4.8, 97.0 + out),
            (8, y - 4.6, 96.4 + out),
            (16, y - 3.2, 92.8 + out),
            (corner - 1, y - 0.6 + q.mouth_corner, 85.4 + 0.6 * out),
        ],
        [5.8 + 0.5 * q.lower_lip, 5.8 + 0.5 * q.lower_lip, 4.5 + 0.45 * q.lower_lip, 1.2],
        5.0,
    )
    d = union(union(d, upper, 3.2), lower, 3.0)
    return carve(d, sphere(p, (corner + 2.4, y + q.mouth_corner, 95.5), 5.0), 5)  # the dimple beside the corner


def furrows(d: Array, p: Points, q: Anatomy) -> Array:
    """Nasolabial fold and philtrum."""
    base, mouth = -q.nose_length, q.mouth_height
    fold = chain(
        p,
        [(19.5, -35 + base, 99.5), (27, -50 + 0.5 * mouth, 98), (33 + 0.6 * q.mouth_width, -66 + mouth, 92.0)],
        [3.2, 3.6, 2.4],
    )
    d = carve(d, fold - q.nasolabial_fold, 7)
    width = 2.6 + q.philtrum_depth
    return carve(d, cone(p, (0, -46 + base, 106.5), (0, -55 + mouth, 110.5), width, width + 0.6), 3.5)


# The pocket, from the inner edge of the upper lip (t = 0) to that of the lower lip (t = 1): height and depth relative
# to the lips' edges, and how much the jaw carries it along. The teeth end above the seam, or shut lips would show them.
_POCKET_T = (0.00, 0.09, 0.18, 0.38, 0.44, 0.56, 0.66, 0.82, 0.90, 0.96, 1.00)
_POCKET_UP = (0.0, 2.5, 5.5, 0.6, 1.4, 3.0, -2.0, -3.2, -8.0, -5.0, 0.0)
_POCKET_BACK = (0.0, 4.0, 6.5, 6.2, 9.0, 30.0, 27.0, 11.0, 10.0, 5.0, 0.0)
_POCKET_JAW = (0.0, 0.0, 0.0, 0.0, 0.0, 0.15, 0.70, 0.95, 1.0, 1.0, 1.0)
TEETH = (0.16, 0.40)  # the stretch of t that is enamel
TONGUE = (0.62, 0.86)


def pocket(t: Array) -> tuple[Array, Array]:
    """Millimetres up and back of the mouth's inside at ``t`` between the inner edges of the lips."""
    return np.interp(t, _POCKET_T, _POCKET_UP), np.interp(t, _POCKET_T, _POCKET_BACK)


def pocket_jaw(t: Array) -> Array:
    """Share of the jaw's movement at ``t``: the palate and the upper teeth stay, tongue and floor go."""
    return np.interp(t, _POCKET_T, _POCKET_JAW)
