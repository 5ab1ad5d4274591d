"""How lids move: they roll over the eyeball, they do not slide through it."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.procedural import eye
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.grid import CURVES
from faceuv.models.faces.procedural.sdf import Array, smoothstep
from faceuv.models.faces.procedural.template import Template

_OVERLAP = 0.9  # mm by which a shut upper lid passes the lower one, so that other people's eyes shut too
_CLEARANCE = 2.1  # mm of a shut lid above the ball: half-way there the chord of the movement still clears the cornea
_RETREAT = 1.2  # mm by which the ball yields to the shut lid, for the same reason


def shut(template: Template) -> Array:
    """``(V, 3)`` mm that close both eyes completely."""
    grid = template.grid
    rest = template.positions.reshape(grid.rows, grid.columns, 3)
    lower = rest[grid.row("lower_lid")]
    along = template.lid_along.reshape(grid.rows, grid.columns)[0]
    target = lower + smoothstep(1.05, 0.95, np.abs(along))[:, None] * np.array([0.0, -_OVERLAP, 0.7])
    move = _roll_upper(template, target, _CLEARANCE)
    ball = template.in_eye * smoothstep(1.0, 0.85, np.abs(template.lid_along))
    move[:, 2] -= _RETREAT * ball
    return move


def widen(template: Template) -> Array:
    """``(V, 3)`` mm that raise both upper lids by about a fifth of the opening."""
    grid = template.grid
    rest = template.positions.reshape(grid.rows, grid.columns, 3)
    upper, lower = rest[grid.row("upper_lid")], rest[grid.row("lower_lid")]
    target = upper + 0.22 * (upper - lower) * np.array([0.0, 1.0, 0.0])
    return _roll_upper(template, target, eye.LID_THICKNESS)


def squint(template: Template) -> Array:
    """``(V, 3)`` mm that raise both lower lids by about a third of the opening."""
    grid = template.grid
    rest = template.positions.reshape(grid.rows, grid.columns, 3)
    upper, lower = rest[grid.row("upper_lid")], rest[grid.row("lower_lid")]
    share = smoothstep(CURVES["lower_lid"] + 0.06, CURVES["lower_lid"], template.v)
    share = share * (template.v >= CURVES["lower_lid"] - 1e-9)
    return _roll(template, lower, lower + 0.33 * (upper - lower) * np.array([0, 1.0, 0]), share, eye.LID_THICKNESS)


def _roll_upper(template: Template, target: Array, clearance: float) -> Array:
    grid = template.grid
    margin = template.positions.reshape(grid.rows, grid.columns, 3)[grid.row("upper_lid")]
    first, last = CURVES["crease"] - 0.012, CURVES["upper_lid"]
    share = np.clip((template.v - first) / (last - first), 0, 1) ** 1.2
    # below the margin the ball stays, but beyond the corners of the eye there is skin: it is squeezed evenly
    squeezed = np.clip((CURVES["lower_lid"] - template.v) / (CURVES["lower_lid"] - last), 0, 1)
    squeezed = squeezed * smoothstep(0.97, 1.06, np.abs(template.lid_along))
    share = np.where(template.v <= last + 1e-9, share, squeezed)
    return _roll(template, margin, target, share, clearance)


def _roll(template: Template, margin: Array, target: Array, share: Array, clearance: float) -> Array:
    """Carry the lid's vertices by ``share`` (V,) of the way from ``margin`` (columns, 3) to ``target`` (columns, 3),
    over a dome ``clearance`` mm above the ball."""
    share = share * smoothstep(1.4, 1.0, np.abs(template.lid_along))
    move = share[:, None] * np.tile(target - margin, (template.grid.rows, 1))
    cx, cy, cz = eye.centre(Anatomy())
    x, y, z = (template.positions + move).T
    squared = (eye.BALL_RADIUS + clearance) ** 2 - (np.abs(x) - cx) ** 2 - (y - cy) ** 2
    lift = np.maximum(cz + np.sqrt(np.maximum(squared, 0)) - z, 0) * (squared > 0)
    lift = lift * smoothstep(1.12, 0.8, np.abs(template.lid_along)) * np.clip(5 * share, 0, 1)
    move[:, 2] += lift
    return move
