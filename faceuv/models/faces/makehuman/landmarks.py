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
