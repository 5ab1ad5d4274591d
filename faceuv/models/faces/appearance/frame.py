"""The canonical frame: where a point of any head lies on the average face, so that regions are written down once.

Canonical coordinates are millimetres in the head frame of the procedural face: between the ears, at the height of the
pupils, +x to the viewer's right, +y up, +z out of the face. A smooth warp takes the 68 landmarks of a head to those of
the average face; what lies beyond them follows almost rigidly.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MM_PER_DM = 100.0
# The landmarks of the average face, those of the viewer's left half and of the midline; the others are their mirrors.
_JAW = [
    (-70.2, -2.4, 19.2), (-69.5, -18.7, 24.6), (-66.6, -36.5, 29.0), (-61.7, -52.9, 31.8), (-56.7, -69.1, 38.8),
    (-46.1, -84.2, 54.1), (-33.6, -96.2, 68.6), (-16.4, -99.6, 91.8), (0.0, -103.6, 94.0),
]  # fmt: skip
_BROW = [(-47.1, 18.5, 80.0), (-39.0, 19.7, 87.3), (-30.4, 19.6, 91.3), (-22.2, 18.3, 94.1), (-14.6, 17.3, 96.1)]
_BRIDGE = [(0.0, 2.7, 97.1), (0.0, -9.3, 101.8), (0.0, -20.9, 109.3), (0.0, -33.6, 117.9)]
_NOSTRILS = [(-10.3, -42.0, 103.5), (-4.9, -43.2, 100.7), (0.0, -43.7, 105.1)]
_EYE = [
    (-46.0, 1.1, 78.1), (-36.0, 6.0, 88.6), (-23.2, 5.5, 87.0), (-15.5, -0.5, 86.9), (-23.4, -3.6, 87.8),
    (-36.3, -4.2, 89.5),
]  # fmt: skip
_EYE_MIRRORED = (3, 2, 1, 0, 5, 4)  # the subject's left eye is numbered from its inner corner
_LIPS_ABOVE = [(-23.9, -63.5, 89.5), (-14.9, -57.8, 98.2), (-5.0, -56.7, 101.9), (0.0, -57.1, 102.0)]
_LIPS_BELOW = [(0.0, -73.7, 100.4), (-7.5, -72.5, 100.9), (-14.9, -71.0, 98.3)]
_INNER_ABOVE = [(-21.7, -63.2, 92.3), (-7.6, -62.7, 103.0), (0.0, -64.1, 102.3)]
_INNER_BELOW = [(0.0, -64.6, 102.3), (-7.6, -63.2, 102.9)]


def canonical_landmarks() -> NDArray[np.float64]:
    """``(68, 3)`` mm, exactly symmetric."""

    def mirrored(points: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
        return [(-x, y, z) for x, y, z in points]

    def across(points: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
        """A row from the left over the midline to the right."""
        return points + mirrored(points[-2::-1])

    lips = across(_LIPS_ABOVE) + mirrored(_LIPS_BELOW[:0:-1]) + _LIPS_BELOW
    inner = across(_INNER_ABOVE) + mirrored(_INNER_BELOW[:0:-1]) + _INNER_BELOW
    right_eye = [mirrored(_EYE)[k] for k in _EYE_MIRRORED]
    brows = _BROW + mirrored(_BROW[::-1])
    return np.array([*across(_JAW), *brows, *_BRIDGE, *across(_NOSTRILS), *_EYE, *right_eye, *lips, *inner])


def canonical(vertices: Tensor, landmarks: Tensor, at: Tensor | None = None) -> Tensor:
    """Canonical coordinates ``(N, 3)`` mm of points of a head.

    Args:
        vertices: ``(V, 3)`` of the head at rest, decimetres.
        landmarks: ``(68,)`` vertex indices in the iBUG order.
        at: the points, ``(N, 3)`` decimetres; the vertices themselves by default.
    """
    mean = vertices.detach().cpu().double().numpy() * MM_PER_DM
    known = mean[landmarks.cpu().numpy()]
    points = mean if at is None else at.detach().cpu().double().numpy() * MM_PER_DM
    wanted = canonical_landmarks()
    scale, turn, shift = similarity(known, wanted)
    near = scale * known @ turn.T + shift
    # Duplicate landmarks (closed lips) would make the warp singular: they are moved as one.
    kept = np.unique(np.round(near, 2), axis=0, return_index=True)[1]
    moved = scale * points @ turn.T + shift
    # The warp ends behind the face: the back of the head keeps its own form.
    reach = np.clip((moved[:, 2:3] + 60.0) / 90.0, 0, 1)
    return torch.from_numpy(
        (moved + reach * _warped(moved, near[kept], (wanted - near)[kept], smoothing=0.05)).astype(np.float32)
    )


def _warped(
    at: NDArray[np.float64], knots: NDArray[np.float64], moves: NDArray[np.float64], smoothing: float
) -> NDArray[np.float64]:
    """``(N, 3)``: the ``moves (K, 3)`` of the knots, carried to ``at (N, 3)`` by linear radial basis functions and a
    constant, as ``scipy.interpolate.RBFInterpolator(…, kernel="linear", degree=0)`` does, without its slow import."""
    count = len(knots)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = smoothing * np.eye(count) - _distances(knots, knots)
    system[-1, -1] = 0
    weights = np.linalg.solve(system, np.concatenate([moves, np.zeros((1, 3))]))
    found: NDArray[np.float64] = weights[-1] - _distances(at, knots) @ weights[:-1]
    return found


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, K)``"""
    squares = sum((a[:, None, k] - b[None, :, k]) ** 2 for k in range(3))
    return np.sqrt(squares)


def similarity(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale, rotation ``(3, 3)`` and shift that take ``source (N, 3)`` nearest to ``target``."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, sizes, vt = np.linalg.svd(b.T @ a)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = u * flip @ vt
    scale = float((sizes * flip).sum() / (a * a).sum())
    return scale, turn, target.mean(0) - scale * turn @ source.mean(0)
