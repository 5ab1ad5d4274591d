"""Where the surface is plain skin."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from faceuv.models.faces.makehuman.source import Array
from faceuv.models.faces.makehuman.surface import HeadSurface

_BROW_REACH, _NOSTRIL_REACH = 0.04, 0.045  # decimetres
_NOSTRIL = 394  # a vertex of base.obj inside the right nostril
_BROWS = ((17, 22), (22, 27))  # landmarks


def skin_mask(surface: HeadSurface, at: Array, landmarks: Array) -> Array:
    """``(V,)`` bool: skin without brows and the inside of the nostrils; eyes and mouth are other parts."""
    skin = surface.vertices_of("head", "shoulders").copy()
    for first, end in _BROWS:
        skin &= _distance(at, at[landmarks[first:end]]) > _BROW_REACH
    inside = int(surface.moving[:, [_NOSTRIL]].toarray()[:, 0].argmax())
    for vertex in (inside, int(surface.mirror[inside])):
        skin &= np.linalg.norm(at - at[vertex], axis=1) > _NOSTRIL_REACH
    return skin


def _distance(at: Array, line: Array) -> Array:
    """The distance of points from a polyline."""
    nearest = np.full(len(at), np.inf)
    for a, b in pairwise(line):
        t = np.clip((at - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(at - a - t[:, None] * (b - a), axis=1))
    return nearest
