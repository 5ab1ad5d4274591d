"""The other side of every vertex, found from the faces: positions alone pair wrongly where vertices touch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faceuv.errors import AssetError

Integers = NDArray[np.int64]
_NEAR = 1e-3  # centimetres: the first face of a component lies this near to the face that it mirrors
_APART = 1e-2  # and its vertices this far from any other vertex


def mirrored_corners(corners: Integers, points: NDArray[np.floating]) -> Integers:
    """For each corner of each polygon ``(P, 4)`` the flat index (polygon · 4 + corner) of the corner that mirrors it.

    One face of each connected component is paired by position; its neighbours follow across the edges that they share.

    Args:
        corners: ``(P, 4)`` vertices, −1 where a triangle has no fourth corner.
        points: ``(V, 3)`` about symmetric in x.
    """
    polygons = [polygon[polygon >= 0].tolist() for polygon in corners]
    edges = {edge: (p, k) for p, polygon in enumerate(polygons) for k, edge in enumerate(_edges(polygon))}
    found = np.full(corners.shape, -1, np.int64)
    for seed in _seeds(polygons, points):
        queue = deque([seed])
        while queue:
            p, q, shift = queue.popleft()  # corner k of p mirrors corner shift − k of q: mirrors turn the other way
            if found[p, 0] >= 0:
                continue
            here, there = polygons[p], polygons[q]
            count = len(here)
            if count != len(there):
                raise AssetError(f"the faces are not symmetric: {p + 1} and {q + 1} mirror each other by their edges")
            for k, (a, b) in enumerate(_edges(here)):
                found[p, k] = 4 * q + (shift - k) % count
                beyond = edges.get((b, a))
                other = edges.get((there[(shift - k) % count], there[(shift - k - 1) % count]))
                if beyond and other and found[beyond[0], 0] < 0:
                    queue.append((beyond[0], other[0], beyond[1] + other[1] + 1))
    if (found[:, 0] < 0).any():
        raise AssetError(f"the faces are not symmetric: {int((found[:, 0] < 0).sum())} of them have no mirror")
    used = corners >= 0
    mirror = mirror_map(found, corners, len(points))
    wrong = (mirror[corners[used]] != corners.reshape(-1)[found[used]]) | (
        mirror[mirror[corners[used]]] != corners[used]
    )
    if wrong.any():
        raise AssetError(f"the faces are not symmetric: {int(wrong.sum())} of their corners have no one mirror")
    return found


def mirror_map(mirrored: Integers, corners: Integers, count: int) -> Integers:
    """``(count,)``: the mirror of each vertex, from the corners that mirror each other; its own without faces."""
    used = corners >= 0
    mirror = np.arange(count)
    mirror[corners[used]] = corners.reshape(-1)[mirrored[used]]
    return mirror


def _edges(polygon: list[int]) -> Iterator[tuple[int, int]]:
    return zip(polygon, polygon[1:] + polygon[:1])


def _seeds(polygons: list[list[int]], points: NDArray[np.floating]) -> Iterator[tuple[int, int, int]]:
    """Faces (p, q, shift) that are certain to mirror each other."""
    tree = cKDTree(points)
    distance, nearest = tree.query(points * [-1, 1, 1])
    certain = (distance < _NEAR) & (tree.query(points, k=2)[0][:, 1] > _APART)
    known = {frozenset(polygon): p for p, polygon in enumerate(polygons)}
    for p, polygon in enumerate(polygons):
        if certain[polygon].all():
            twin = [int(nearest[vertex]) for vertex in polygon]
            q = known.get(frozenset(twin))
            if q is not None:
                yield p, q, polygons[q].index(twin[0])
