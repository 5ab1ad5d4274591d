"""From measures to vertices: the chart's rays meet the skin, the eyeballs and the mouth's inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faceuv.models.faces.procedural import eye, mouth
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.grid import CURVES, Grid, Rays, rays, reference_x
from faceuv.models.faces.procedural.sdf import Array, Mask, Points, smoothstep
from faceuv.models.faces.procedural.skin import skin

_OUTSIDE = 175.0  # mm from the axis: outside of any head
_SMOOTHING_PASSES = 3


@dataclass(frozen=True)
class Surface:
    """The subject's left half of a head, midline first."""

    positions: Array  # (rows, half, 3) mm
    radius: Array  # (rows, half) distance of the skin along each ray
    slope: Array  # (rows, half) derivative of the skin's distance along each ray, at the skin
    in_eye: Mask  # (rows, half) bool: vertices of the eyeball, E of them
    eye_radius: Array  # (E,) radius and slope for the rays that look into the eye
    eye_slope: Array


def trace(grid: Grid, q: Anatomy) -> Surface:
    """Sphere tracing from outside: the outermost skin along each ray."""
    look = rays(grid, q)
    radius = _march(look, np.full(look.origin.shape, _OUTSIDE), lambda p: skin(p, q), steps=70)
    slope = _slope(lambda r: skin(_points(look, r), q), radius)
    inside = _eye_opening(grid, look)
    ball = _select(look, inside)
    eye_radius = _march(ball, np.full(ball.origin.shape, 110.0), lambda p: eye.eyeball(p, q), steps=40)
    eye_slope = _slope(lambda r: eye.eyeball(_points(ball, r), q), eye_radius)
    return Surface(_assemble(grid, look, radius, eye_radius, inside), radius, slope, inside, eye_radius, eye_slope)


def follow(grid: Grid, q: Anatomy, mean: Surface, *, iterations: int = 3) -> Array:
    """Positions ``(rows, half, 3)`` of a head near the mean, by Newton's method from the mean's radii.

    It stays on the mean's sheet of the surface, so no vertex jumps where one part hides another.
    """
    look = rays(grid, q)
    radius = mean.radius.copy()
    for _ in range(iterations):
        radius -= np.clip(skin(_points(look, radius), q) / mean.slope, -4.0, 4.0)
    ball = _select(look, mean.in_eye)  # the mean's eye vertices stay eye vertices
    eye_radius = mean.eye_radius.copy()
    for _ in range(iterations):
        eye_radius -= np.clip(eye.eyeball(_points(ball, eye_radius), q) / mean.eye_slope, -2.0, 2.0)
    return _assemble(grid, look, radius, eye_radius, mean.in_eye)


def _points(look: Rays, radius: Array) -> Points:
    x, y, z = look.at(radius).astype(np.float32)
    return Points(np.abs(x), y, z)


def _select(look: Rays, where: Mask) -> Rays:
    return Rays(look.origin[where], look.direction[:, where], look.lid_along, look.mouth_along)


def _march(look: Rays, radius: Array, distance: Callable[[Points], Array], steps: int) -> Array:
    """Walk inwards until the distance is spent; rays that have arrived are left alone."""
    radius = radius.copy()
    active = np.ones(radius.shape, bool)
    for _ in range(steps):
        if not active.any():
            break
        rest = _select(look, active)
        gap = distance(_points(rest, radius[active]))
        radius[active] -= 0.85 * gap  # below 1: the ellipsoids' distances are only bounds
        active[active] = np.abs(gap) > 1e-3
    return radius


def _slope(distance: Callable[[Array], Array], radius: Array) -> Array:
    step = 0.5
    slope = (distance(radius + step) - distance(radius - step)) / (2 * step)
    return np.maximum(slope, 0.3)  # grazing rays would make Newton leap


def _eye_opening(grid: Grid, look: Rays) -> Mask:
    """The vertices strictly between the lid margins (rows, half)."""
    rows = np.arange(grid.rows)[:, None]
    between = (rows > grid.row("upper_lid")) & (rows < grid.row("lower_lid"))
    return between & (np.abs(look.lid_along) < 1.02)


def _assemble(grid: Grid, look: Rays, radius: Array, eye_radius: Array, inside: Mask) -> Array:
    """Skin with the eyeballs set in, smoothed, with the pocket of the mouth pushed in."""
    radius = radius.copy()
    lid = radius[inside]
    ball = np.clip(np.where(np.isfinite(eye_radius), eye_radius, lid), lid - 3.2, lid - 0.10)  # a ray may miss the ball
    along = np.broadcast_to(look.lid_along, radius.shape)[inside]
    entry = smoothstep(1.0, 0.78, np.abs(along))  # the ball must not pierce the lids at the corners
    radius[inside] = lid - 0.35 + entry * (ball - lid + 0.35)
    positions = np.moveaxis(look.at(radius), 0, -1)
    positions = _smooth(positions, _smoothing_mask(grid, look))
    return _push_pocket(grid, look, positions)


def _smoothing_mask(grid: Grid, look: Rays) -> Array:
    """(rows, half, 1): 1 where the skin may be smoothed; lids and lips keep their edges, the nose most of its form."""
    v = grid.v[:, None]

    def beyond(first: str, last: str, width: float) -> Array:
        return np.clip(np.maximum(CURVES[first] - v, v - CURVES[last]) / width, 0, 1)

    x = reference_x(grid.u_half)
    mask = np.maximum(beyond("upper_lid", "lower_lid", 0.02), np.clip((np.abs(look.lid_along) - 1.05) / 0.3, 0, 1))
    lips = beyond("upper_lip_edge", "lower_lip_edge", 0.015)
    mask = np.minimum(mask, np.maximum(lips, np.clip((look.mouth_along - 1) / 0.3, 0, 1)))
    nose = np.maximum(beyond("mid_nose", "nose_base", 0.03), np.maximum(0.25, np.clip((x - 20) / 8, 0, 1)))
    mask = np.minimum(mask, nose)
    mask[[0, -1]] = 0
    mask[:, -1] = 0
    return mask[..., None]


def _smooth(positions: Array, mask: Array) -> Array:
    """Binomial passes on positions, not on radii: the rows are unevenly spaced."""
    flip = np.array([-1.0, 1.0, 1.0])
    for _ in range(_SMOOTHING_PASSES):
        wide = np.concatenate([positions[:, 1:2] * flip, positions, positions[:, -1:]], axis=1)
        soft = 0.25 * wide[:, :-2] + 0.5 * wide[:, 1:-1] + 0.25 * wide[:, 2:]
        tall = np.concatenate([soft[:1], soft, soft[-1:]], axis=0)
        soft = 0.25 * tall[:-2] + 0.5 * tall[1:-1] + 0.25 * tall[2:]
        positions = positions + mask * (soft - positions)
        positions[:, 0, 0] = 0
    return positions


def pocket_parameter(grid: Grid) -> Array:
    """(rows,): 0 down to the upper lip's inner edge, 1 from the lower lip's, between them through the mouth."""
    first, last = CURVES["upper_lip_edge"], CURVES["lower_lip_edge"]
    return np.clip((grid.v - first) / (last - first), 0, 1)


def _push_pocket(grid: Grid, look: Rays, positions: Array) -> Array:
    up, back = mouth.pocket(pocket_parameter(grid)[:, None])
    width = smoothstep(1.0, 0.86, look.mouth_along)
    positions[..., 1] += up * width
    positions[..., 2] -= back * width * (1 - 0.4 * np.clip(look.mouth_along, 0, 1) ** 2)
    return positions
