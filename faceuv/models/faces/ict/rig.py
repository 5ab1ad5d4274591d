"""Joints and skin weights: neck and head, and an eye that turns about the middle of its ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceuv.models.faces.ict.folder import Published
from faceuv.models.faces.ict.regions import EYEBALLS, HEAD_AND_NECK, SCLERAS, sphere_centre

Floats = NDArray[np.float64]
JOINTS = ("neck", "head", "eye_left", "eye_right")
PARENTS = (-1, 0, 1, 1)
# Centimetres in the published frame: (height, depth) of the joints on the midline, from the vertices about them.
_HEAD, _HEAD_RING = (-1.5, -1.0), (-4.0, 1.5)
_NECK, _NECK_RING = (-12.0, -3.5), (-13.5, -10.5)
# Lines from the throat to the nape, as (height at depth 0, height per depth): the neck bends between them.
_SKULL, _SHOULDERS = (-8.6, -0.45), (-13.6, -0.35)


def joint_weights(published: Published) -> Floats:
    """``(J, V)`` whose product with the vertices are the joints."""
    points = published.vertices.astype(np.float64)
    head = np.arange(HEAD_AND_NECK.start, HEAD_AND_NECK.stop)
    height = points[head, 1]
    near = {
        "neck": (head[(height > _NECK_RING[0]) & (height < _NECK_RING[1])], np.array([0, *_NECK])),
        "head": (
            head[(height > _HEAD_RING[0]) & (height < _HEAD_RING[1]) & (points[head, 2] < 3)],
            np.array([0, *_HEAD]),
        ),
    }
    for side, ball in SCLERAS.items():
        near[f"eye_{side}"] = (np.arange(ball.start, ball.stop), sphere_centre(points[ball]))
    weights = np.zeros((len(JOINTS), len(points)))
    for row, name in enumerate(JOINTS):
        vertices, place = near[name]
        weights[row, vertices] = _combination(points[vertices], place)
    return weights


def _combination(points: Floats, place: Floats) -> Floats:
    """The weights ``(N,)`` of least square that sum to 1 and bring ``points (N, 3)`` to ``place``."""
    system = np.concatenate([points.T, np.ones((1, len(points)))])
    return np.linalg.lstsq(system, np.append(place, 1), rcond=None)[0]


def skin_weights(published: Published) -> Floats:
    """``(V, J)``: what lies in the head follows it, shoulders stay, the neck bends smoothly in between."""
    points = published.vertices.astype(np.float64)
    height, depth = points[:, 1], points[:, 2]
    top, bottom = (at + slope * depth for at, slope in (_SKULL, _SHOULDERS))
    turned = np.clip((height - bottom) / (top - bottom), 0, 1)
    turned = turned * turned * (3 - 2 * turned)
    turned[HEAD_AND_NECK.stop :] = 1  # mouth, teeth, eyes and what lies about them
    weights = np.zeros((len(points), len(JOINTS)))
    weights[:, 0], weights[:, 1] = 1 - turned, turned
    for side, ball in EYEBALLS.items():
        weights[ball] = np.eye(len(JOINTS))[JOINTS.index(f"eye_{side}")]
    return weights
