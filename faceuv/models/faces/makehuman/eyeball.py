"""Eyeballs: a sphere of our own rings where MakeHuman has a coarse helper; its points are linear in the helper's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
SEGMENTS = 32
# Angles from the optical axis, degrees: pupil, iris, limbus, white, back. Rings are exact circles.
PUPIL_DEG, IRIS_DEG = 7.6, 23.0
_ANGLES = (
    3.8,
    PUPIL_DEG,
    11.0,
    15.0,
    18.5,
    21.5,
    IRIS_DEG,
    26.0,
    33.0,
    40.0,
    49.0,
    60.0,
    74.0,
    90.0,
    108.0,
    128.0,
    152.0,
)
# Angle → radius in the disc of the chart: what is seen between the lids has most of it.
_REACH_DEG, _REACH = (0.0, IRIS_DEG, 60.0, 152.0), (0.0, 0.52, 0.90, 1.0)


@dataclass(frozen=True)
class Ball:
    """A unit sphere that looks along +z, open far behind."""

    points: Array  # (N, 3)
    polygons: Array  # (P, 4), -1 as fourth corner of a triangle; counter-clockwise from outside
    uv: Array  # (N, 2) in the disc of radius 0.5 about (0.5, 0.5), v up; the iris has the inner 52 %
    iris: Array  # (P,) bool: iris and pupil


def ball() -> Ball:
    angles = np.radians(_ANGLES)
    turn = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    rings = [np.c_[np.sin(a) * ring, np.full(SEGMENTS, np.cos(a))] for a in angles]
    points = np.concatenate([[[0.0, 0.0, 1.0]], *rings])
    index = 1 + np.arange(len(angles) * SEGMENTS).reshape(len(angles), SEGMENTS)
    following = np.roll(index, -1, axis=1)
    none = np.full(SEGMENTS, -1)
    cap = np.stack([np.zeros(SEGMENTS, np.int64), index[0], following[0], none], 1)
    bands = np.stack([index[:-1], index[1:], following[1:], following[:-1]], 2).reshape(-1, 4)
    polygons = np.concatenate([cap, bands])
    reach = np.interp(np.degrees(angles), _REACH_DEG, _REACH)
    disc = np.concatenate([[[0.0, 0.0]], *[r * ring for r in reach]])
    inside = int(np.searchsorted(_ANGLES, IRIS_DEG)) + 1
    iris = np.zeros(len(polygons), bool)
    iris[: inside * SEGMENTS] = True
    return Ball(points, polygons, 0.5 + 0.5 * disc, iris)


def fitted_sphere(points: Array) -> tuple[Array, float]:
    """Centre and radius of the sphere through ``points (N, 3)``, least squares."""
    left = np.c_[2 * points, np.ones(len(points))]
    solved = np.linalg.lstsq(left, (points**2).sum(1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))


def affine_weights(points: Array, wanted: Array, prior: Array | None = None) -> Array:
    """``(W, N)``: rows that sum to 1 and give ``wanted (W, 3)`` from ``points (N, 3)``, the nearest to ``prior``.

    What moves, turns or scales the points does the same to the wanted ones.
    """
    prior = np.full((len(wanted), len(points)), 1 / len(points)) if prior is None else prior
    rows = np.c_[points, np.ones(len(points))].T  # (4, N)
    missing = np.c_[wanted, np.ones(len(wanted))] - prior @ rows.T
    return prior + missing @ np.linalg.pinv(rows).T
