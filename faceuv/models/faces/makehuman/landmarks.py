"""The 68 landmarks in the iBUG order, and the lines along which the jaw's slide when the head turns."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from faceuv.models.faces.makehuman.source import Array

# Vertices of base.obj, chosen on large drawings of the average person; a pair is the middle of the edge between them.
# The subject's right side and the midline; the left side is MakeHuman's mirror image. The jaw lies on the silhouette
# from the front, brows on the ridge, the lips' outline on the vermilion border.
_RIGHT: dict[int, int | tuple[int, int]] = {
    0: 5564,
    1: 5186,
    2: 5204,
    3: (910, 5242),
    4: (5241, 5240),
    5: 893,
    6: 891,
    7: (914, 918),
    17: 255,
    18: (206, 224),
    19: (204, 222),
    20: 205,
    21: 208,
    31: 318,
    32: 331,
    36: 6781,
    37: 0,
    38: 54,
    39: 66,
    40: 6772,
    41: 6776,
    48: 425,
    49: (5354, 5364),
    50: 450,
    58: 486,
    59: (370, 480),
    60: 429,
    61: 470,
    67: 482,
}
_MIDDLE = {8: 747, 27: 132, 28: 131, 29: 201, 30: 5054, 33: 343, 51: 455, 57: 492, 62: 474, 66: 494}
_SIDES = {
    **{k: 16 - k for k in range(8)},
    **{17 + k: 26 - k for k in range(5)},
    31: 35,
    32: 34,
    36: 45,
    37: 44,
    38: 43,
    39: 42,
    40: 47,
    41: 46,
    48: 54,
    49: 53,
    50: 52,
    58: 56,
    59: 55,
    60: 64,
    61: 63,
    67: 65,
}
_CANDIDATES = 14
# How far behind a jaw landmark its line goes, decimetres: in front of the ear it ends at the landmark.
_BEHIND = (0.0, 0.0, 0.0, 0.1, 0.2, 0.25, 0.25, 0.25, 0.25)
_BEFORE = (0.55, 0.42, 0.45, 0.5, 0.5, 0.55, 0.45, 0.25, 0.08)


def landmark_vertices(points: sparse.csr_matrix, candidates: Array, mirror: Array) -> Array:
    """``(68,)`` vertices of the head.

    Args:
        points: ``(V, 19158)`` from MakeHuman's vertices to the head's.
        candidates: ``(V,)`` bool, the vertices that may be landmarks.
        mirror: ``(V,)`` the vertex on the other side.
    """
    columns = points.tocsc()
    allowed = np.flatnonzero(candidates)

    def nearest(at: int | tuple[int, int]) -> int:
        """The vertex that has most of a base vertex, or of both ends of an edge."""
        share = np.array([columns[:, k].toarray()[allowed, 0] for k in np.atleast_1d(at)])
        return int(allowed[(share.min(0) + 1e-3 * share.sum(0)).argmax()])  # an end where no edge is divided

    found = np.zeros(68, np.int64)
    for number, vertex in _MIDDLE.items():
        found[number] = nearest(vertex)
    for number, at in _RIGHT.items():
        found[number] = nearest(at)
        found[_SIDES[number]] = mirror[found[number]]
    return found


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
