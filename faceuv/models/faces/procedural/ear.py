"""The ear, as a relief that rays from the axis of the ears can see: a leaning shell with rim, bowl, tragus and lobe."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, Points, carve, chain, ellipsoid, sphere, union

_CENTRE = (73.0, -9.0, -6.0)
_FLARE = 24.0  # degrees by which the rim stands off the head
_LEAN = 14.0  # degrees by which the top leans back


def ear(d: Array, p: Points, q: Anatomy) -> Array:
    """Add the ear; in its own frame x points out, y up along it and z forward."""
    local = _local(p, float(np.deg2rad(_FLARE + 1.5 * q.ear_flare)))
    big = 1 + 0.02 * q.ear_size
    d = union(d, ellipsoid(local, (-6, 1, -9), (9, 26 * big, 14)), 5)  # behind it: the chart cannot see under a rim
    d = union(d, ellipsoid(local, (0, 0, 0), (4.2, 28 * big, 15 * big)), 6)
    rim = [(1, 6, 11), (2.5, 20, 11), (3, 28, 3), (3, 25, -8), (2.5, 12, -14), (2, -4, -13.5), (1.5, -17, -8)]
    d = union(d, chain(local, [_scaled(k, big) for k in rim], [2.2, 3.2, 3.6, 3.6, 3.4, 3.0, 3.0], 2), 2.5)
    d = union(d, ellipsoid(local, _scaled((1.5, -24, -1), big), (4.0, 8.5, 7.5)), 4)  # lobe
    d = carve(d, ellipsoid(local, _scaled((6.0, -3, 0), big), (5.5, 12, 7.5)), 5)  # bowl
    d = carve(d, chain(local, [_scaled(k, big) for k in [(6, 14, 5), (6, 19, -2), (6, 10, -8)]], [2.2, 2.6, 2.0]), 3)
    return union(d, sphere(local, _scaled((1.0, -3, 11.5), big), 4.0), 3)  # tragus


def _scaled(point: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    return (point[0], point[1] * by, point[2] * by)


def _local(p: Points, flare: float) -> Points:
    x, y, z = p.x - _CENTRE[0], p.y - _CENTRE[1], p.z - _CENTRE[2]
    out, forward = np.cos(flare) * x + np.sin(flare) * z, np.cos(flare) * z - np.sin(flare) * x
    lean = np.deg2rad(_LEAN)
    return Points(out, np.cos(lean) * y - np.sin(lean) * forward, np.cos(lean) * forward + np.sin(lean) * y)
