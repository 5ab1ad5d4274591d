"""The eye: ball, orbit, lids and their margins."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, Points, carve, chain, ellipsoid, sphere, union

BALL_RADIUS = 12.2
LID_THICKNESS = 1.35
HALF_WIDTH = 14.6  # canthus to canthus is twice this


def centre(q: Anatomy) -> tuple[float, float, float]:
    """Centre of the subject's left eyeball (x > 0)."""
    return (31.5 + q.eye_distance, q.eye_height, 77.5 - q.eye_depth)


def _from(origin: tuple[float, float, float], *offset: float) -> tuple[float, float, float]:
    return (origin[0] + offset[0], origin[1] + offset[1], origin[2] + offset[2])


def margins(x: Array, q: Anatomy) -> tuple[Array, Array, Array]:
    """Heights of the upper and the lower lid margin at distance ``x`` from the midline, and the position along the
    opening: −1 at the inner canthus, +1 at the outer one."""
    cx, cy, _ = centre(q)
    along = (x - cx) / (HALF_WIDTH + q.eye_width)
    s = np.clip(along, -1, 1)
    tilt = (0.9 + q.eye_tilt) * s
    # the upper margin is highest a little medially, the lower one lowest a little laterally
    upper = (6.5 + 0.75 * q.eye_opening) * np.maximum(1 - np.abs(s + 0.10 * (1 - s * s)) ** 2.3, 0)
    lower = (4.5 + 0.25 * q.eye_opening) * np.maximum(1 - np.abs(s - 0.16 * (1 - s * s)) ** 2.1, 0)
    return cy + tilt + upper, cy + tilt - lower, along


def orbit(d: Array, p: Points, q: Anatomy) -> Array:
    """The hollow in which the eye lies."""
    return carve(d, ellipsoid(p, _from(centre(q), -2.0, -1.5, 23.5), (19.5 + 0.5 * q.eye_width, 13.5, 17.0)), 13)


def lids(d: Array, p: Points, q: Anatomy) -> Array:
    """Skin over the ball, and the crease above it."""
    ball = centre(q)
    d = union(d, sphere(p, ball, BALL_RADIUS + LID_THICKNESS), 3.6)
    crease = [
        _from(ball, -12, 4.5, 12.2),
        _from(ball, -5, 8.6 - 0.4 * q.eye_opening, 14.0),
        _from(ball, 5, 8.4, 13.8),
        _from(ball, 14.5, 4.2, 9.8),
    ]
    return carve(d, chain(p, crease, [1.0, 1.3, 1.3, 1.0]) - 0.5 - q.lid_crease, 2.6)


def eyeball(p: Points, q: Anatomy) -> Array:
    """Sclera with the bulge of the cornea."""
    ball = centre(q)
    return union(sphere(p, ball, BALL_RADIUS), sphere(p, _from(ball, 0, 0, 5.2), 7.7), 1.2)
