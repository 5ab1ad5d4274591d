"""Slits between lids and between lips: how high they are, and the field that closes them.

A slit lies between two rows of vertices, the upper and the lower rim. Its height is a linear function of the vertices,
so that a mode of shape can be changed by the field that takes its height away: the rims by all of it, the skin about
them by less and less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SAMPLES = 24
"""Places along a slit."""


@dataclass(frozen=True)
class Slit:
    """An opening from corner to corner, at S places in between.

    upper, lower      ``(N,)`` vertices of the rims, by x
    at                ``(S,)`` the places, x, in the unit of the vertices
    above, below      ``(V,)`` how much the field moves each vertex, as part of the upper or of the lower side
    taper             how soon it fades toward the corners: a power of the sine that is 1 in the middle
    """

    upper: Integers
    lower: Integers
    at: Floats
    above: Floats
    below: Floats
    taper: float

    def height(self, rest: Floats, moved: Floats) -> Floats:
        """``(…, S)``: the height of the slit in fields ``moved (…, V, 3)``; ``rest (V, 3)`` says where its rims lie."""
        up, low = (self._rows(rest, rim) for rim in (self.upper, self.lower))
        return moved[..., self.upper, 1] @ up - moved[..., self.lower, 1] @ low

    def _rows(self, rest: Floats, rim: Integers) -> Floats:
        """``(N, S)``: the weights that interpolate a rim at the places."""
        return np.stack([np.interp(self.at, rest[rim, 0], one) for one in np.eye(len(rim))])

    def spread(self, rest: Floats) -> Floats:
        """``(V, S)``: the height taken away at each place → how far it moves each vertex up; less at the corners."""
        edge = np.sin(np.pi * (np.arange(len(self.at)) + 0.5) / len(self.at)) ** self.taper
        place = np.stack([np.interp(rest[:, 0], self.at, one) for one in np.eye(len(self.at))], 1)
        return (self.below - self.above)[:, None] * place * edge


def sealed(slit: Slit, rest: Floats, field: Floats, overlap: float) -> Floats:
    """``field (…, V, 3)`` after the slit's height in it has become ``-overlap``."""
    change = np.zeros_like(field)
    change[..., 1] = (slit.height(rest, field) + overlap) @ slit.spread(rest).T
    return field + change


def fading(points: Floats, rim: Integers, reach: tuple[float, float]) -> Floats:
    """``(V,)``: 1 for ``points (V, 3)`` nearer to the rim than the first distance, 0 beyond the second."""
    from scipy.spatial import cKDTree

    distance = cKDTree(points[rim]).query(points)[0]
    t = np.clip((reach[1] - distance) / (reach[1] - reach[0]), 0, 1)
    return t * t * (3 - 2 * t)


def rings(polygons: Integers, start: Integers, count: int, vertices: int) -> Integers:
    """``(V,)``: the number of edges of ``polygons (P, K)`` to the nearest of ``start``, up to ``count``; −1 beyond."""
    corners = polygons.shape[1]
    ends = np.concatenate([polygons[:, [k, (k + 1) % corners]] for k in range(corners)])
    ends = np.concatenate([ends, ends[:, ::-1]])
    found = np.full(vertices, -1)
    found[start] = 0
    for ring in range(1, count + 1):
        new = ends[found[ends[:, 0]] == ring - 1, 1]
        found[new[found[new] < 0]] = ring
    return found
