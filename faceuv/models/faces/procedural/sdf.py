"""Signed-distance primitives: the clay from which the head is modelled.

A point cloud is a :class:`Points` of three equal arrays (millimetres, head frame), so that every operation runs over
contiguous memory. The smooth minimum and the bound for the distance to an ellipsoid are Inigo Quilez's published
formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Vector = Sequence[float] | NDArray[np.floating]


class Points(NamedTuple):
    """Coordinates of many points, one array per axis."""

    x: Array
    y: Array
    z: Array


def union(a: Array, b: Array, blend: float) -> Array:
    """Smooth minimum (quadratic): both solids, joined by a fillet about ``blend`` mm wide."""
    h = np.maximum(blend - np.abs(a - b), 0.0)
    return np.minimum(a, b) - h * h * (0.25 / blend)


def carve(a: Array, b: Array, blend: float) -> Array:
    """Smooth difference: solid ``a`` without ``b``."""
    return -union(-a, b, blend)


def sphere(p: Points, centre: Vector, radius: float) -> Array:
    """Exact distance to a sphere."""
    x, y, z = p.x - centre[0], p.y - centre[1], p.z - centre[2]
    return np.sqrt(x * x + y * y + z * z) - radius


def ellipsoid(p: Points, centre: Vector, radii: Vector) -> Array:
    """A first-order bound of the distance to an axis-aligned ellipsoid."""
    x, y, z = (p.x - centre[0]) / radii[0], (p.y - centre[1]) / radii[1], (p.z - centre[2]) / radii[2]
    k0 = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / radii[0], y / radii[1], z / radii[2]
    k1 = np.sqrt(x * x + y * y + z * z)
    return k0 * (k0 - 1.0) / np.maximum(k1, 1e-6)


def cone(p: Points, a: Vector, b: Vector, radius_a: float, radius_b: float) -> Array:
    """A round cone: a capsule whose radius runs linearly from ``radius_a`` at ``a`` to ``radius_b`` at ``b``."""
    x, y, z = p.x - a[0], p.y - a[1], p.z - a[2]
    bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    t = np.clip((x * bx + y * by + z * bz) / (bx * bx + by * by + bz * bz), 0.0, 1.0)
    x, y, z = x - t * bx, y - t * by, z - t * bz
    return np.sqrt(x * x + y * y + z * z) - (radius_a + (radius_b - radius_a) * t)


def chain(p: Points, knots: Sequence[Vector], radii: Sequence[float], blend: float | None = None) -> Array:
    """Round cones along a polyline; ``blend`` softens the joints of convex chains."""
    links = [cone(p, a, b, ra, rb) for a, b, ra, rb in zip(knots[:-1], knots[1:], radii[:-1], radii[1:], strict=True)]
    distance = links[0]
    for link in links[1:]:
        distance = np.minimum(distance, link) if blend is None else union(distance, link, blend)
    return distance


def smoothstep(start: float, stop: float, value: Array) -> Array:
    """0 before ``start``, 1 after ``stop`` (which may be the smaller one), a cubic between."""
    t = np.clip((value - start) / (stop - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
