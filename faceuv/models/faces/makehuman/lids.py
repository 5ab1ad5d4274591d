"""Lids that shut: MakeHuman's blink draws the upper lid three to four millimetres over the lower one."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.makehuman.source import Array
from faceuv.models.faces.makehuman.surface import PARTS, HeadSurface
from faceuv.models.faces.slits import SAMPLES, Slit, fading, rings, sealed

OVERLAP = 0.006  # dm by which the upper lid reaches over the lower one: no line is seen between them
_REACH = (0.02, 0.16)  # dm from the rim: all of the correction, none of it
_RING = (1, 3)  # edges from the inside of the lids to their visible edge, by steps of subdivision
_SOFT = 0.02  # dm across that line, within which the correction sets in
_STEEP = 1.5  # most that a lid comes forward for every step up
_TAPER = 0.0  # the corners too


def lid_slit(surface: HeadSurface, at: Array, side: str, steps: int) -> Slit:
    """The opening of an eye of the head ``at (V, 3)``; the upper lid moves."""
    skin, socket = (np.unique(surface.weld[surface.faces[surface.part == PARTS.index(name)]]) for name in
                    ("skin", "eye_blend"))  # fmt: skip
    inside = np.intersect1d(skin, socket)
    inside = inside[at[inside, 0] > 0] if side == "left" else inside[at[inside, 0] < 0]
    skin_faces = surface.weld[surface.faces[surface.part == PARTS.index("skin")]]
    distance = rings(skin_faces, inside, _RING[steps], len(at))
    rim = np.flatnonzero(distance == _RING[steps])
    ends = at[rim[[at[rim, 0].argmin(), at[rim, 0].argmax()]]]
    height = at[:, 1] - np.interp(at[:, 0], ends[:, 0], ends[:, 1])  # over the line between the corners
    over = height >= 0
    upper, lower = (chosen[np.argsort(at[chosen, 0])] for chosen in (rim[over[rim]], rim[~over[rim]]))
    width = ends[1, 0] - ends[0, 0]
    places = ends[0, 0] + width * (np.arange(SAMPLES) + 0.5) / SAMPLES
    lashes = surface.vertices_of(f"lashes_upper_{side}")
    moving = surface.vertices_of("head", f"socket_{side}").astype(float)
    beyond = np.maximum(ends[0, 0] - at[:, 0], at[:, 0] - ends[1, 0]) / (0.2 * width)
    above = fading(at, upper, _REACH) * moving * (1 - np.clip(beyond, 0, 1)) * np.clip(height / _SOFT + 0.5, 0, 1)
    inner = (distance >= 0) & (distance <= _RING[steps])
    above = np.where(inner, over, above)[surface.weld]
    above[lashes] = 1.0
    return Slit(upper, lower, places, above, np.zeros_like(above), _TAPER)


def shut(slit: Slit, at: Array, field: Array, centre: Array) -> Array:
    """A blink ``field (V, 3)`` of the head ``at (V, 3)`` that ends at the lower lid: what it goes too far is taken back
    along the eyeball with its ``centre (3,)``, on which lids slide."""
    back = sealed(slit, at, at + field, OVERLAP) - (at + field)
    away = at + field + back - centre
    forward = np.clip(-away[:, 1] / np.maximum(away[:, 2], 1e-3), 0, _STEEP)
    return field + back * [0.0, 1.0, 0.0] + (back[:, 1] * forward)[:, None] * [0.0, 0.0, 1.0]
