"""Where hair grows: the hairline around the head, and the part of the head's surface that roots cover."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.hair.skull import CENTRE, Skull, locate, look_up
from faceuv.models.faces.hair.styles import HairStyle
from faceuv.models.faces.procedural.sdf import Array

# Azimuth in degrees → height of the hair's lower edge, mm, relative to the front hairline.
_AZIMUTH = (0, 18, 30, 40, 47, 53, 59, 65, 71, 77, 84, 91, 98, 112, 135, 180)
_WITH_BURNS = (0, -1, -3, -9, -19, -33, -46, -57, -74, -84, -80, -62, -52, -92, -116, -124)
_WITHOUT = (0, -1, -3, -9, -19, -32, -42, -50, -57, -61, -61, -56, -48, -90, -116, -124)
# Height relative to the front hairline → azimuth in degrees that hair combed aside keeps clear.
_HEIGHT = (-286.0, -186.0, -136.0, -106.0, -76.0, -46.0, -26.0, -10.0, 4.0)
_CLEAR = (62.0, 66.0, 68.0, 69.0, 67.0, 57.0, 46.0, 30.0, 0.0)
_BALD_Z = -22.0  # mm: the middle of what is bald on top
_EAR = 5.0  # mm off the bare skull: ears


def lower_edge(azimuth: Array, style: HairStyle) -> Array:
    """Height in mm of the hair's lower edge; ``azimuth`` in radians."""
    degrees = np.rad2deg(np.abs(azimuth))
    with_burns, without = (np.interp(degrees, _AZIMUTH, edge) for edge in (_WITH_BURNS, _WITHOUT))
    corners = 0.45 + 0.55 * np.exp(-(((degrees - 36) / 14) ** 2))  # hair recedes most at the corners of the forehead
    receded = style.recede * corners * np.clip((62 - degrees) / 14, 0, 1)
    edge: Array = style.line + receded + without + style.burns * (with_burns - without)
    return edge


def grows(points: Array, style: HairStyle) -> Array:
    """Signed distance in mm of points ``(N, 3)`` from the nearest edge of the hair: positive where it grows."""
    azimuth = np.arctan2(points[:, 0], points[:, 2] - CENTRE[2])
    inside: Array = points[:, 1] - lower_edge(azimuth, style)
    if style.crown:
        x, z = points[:, 0] / 0.80, points[:, 2] - _BALD_Z
        away = np.hypot(x, np.where(z > 0, 0.55, 1.0) * z) - style.crown
        inside = np.minimum(inside, np.where(points[:, 1] > CENTRE[1] + 20, away, inside))
    return inside


def clear_azimuth(height: Array, style: HairStyle) -> Array:
    """Azimuth in radians that hair combed aside keeps clear at a height in mm."""
    clear: Array = np.deg2rad(np.interp(height - style.line, _HEIGHT, _CLEAR))
    return clear


def root_cover(points: Array, skull: Skull, style: HairStyle, ragged: Array) -> Array:
    """Coverage in 0 … 1 by roots at points ``(N, 3)`` of the mean head, mm, head frame; ``ragged (N,)`` is noise."""
    row, column, distance = locate(points)
    above = grows(points, style) + 3.0 * ragged
    off = np.abs(distance - look_up(skull.bare, row, column))
    cover: Array = _step(-5.0, 9.0, above) * _step(_EAR + 4, _EAR, off)
    return style.scalp * cover


def _step(start: float, stop: float, value: Array) -> Array:
    t = np.clip((value - start) / (stop - start), 0, 1)
    smooth: Array = t * t * (3 - 2 * t)
    return smooth
