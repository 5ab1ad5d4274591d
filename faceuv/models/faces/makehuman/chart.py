"""One atlas of MakeHuman's texture islands: the head upright, its features enlarged, everything else in a strip."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

# Piece → its rectangle (left, top, right, bottom) in the atlas, v down. Gaps are 1 % of the side.
SLOTS: dict[str, tuple[float, float, float, float]] = {
    "head": (0.005, 0.005, 0.995, 0.70),
    "shoulders": (0.005, 0.71, 0.395, 0.995),
    "mouth": (0.405, 0.71, 0.555, 0.85),
    "socket_left": (0.405, 0.86, 0.475, 0.995),
    "socket_right": (0.485, 0.86, 0.555, 0.995),
    "eye_left": (0.565, 0.71, 0.705, 0.85),
    "eye_right": (0.715, 0.71, 0.855, 0.85),
    "tongue": (0.565, 0.86, 0.635, 0.995),
    "teeth_upper": (0.645, 0.86, 0.855, 0.922),
    "teeth_lower": (0.645, 0.932, 0.855, 0.995),
    "lashes_upper_left": (0.865, 0.71, 0.995, 0.773),
    "lashes_upper_right": (0.865, 0.783, 0.995, 0.846),
    "lashes_lower_left": (0.865, 0.856, 0.995, 0.919),
    "lashes_lower_right": (0.865, 0.929, 0.995, 0.995),
}
CAP_PLACE = (0.93, 0.962, 0.028)
"""u, v and radius of the cap under the neck: where the lower lashes lie, which have no texture."""
_BINS = 96
_EVEN = 0.15  # of the stretch that does not look at the surface
_BLUR = 3.0  # bins


def upright(uv: Array, x: Array, y: Array) -> Array:
    """``uv (N, 2)`` turned by quarters so that u runs with ``x`` and v (down) against ``y``, scaled to [0, 1]²."""
    along_x = [abs(np.corrcoef(uv[:, k], x)[0, 1]) for k in (0, 1)]
    along_y = [abs(np.corrcoef(uv[:, k], y)[0, 1]) for k in (0, 1)]
    u_axis = 0 if along_x[0] * along_y[1] >= along_x[1] * along_y[0] else 1
    u, v = uv[:, u_axis].copy(), uv[:, 1 - u_axis].copy()
    if np.corrcoef(u, x)[0, 1] < 0:
        u = -u
    if np.corrcoef(v, y)[0, 1] > 0:
        v = -v
    both = np.stack([u, v], 1)
    return (both - both.min(0)) / (both.max(0) - both.min(0))


def evened(uv: Array, triangles: Array, weight: Array) -> Array:
    """``uv`` in [0, 1]², each axis stretched until equal steps show equal ``weight`` (of triangles: area times worth).

    A monotone stretch of each axis keeps the chart free of overlaps.
    """
    stretched = np.empty_like(uv)
    edges = np.linspace(0, 1, _BINS + 1)
    kernel = np.exp(-0.5 * (np.arange(-3 * _BLUR, 3 * _BLUR + 1) / _BLUR) ** 2)
    for axis in (0, 1):
        corners = uv[triangles, axis]
        share = np.zeros(_BINS)
        for k in range(5):  # five places inside each triangle
            at = (
                corners @ np.roll([0.6, 0.2, 0.2], k)
                if k < 3
                else corners @ [[0.34, 0.33, 0.33], [0.5, 0.5, 0.0]][k - 3]
            )
            share += np.histogram(at, edges, weights=weight)[0]
        padded = np.pad(share, len(kernel) // 2, mode="edge")
        share = np.convolve(padded, kernel / kernel.sum(), mode="valid")
        if axis == 0:
            share = (share + share[::-1]) / 2  # the two halves of a face get the same
        share = (1 - _EVEN) * share / share.sum() + _EVEN / _BINS
        stretched[:, axis] = np.interp(uv[:, axis], edges, np.r_[0.0, np.cumsum(share)])
    return stretched


def placed(uv: Array, piece: str) -> Array:
    """``uv`` in [0, 1]², v down, in the rectangle of a piece."""
    left, top, right, bottom = SLOTS[piece]
    return np.array([left, top]) + uv * np.array([right - left, bottom - top])
