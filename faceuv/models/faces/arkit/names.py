"""The 52 blend shapes of ARKit: their names, sides, and checks of amounts.

Names and order are those of Apple's ``ARFaceAnchor.BlendShapeLocation``. Left and right are the subject's:
``eyeBlinkLeft`` closes the eye at x > 0, on the viewer's right. An amount is 0 (rest) … 1 (the full movement).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, finite_number, shown
from faceuv.errors import InputError

_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
NAMES: tuple[str, ...] = (
    *(f"{name}Left" for name in _EYE),
    *(f"{name}Right" for name in _EYE),
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
GAZE: tuple[str, ...] = tuple(name for name in NAMES if name.startswith("eyeLook"))
HIGHEST = 2.0
"""The largest overshoot that may be asked for: twice the full movement."""

_FOLDED = {name.lower(): name for name in NAMES}
_NEGLIGIBLE = 1e-6  # amounts of this size are rounding


def arkit_name(name: str) -> str:
    """The name as ARKit spells it: case does not count, ``_L``/``_R`` stand for Left and Right, and underscores are
    dropped (``EyeBlinkLeft``, ``eyeBlink_L``, ``eye_blink_left``). An unknown name is an error with the closest one."""
    found = _spelled(name)
    if found is None:
        near = difflib.get_close_matches(_plain(name), _FOLDED, n=1, cutoff=0.5)
        meant = f"; did you mean {_FOLDED[near[0]]!r}?" if near else ""
        raise InputError(f"{shown(name)} is not one of ARKit's 52 blend shapes{meant}")
    return found


def mirrored_name(name: str) -> str:
    """The same movement of the other side: ``jawLeft`` → ``jawRight``; a name without a side is its own."""
    name = arkit_name(name)
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def amounts_row(amounts: Mapping[str, Any], *, most: float = 1.0) -> Tensor:
    """Amounts by name → ``(1, 52)`` float32 in the order of :data:`NAMES`; names that are absent are 0."""
    row = torch.zeros(1, len(NAMES))
    said: dict[str, str] = {}
    for given, amount in amounts.items():
        name = arkit_name(given)
        if name in said:
            raise InputError(f"{said[name]!r} and {given!r} are the same blend shape; give one amount")
        said[name] = given
        row[0, NAMES.index(name)] = finite_number(name, amount)
    return check_amounts(row, most=most)


def check_amounts(weights: Tensor, *, most: float = 1.0) -> Tensor:
    """``weights (B, 52)``, or ``(52,)`` as one row, if every amount lies in 0 … ``most``.

    ``most`` above 1 allows an overshoot, which leaves the range the shapes were made for; at most :data:`HIGHEST`.
    """
    most = finite_number("most", most)
    if not 1 <= most <= HIGHEST:
        raise InputError(f"most is the highest amount allowed, 1 … {HIGHEST:g} (above 1 is an overshoot), got {most:g}")
    if not isinstance(weights, Tensor) or weights.ndim not in (1, 2) or weights.shape[-1] != len(NAMES):
        raise InputError(
            f"ARKit weights must be a tensor (B, {len(NAMES)}) in the order of NAMES, got {shown(weights)}"
        )
    check_floating("ARKit weights", weights)
    weights = weights.reshape(-1, len(NAMES))
    check_finite("ARKit weights", weights)
    wrong = ((weights < -_NEGLIGIBLE) | (weights > most + _NEGLIGIBLE)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        where = f" in row {row}" if len(weights) > 1 else ""
        hint = f"; most={HIGHEST:g} allows an overshoot" if most < HIGHEST and weights[row, column] > 0 else ""
        raise InputError(f"{NAMES[column]} must lie in 0 … {most:g}{where}, got {float(weights[row, column]):g}{hint}")
    return weights.clamp(0, most)


def listed(names: Sequence[str], limit: int = 8) -> str:
    """Names for a message: the first few and how many there are."""
    few = ", ".join(names[:limit])
    return few if len(names) <= limit else f"{few} … ({len(names)} in all)"


def _plain(name: Any) -> str:
    text = str(name)
    for short, side in (("_L", "Left"), ("_R", "Right"), ("_l", "Left"), ("_r", "Right")):
        if text.endswith(short):
            text = text.removesuffix(short) + side
    return text.replace("_", "").replace(" ", "").lower()


def _spelled(name: Any) -> str | None:
    return _FOLDED.get(_plain(name)) if isinstance(name, str) and len(name) < 64 else None
