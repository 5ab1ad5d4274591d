"""UV coordinates for the crop: read from a file, or unwrapped by formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceuv.models.faces.bfm2009.layouts import read_indices
from faceuv.models.faces.bfm2009.matfile import Array, Field, list_keys, read_field
from faceuv.models.faces.bfm2009.sources import UV, BFMSizes

UV_KEYS = ("UV_refine", "UV")  # where a file has both, the first wins: it is the one fitted to the crop
CYLINDRICAL = "cylindrical"
_BROWS, _CHIN = slice(17, 27), slice(6, 11)
_MARGIN = 0.02  # of the chart, so that filtering at its border stays inside the map


def read_uv(path: Path, indices: Path, landmarks: Array, sizes: BFMSizes) -> Array:
    """``(V, 2)`` in our convention (v down) from a file with v up.

    The file may hold a row per vertex of the crop, of the expression basis or of the full head; for the latter two the
    crop is picked with the index files in the folder ``indices``.
    """
    found = list_keys(path, UV)
    key = next((key for key in UV_KEYS if key in found), None)
    if key is None:
        raise UV.error(path, f"it holds neither of the keys {' and '.join(UV_KEYS)}")
    rows = found[key].shape[0] if found[key].shape else 0
    counts = (sizes.vertices, sizes.expression_vertices, sizes.full_vertices)
    if rows not in counts:
        raise UV.error(
            path,
            f"the key {key!r} must have a row (u, v) for each of the {counts[0]} vertices of the crop (or the"
            f" {counts[1]} of the expression basis, or the {counts[2]} of the full head), got shape {found[key].shape}",
        )
    uv = read_field(path, Field(key, (rows, 2)), found[key], UV).astype(np.float64)
    if uv.min() < -1e-6 or uv.max() > 1 + 1e-6:
        raise UV.error(
            path,
            f"the key {key!r} must lie in 0 … 1, got {uv.min():.4g} … {uv.max():.4g}; divide pixels by the map's size",
        )
    if rows != sizes.vertices:
        crop = read_indices(indices, sizes)
        uv = uv[crop.in_full if rows == sizes.full_vertices else crop.in_expression]
    marks = uv[landmarks]
    if not marks[_CHIN, 1].max() < marks[_BROWS, 1].min():
        raise UV.error(
            path,
            f"its chin does not lie below its brows: expected v up and rows in the order of the vertices, got v ="
            f" {marks[8, 1]:.3g} at the chin and {marks[_BROWS, 1].mean():.3g} at the brows",
        )
    return np.stack([uv[:, 0], 1 - uv[:, 1]], 1).clip(0, 1)


def cylindrical_uv(mean: Array) -> Array:
    """``(V, 2)`` from the mean ``(V, 3)``: the angle about an upright axis at the back of the crop, and the height.

    One chart without seams, but surfaces that lie behind one another as seen from the axis (under the chin, in the
    nostrils, at the lips) share texels.
    """
    depth = mean[:, 2] - mean[:, 2].min()
    angle = np.arctan2(mean[:, 0], depth)
    u = 0.5 + angle / (2 * np.abs(angle).max())
    v = (mean[:, 1].max() - mean[:, 1]) / np.ptp(mean[:, 1])
    return _MARGIN + (1 - 2 * _MARGIN) * np.stack([u, v], 1)


def folded_faces(uv: Array, faces: Array) -> int:
    """How many faces, counter-clockwise from outside, turn over in the chart ``uv (V, 2)`` (v down)."""
    a, b, c = (uv[faces[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return int((area >= 0).sum())  # v down turns counter-clockwise into negative areas
