"""The nose: root, bridge, side walls, tip, wings and nostrils."""

from __future__ import annotations

from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, Points, carve, chain, cone, ellipsoid, sphere, union


def nose(d: Array, p: Points, q: Anatomy) -> Array:
    drop = -q.nose_length  # a longer nose carries everything below the root down
    d = union(d, _bridge(p, q, drop), 11)
    wall = cone(
        p,
        (4.5, -1, 82),
        (6.8 + 0.5 * q.alar_width, -31 + drop, 93.5 + 0.4 * q.tip_depth),
        4.4 + 0.5 * q.bridge_width,
        5.6,
    )
    d = union(d, wall, 11)
    d = union(d, union(_tip(p, q, drop), _wing(p, q, drop), 5.5), 5.5)
    return carve(d, _nostril(p, q, drop), 2.2)


def _tip_centre(q: Anatomy, drop: float) -> tuple[float, float]:
    return -34.0 + drop + q.tip_height, 109.5 + q.tip_depth


def _bridge(p: Points, q: Anatomy, drop: float) -> Array:
    y, z = _tip_centre(q, drop)
    spine = [
        (0, 14, 83.5 + q.nasion_depth),
        (0, 4, 86 + q.nasion_depth),
        (0, -13 + 0.4 * drop, 96.2 + q.bridge_hump + 0.4 * q.tip_depth),
        (0, y + 4, z - 1.8),
    ]
    radii = [8 + q.nasion_width, 6.2 + q.nasion_width, 6.7 + q.bridge_width, 7.2 + 0.6 * q.tip_size]
    return chain(p, spine, radii, 3)


def _tip(p: Points, q: Anatomy, drop: float) -> Array:
    y, z = _tip_centre(q, drop)
    tip = sphere(p, (0, y, z), 8.6 + q.tip_size)
    tip = union(tip, sphere(p, (4.0, y + 1.0, z - 1.5), 6.2 + 0.6 * q.tip_size), 4)
    columella = cone(p, (0, y - 5.5, z - 3), (0, -42.5 + drop, 100), 3.8, 4.4)
    return union(tip, columella, 4)


def _wing(p: Points, q: Anatomy, drop: float) -> Array:
    centre = (11.3 + q.alar_width, -37.4 + drop + 0.3 * q.tip_height, 99.0 + 0.3 * q.tip_depth)
    return ellipsoid(p, centre, (5.6 + q.alar_size, 6.4 + 0.6 * q.alar_size, 9.2))


def _nostril(p: Points, q: Anatomy, drop: float) -> Array:
    centre = (6.3 + 0.55 * q.alar_width, -43.6 + drop + 0.5 * q.tip_height, 104.5 + 0.6 * q.tip_depth)
    return ellipsoid(p, centre, (3.2 + 0.3 * q.alar_size, 4.0, 5.2))
