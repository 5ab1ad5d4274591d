"""The 68 landmarks in the iBUG order, and the lines that the jaw's ones move along when the head turns.

The published list follows the iBUG order (the subject's right first). Where it strays from what annotators mark it is
corrected: brows lie a sixth of the eye distance too high, most of all at their inner ends; the row under the nose lies
on the lip; the tip of the nose lies above the foremost point; the lower jaw and the chin lie inside the outline that
the front view shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceuv.models.faces.ict.folder import Published
from faceuv.models.faces.procedural.landmarks import MIRROR

Integers = NDArray[np.int64]

# Landmark → published vertex, for the subject's right half and the midline.
_CORRECTED = {
    4: 746,
    5: 782,
    6: 1676,
    7: 848,
    8: 2191,
    17: 257,
    18: 1009,
    19: 1032,
    20: 2037,
    21: 2003,
    27: 971,
    28: 1348,
    29: 4839,
    30: 4841,
    31: 4559,
    32: 2076,
    33: 5,
}
# From the temple along the jaw's edge, in front of the ear, to the chin: the README's extended right jawline.
_JAW_EDGE = (1280, 1278, 1275, 1272, 1248, 12, 820, 1834, 1902, 243, 844, 781, 1673, 2199, 801, 1447, 800)
_FACE = 6548  # vertices: the face without ears and the insides of mouth, nose and eyes
_CANDIDATES = 12
# Where the row of each jaw landmark begins, as an angle about an upright axis between the ears: beside eye and nose.
_FRONT = np.radians((52, 40, 30, 24, 20, 20, 20, 20))
_AXIS = -3.0  # centimetres behind the middle of the eyes
_CHIN = (2191, 969, 965, 966, 962, 967, 1683, 1732, 874, 873, 963, 964)  # the midline, under and over the chin


def landmarks(published: Published, mirror: Integers) -> Integers:
    """``(68,)`` published vertices; ``mirror (V,)`` is the other side of each."""
    found = published.landmarks.copy()
    for mark, vertex in _CORRECTED.items():
        found[mark] = vertex
        found[MIRROR[mark]] = mirror[vertex] if MIRROR[mark] != mark else vertex
    return found


def contour(published: Published, marks: Integers, mirror: Integers) -> Integers:
    """``(17, K)`` published vertices: for each jaw landmark itself, then its row of the face from cheek to jaw edge;
    for the chin the midline."""
    points = published.vertices.astype(np.float64)
    eyes = points[marks[36:48]].mean(0)
    x, y, z = (points[:_FACE] - eyes - [0, 0, _AXIS]).T
    angle = np.arctan2(-x, z)  # positive on the subject's right
    edge = np.array(_JAW_EDGE)[np.argsort(y[list(_JAW_EDGE)])]
    lines = np.empty((17, _CANDIDATES), np.int64)
    lines[8] = _CHIN
    for k in range(8):
        start = marks[k]
        back = max(float(np.interp(y[start], y[edge], angle[edge])), float(angle[start]))
        row = [int(start)]
        for wanted in np.linspace(_FRONT[k], back, _CANDIDATES - 1):
            apart = np.square(y - y[start]) + np.square((angle - wanted) * np.hypot(x, z))
            row.append(int(np.argmin(apart + 1e9 * (np.hypot(x, z) < 0.5))))
        lines[k] = row
        lines[16 - k] = mirror[row]
    return lines
