"""What the files leave out, found from the mean surface: frame, winding, and the left-right correspondence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from faceuv.models.faces.bfm2009.matfile import Array
from faceuv.models.faces.bfm2009.sources import Source

_HEIGHT = (1.0, 4.0)  # decimetres, from the lowest to the highest vertex of the crop
_RIGHT_EYE, _LEFT_EYE, _BROWS, _CHIN = slice(36, 42), slice(42, 48), slice(17, 27), slice(6, 11)  # the subject's sides
_NOSE_TIP, _JAW_ENDS = 30, (0, 16)
_MIDLINE = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def check_frame(path: Path, mean: Array, landmarks: Array, source: Source) -> None:
    """Check unit and axes of ``mean (V, 3)`` by its 68 landmarks: decimetres, x to the viewer's right, y up, z out."""
    height = float(np.ptp(mean[:, 1]))
    if not _HEIGHT[0] <= height <= _HEIGHT[1]:
        raise source.error(
            path,
            f"the mean face is {height:.4g} decimetres tall, expected {_HEIGHT[0]:g} … {_HEIGHT[1]:g};"
            " the file is in another unit",
        )
    x, y, z = mean[landmarks].T
    wrong = [
        what
        for what, holds in (
            ("the subject's right eye is not on the viewer's left", x[_RIGHT_EYE].max() < x[_LEFT_EYE].min()),
            ("the chin is not below the brows", y[_CHIN].max() < y[_BROWS].min()),
            ("the nose is not in front of the ends of the jaw", z[_NOSE_TIP] > z[list(_JAW_ENDS)].max()),
        )
        if not holds
    ]
    if wrong:
        raise source.error(
            path,
            f"its landmarks do not lie as on a face ({'; '.join(wrong)}); expected vertices x, y, z with +y up and"
            " +z out of the face, and index files that belong to it",
        )


def is_inside_out(mean: Array, faces: Array) -> bool:
    """Whether the faces of a frontal surface wind clockwise as seen from +z.

    The area projected on the xy plane is that within the outline, whatever the relief in between.
    """
    a, b, c = (mean[faces[:, k]] for k in range(3))
    projected = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return bool(projected.sum() < 0)


def mirror_map(points: Array, landmarks: Array) -> Array:
    """For each of ``points (V, 3)``, the point on the other side of the face's mid-plane ``(V,)``; int64.

    Partners choose each other wherever they can (the map is then its own inverse); a point without a free partner
    nearby gets its nearest neighbour.
    """
    centre = float(np.median(points[landmarks[_MIDLINE], 0]))
    for _ in range(3):  # landmarks are vertices, so about right: the pairs say where the mid-plane is
        reflected = points * [-1, 1, 1] + [2 * centre, 0, 0]
        distance, nearest = cKDTree(points).query(reflected)
        centre = float(np.median(points[:, 0] + points[nearest, 0])) / 2
    reach = 2 * np.median(cKDTree(points).query(points, k=2)[0][:, 1])
    mirror = nearest.astype(np.int64)
    free = np.arange(len(points))
    while len(free):  # a round settles the mutual pairs; the next looks among those left over
        distance, nearest = cKDTree(points[free]).query(reflected[free])
        mutual = (nearest[nearest] == np.arange(len(free))) & (distance <= reach)
        if not mutual.any():
            break
        mirror[free[mutual]] = free[nearest[mutual]]
        free = free[~mutual]
    return mirror
