"""Lips that touch at rest and lids that shut: the published shapes leave slits."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.ict.folder import Published
from faceuv.models.faces.ict.regions import FACE
from faceuv.models.faces.slits import SAMPLES, Slit, fading, rings

# Polygons of the face, and of the sockets behind its openings.
_FACE = slice(0, 9230)
_SOCKETS = {"mouth": slice(11144, 13226), "left": slice(13226, 13630), "right": slice(13630, 14034)}
# How many edges from the socket the rims lie: where lips and lids first touch.
_LIP_RING, _LID_RING = 7, 2
LIP_OVERLAP, LID_OVERLAP = 0.02, 0.10  # centimetres by which rims reach into each other: no line is seen between them
_LIP_REACH, _LID_REACH = (0.05, 0.9), (0.15, 1.3)  # centimetres from the rim: all of the field, none of it
# Lashes of the upper lids go with the rim as a whole.
_UPPER_LASHES = {"left": slice(25351, 25693), "right": slice(26035, 26377)}
_MOVING = (slice(FACE.start, FACE.stop), slice(11248, 14062), slice(24591, 25351))  # skin, sockets, wet layers


def lips(published: Published) -> Slit:
    """The mouth: both lips move by half."""
    slit = _slit(published, "mouth", _LIP_RING, _LIP_REACH, taper=0.5)
    return Slit(slit.upper, slit.lower, slit.at, slit.above / 2, slit.below / 2, slit.taper)


def lids(published: Published, side: str) -> Slit:
    """An eye, left or right: the upper lid moves."""
    slit = _slit(published, side, _LID_RING, _LID_REACH, taper=0.1)
    above = slit.above.copy()
    above[_UPPER_LASHES[side]] = 1
    return Slit(slit.upper, slit.lower, slit.at, above, np.zeros_like(above), slit.taper)


def _slit(published: Published, name: str, ring: int, reach: tuple[float, float], taper: float) -> Slit:
    points = published.vertices.astype(np.float64)
    face, socket = published.corners[_FACE, :, 0], published.corners[_SOCKETS[name], :, 0]
    distance = rings(face, np.intersect1d(face, socket), ring, len(points))
    rim = np.flatnonzero(distance == ring)
    ends = points[rim[[np.argmin(points[rim, 0]), np.argmax(points[rim, 0])]]]
    opened = points + published.expression[published.expression_names.index("jawOpen")]
    corners = opened[rim[[np.argmin(points[rim, 0]), np.argmax(points[rim, 0])]]]
    over = opened[:, 1] >= np.interp(points[:, 0], ends[:, 0], corners[:, 1])
    upper, lower = (chosen[np.argsort(points[chosen, 0])] for chosen in (rim[over[rim]], rim[~over[rim]]))
    width = ends[1, 0] - ends[0, 0]
    at = ends[0, 0] + width * (np.arange(SAMPLES) + 0.5) / SAMPLES
    moving = np.zeros(len(points))
    for part in _MOVING:
        moving[part] = 1
    beyond = np.maximum(ends[0, 0] - points[:, 0], points[:, 0] - ends[1, 0]) / (0.2 * width)
    moving *= 1 - np.clip(beyond, 0, 1)
    above, below = (fading(points, rim, reach) * moving for rim in (upper, lower))
    inner = (distance >= 0) & (distance <= ring)  # the edge of a lid or a lip, down into the opening
    return Slit(upper, lower, at, np.where(inner, over, above * over), np.where(inner, ~over, below * ~over), taper)
