"""The measures of a head that the sculpture understands, and how far people differ in each.

All lengths are millimetres of offset from the average head (angles and fullness included: every measure is a length).
The head frame: x to the subject's left, y up from the line of the pupils, z forward from the axis of the ears.
"""

from __future__ import annotations

from collections.abc import Iterator

# measure → standard deviation over people, mm
SPREAD: dict[str, float] = {
    # cranium and forehead
    "cranium_width": 2.0,
    "cranium_height": 2.2,
    "cranium_depth": 2.0,
    "forehead_depth": 2.2,
    "temple_fullness": 2.5,
    "brow_depth": 1.7,
    "brow_height": 1.6,
    "glabella_depth": 1.3,
    # face mass
    "face_width": 2.5,
    "cheekbone_width": 1.9,
    "cheekbone_height": 2.3,
    "cheekbone_depth": 2.2,
    "cheek_fullness": 2.8,
    # jaw and chin
    "jaw_width": 3.8,
    "jaw_angle_height": 4.0,
    "jaw_fullness": 1.9,
    "chin_height": 2.8,
    "chin_depth": 2.7,
    "chin_width": 2.4,
    "chin_roundness": 1.2,
    # eyes
    "eye_distance": 1.3,
    "eye_height": 1.1,
    "eye_width": 0.9,
    "eye_opening": 1.3,
    "eye_tilt": 1.2,
    "eye_depth": 1.4,
    "lid_crease": 0.9,
    # nose
    "nasion_depth": 1.9,
    "nasion_width": 1.1,
    "bridge_hump": 1.8,
    "bridge_width": 1.1,
    "nose_length": 1.9,
    "tip_height": 1.6,
    "tip_depth": 2.1,
    "tip_size": 0.9,
    "alar_width": 1.2,
    "alar_size": 0.6,
    # mouth
    "mouth_height": 1.8,
    "mouth_width": 2.3,
    "upper_lip": 1.5,
    "lower_lip": 1.5,
    "muzzle_depth": 1.8,
    "philtrum_depth": 0.9,
    "mouth_corner": 1.0,
    "nasolabial_fold": 0.9,
    # the rest
    "ear_size": 1.8,
    "ear_flare": 2.0,
    "neck_width": 2.5,
}


class Anatomy:
    """One head's measures, as attributes; unnamed ones are average (0).

    >>> Anatomy(jaw_width=4.0).jaw_width
    4.0
    """

    def __init__(self, **measures: float) -> None:
        unknown = sorted(set(measures) - set(SPREAD))
        if unknown:
            raise KeyError(f"no such measure: {', '.join(unknown)}; known: {', '.join(SPREAD)}")
        self._measures = {name: float(measures.get(name, 0.0)) for name in SPREAD}

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["_measures"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self._measures.items())
