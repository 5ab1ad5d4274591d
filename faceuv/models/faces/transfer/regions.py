"""Face, ears, scalp and neck of a skin, by its landmarks: for figures of the error."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.transfer.skin import Array, Indices, Skin

REGIONS = ("face", "ears", "scalp", "neck")


def regions(skin: Skin) -> Indices:
    """Index into :data:`REGIONS` of every vertex ``(N,)``; up is +y, forward +z, as in every face model."""
    points: Array = skin.vertices
    marks = points[skin.landmarks]
    brow, base, chin = marks[17:27, 1].max(), marks[33, 1], marks[8, 1]
    tall = brow - chin
    temple = marks[[0, 16]]
    half, behind = np.abs(temple[0, 0] - temple[1, 0]) / 2, temple[:, 2].mean()
    x = np.abs(points[:, 0] - marks[27, 0])
    _, y, z = points.T
    front = (z > behind) & (y > chin) & (y < brow + 0.4 * tall)
    ears = (x > 0.88 * half) & (z <= behind + 0.02) & (z > behind - 0.45 * tall) & (y < brow + 0.1 * tall)
    ears &= y > base - 0.15 * tall
    found = np.full(len(points), REGIONS.index("scalp"))
    found[y < np.where(z > behind, chin, base - 0.15 * tall)] = REGIONS.index("neck")
    found[front] = REGIONS.index("face")
    found[ears] = REGIONS.index("ears")
    return found
