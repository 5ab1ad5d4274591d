"""The lines along which the jaw's landmarks slide when the head turns, on any head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_CANDIDATES = 14
# How far behind a jaw landmark its line goes, decimetres: in front of the ear it ends at the landmark.
_BEHIND = (0.0, 0.0, 0.0, 0.1, 0.2, 0.25, 0.25, 0.25, 0.25)
_BEFORE = (0.55, 0.42, 0.45, 0.5, 0.5, 0.55, 0.45, 0.25, 0.08)


def contour_lines(at: Array, skin: Array, landmarks: Array, mirror: Array) -> Array:
    """``(17, K)``: for each jaw landmark the vertices of its line from the cheek to behind; the landmark is first.

    A line lies in the plane through the landmark along the depth and away from the middle of the face.
    """
    middle = np.array([0.0, at[landmarks[30], 1]])
    allowed = np.flatnonzero(skin)
    place = at[allowed]
    lines = np.zeros((17, _CANDIDATES), np.int64)
    for k in range(9):
        start = at[landmarks[k]]
        out = (start[:2] - middle) / np.linalg.norm(start[:2] - middle)
        side = np.array([-out[1], out[0]])
        off = np.abs((place[:, :2] - start[:2]) @ side)
        reach = (place[:, :2] - middle) @ out
        line = [int(landmarks[k])]
        for depth in np.linspace(start[2] + _BEFORE[k], start[2] - _BEHIND[k], _CANDIDATES - 1):
            cost = off + 0.7 * np.abs(place[:, 2] - depth) + np.where(reach > 0.05, 0.0, 9.0) - 0.15 * reach
            line.append(int(allowed[cost.argmin()]))
        lines[16 - k] = mirror[line]
        lines[k] = line
    return lines
