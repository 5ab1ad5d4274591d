"""Named coefficients as scores: what ``score="yaw"`` means."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from faceuv.errors import InputError
from faceuv.structures import Coefficients

# Bands 1 and 3 of the lighting are −ny and −nx (see the geometry room): light from above, from the viewer's right.
_NAMED: dict[str, tuple[str, Callable[[Coefficients], Tensor]]] = {
    "pitch": ("rotation about x in radians", lambda c: c.rotation[:, 0]),
    "yaw": ("the face turns to the viewer's right, in radians", lambda c: c.rotation[:, 1]),
    "roll": ("rotation about z in radians", lambda c: c.rotation[:, 2]),
    "light_above": ("light from above", lambda c: -c.lighting[:, :, 1].mean(1)),
    "light_right": ("light from the viewer's right", lambda c: -c.lighting[:, :, 3].mean(1)),
    "brightness": ("light from everywhere", lambda c: c.lighting[:, :, 0].mean(1)),
}
SCORES = tuple(_NAMED)


def meaning(name: str) -> str:
    """What grows with a named score, in words; a name that means nothing is an error."""
    if name in _NAMED:
        return _NAMED[name][0]
    group, index = _column(name)
    return f"coefficient {index} of {group}"


def named_score(coefficients: Coefficients, name: str) -> Tensor:
    """One number per row ``(B,)``: a name of :data:`SCORES`, or ``"group:index"`` such as ``"expression:3"``."""
    if name in _NAMED:
        return _NAMED[name][1](coefficients)
    group, index = _column(name)
    columns = coefficients.view(group)
    if index >= columns.shape[1]:
        raise InputError(f"the score {name!r} does not exist: {group} has the columns 0 … {columns.shape[1] - 1}")
    return columns[:, index]


def _column(name: str) -> tuple[str, int]:
    group, _, index = name.partition(":")
    if not group or not index.isdecimal():
        raise InputError(f"no score is called {name!r}; known: {', '.join(SCORES)}, and columns such as 'expression:3'")
    return group, int(index)
