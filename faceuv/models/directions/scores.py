"""Scores of codes by name: ``score="yaw"`` and others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Coefficients

_DEGREE = math.pi / 180
_MOVEMENT = "movement"


class _Named(NamedTuple):
    """A score: its meaning, its value ``(B,)``, the group of coefficients it is read from, and 1 degree if an angle."""

    meaning: str
    value: Callable[[Coefficients], Tensor]
    group: str
    degree: float | None = None


# Bands 1, 2 and 3 of the lighting are −ny, nz and −nx (see the geometry room): light from above, from the camera, from
# the viewer's right.
_NAMED: dict[str, _Named] = {
    "pitch": _Named("rotation about x in radians", lambda c: c.rotation[:, 0], "rotation", _DEGREE),
    "yaw": _Named("the face turns to the viewer's right, in radians", lambda c: c.rotation[:, 1], "rotation", _DEGREE),
    "roll": _Named("rotation about z in radians", lambda c: c.rotation[:, 2], "rotation", _DEGREE),
    "light_above": _Named("light from above", lambda c: -c.lighting[:, :, 1].mean(1), "lighting"),
    "light_right": _Named("light from the viewer's right", lambda c: -c.lighting[:, :, 3].mean(1), "lighting"),
    "light_front": _Named("light from the camera", lambda c: c.lighting[:, :, 2].mean(1), "lighting"),
    "brightness": _Named("light from everywhere", lambda c: c.lighting[:, :, 0].mean(1), "lighting"),
    "warmth": _Named("red light less blue", lambda c: c.lighting[:, 0, 0] - c.lighting[:, 2, 0], "lighting"),
}
SCORES = tuple(_NAMED)


def meaning(name: str) -> str:
    """What grows with a named score, in words; a name that means nothing is an error."""
    if name in _NAMED:
        return _NAMED[name].meaning
    group, which = _parts(name)
    return f"the movement {which!r}, 1 in full" if group == _MOVEMENT else f"coefficient {which} of {group}"


def group_of(name: str) -> str:
    """The group of coefficients that a score is read from."""
    if name in _NAMED:
        return _NAMED[name].group
    group, _ = _parts(name)
    return "expression" if group == _MOVEMENT else group


def degree_of(name: str) -> float | None:
    """One degree in the unit of a score that is an angle, else None."""
    return _NAMED[name].degree if name in _NAMED else None


def named_score(coefficients: Coefficients, name: str, face_model: FaceModel | None = None) -> Tensor:
    """One number per row ``(B,)``.

    Args:
        name: one of :data:`SCORES`; ``"group:index"`` such as ``"expression:3"``; or ``"movement:smile"``, how far a
            named movement of the face model has gone, 1 in full.
        face_model: whose movements those are.
    """
    if name in _NAMED:
        return _NAMED[name].value(coefficients)
    group, which = _parts(name)
    if group == _MOVEMENT:
        if face_model is None:
            raise InputError(f"the score {name!r} is a movement of a face model: name the model, face_model=…")
        face_model.check_layout(coefficients)
        columns = face_model.movement(which)
        full = coefficients.data.new_tensor(list(columns.values()))
        return coefficients.expression[:, list(columns)] @ full / full.square().sum()
    values = coefficients.view(group)
    if int(which) >= values.shape[1]:
        raise InputError(f"the score {name!r} does not exist: {group} has the columns 0 … {values.shape[1] - 1}")
    return values[:, int(which)]


def _parts(name: str) -> tuple[str, str]:
    group, _, which = name.partition(":")
    if not group or not which or (group != _MOVEMENT and not which.isdecimal()):
        raise InputError(
            f"no score is called {name!r}; known: {', '.join(SCORES)}, columns such as 'expression:3' and movements"
            f" such as 'movement:smile'{did_you_mean(name, SCORES)}"
        )
    return group, which
