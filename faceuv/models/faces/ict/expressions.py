"""The published expressions under ARKit's names, with eyes that turn where they look."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from faceuv.models.faces.ict.folder import Floats, Published
from faceuv.models.faces.ict.regions import EYEBALLS, SCLERAS, sphere_centre

_SIDES = {"L": "Left", "R": "Right"}
_BEYOND_ARKIT = ("cheekRaiser", "pupilDilate")
_COMBINED = ("browInnerUp", "cheekPuff")  # one movement in ARKit, two files here
# Degrees at full movement: the published files move the lids and leave the eyeballs where they are.
_TURN = {"eyeLookIn": 30.0, "eyeLookOut": 30.0, "eyeLookUp": 22.0, "eyeLookDown": 26.0}


@dataclass(frozen=True)
class Modes:
    """``basis (E, V, 3)`` in centimetres at full movement; ``combined``: a movement of ARKit → the modes it drives."""

    names: tuple[str, ...]
    basis: Floats
    combined: dict[str, list[str]]


def arkit_name(published: str) -> str:
    """``eyeBlink_L`` → ``eyeBlinkLeft``; left is the subject's in both."""
    name = re.sub(r"_([LR])$", lambda found: _SIDES[found[1]], published)
    return name[0].lower() + name[1:]


def expression_modes(published: Published) -> Modes:
    """ARKit's movements in alphabetical order, then those that ARKit does not have."""
    named = {arkit_name(name): row for row, name in enumerate(published.expression_names)}
    names = tuple(sorted(named, key=lambda name: (name.startswith(_BEYOND_ARKIT), name)))
    basis = published.expression[[named[name] for name in names]]
    for row, name in enumerate(names):
        turn = next((degrees for start, degrees in _TURN.items() if name.startswith(start)), None)
        if turn is not None:
            side = "left" if name.endswith("Left") else "right"
            ball = EYEBALLS[side]
            points = published.vertices[ball].astype(np.float64)
            centre = sphere_centre(published.vertices[SCLERAS[side]].astype(np.float64))
            turned = (points - centre) @ _rotation(name, side, np.radians(turn)).T + centre
            basis[row, ball] += (turned - points).astype(np.float32)
    combined = {name: [f"{name}Left", f"{name}Right"] for name in _COMBINED}
    return Modes(names, basis, combined)


def _rotation(name: str, side: str, angle: float) -> np.ndarray:
    """``(3, 3)``: where an eye that looks ahead turns to."""
    c, s = np.cos(angle), np.sin(angle)
    if name.startswith(("eyeLookUp", "eyeLookDown")):
        s = s if name.startswith("eyeLookUp") else -s
        return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    s = s if name.startswith("eyeLookOut") == (side == "left") else -s  # the subject's left is at +x
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
