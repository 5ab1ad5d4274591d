"""One vertex per corner of the texture: published vertices, split at its seams, and polygons cut into triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceuv.models.faces.ict.folder import Floats, Published

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """S vertices for the V published ones.

    source   ``(S,)`` the published vertex of each
    first    ``(V,)`` the lowest copy of each published vertex
    corners  ``(P, 4)`` the polygons, −1 where a triangle has no fourth corner
    uv       ``(S, 2)`` in the atlas
    """

    source: Integers
    first: Integers
    corners: Integers
    uv: Floats

    @classmethod
    def of(cls, published: Published, placed: Floats) -> Split:
        """For the corners' coordinates ``placed (P, 4, 2)`` in the atlas."""
        used = published.corners[..., 0] >= 0
        pairs, index = np.unique(published.corners[used], axis=0, return_inverse=True)
        index = index.reshape(-1)
        corners = np.full(used.shape, -1, np.int64)
        corners[used] = index
        uv = np.empty((len(pairs), 2), np.float32)
        uv[index] = placed[used]
        source = pairs[:, 0]  # ascending, so that the first copy is the lowest
        first = np.searchsorted(source, np.arange(len(published.vertices)))
        return cls(source, first, corners, uv)


def triangles(corners: Integers, points: NDArray[np.floating]) -> tuple[Integers, Integers]:
    """Faces ``(F, 3)``, counter-clockwise as the polygons ``(P, 4)``, and the polygon of each ``(F,)``.

    Quads are cut along the shorter diagonal of ``points (S, 3)``, so that both sides of a face are cut alike.
    """
    a, b, c, d = corners.T
    quad = d >= 0

    def length(one: Integers, other: Integers) -> NDArray[np.floating]:
        return np.linalg.norm(points[one] - points[other], axis=1)

    along = ~quad | (length(a, c) <= length(b, d) * (1 + 1e-4))
    one = np.where(along[:, None], corners[:, :3], corners[:, [0, 1, 3]])
    two = np.where(along[:, None], corners[:, [0, 2, 3]], corners[:, [1, 2, 3]])
    polygon = np.arange(len(corners))
    faces = np.stack([one, two], 1)
    keep = np.stack([np.ones(len(corners), bool), quad], 1)
    return faces[keep], np.repeat(polygon, keep.sum(1))
