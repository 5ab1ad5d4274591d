"""Movements in everyday words, the same on every head with ARKit's blend shapes: ``smile``, ``blink``, ``jaw_open``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

_BOTH = {
    "blink": "eyeBlink",
    "brow_down": "browDown",
    "brow_outer_up": "browOuterUp",
    "cheek_raise": "cheekSquint",
    "dimple": "mouthDimple",
    "eye_wide": "eyeWide",
    "frown": "mouthFrown",
    "lower_lip_drop": "mouthLowerDown",
    "mouth_stretch": "mouthStretch",
    "nose_sneer": "noseSneer",
    "smile": "mouthSmile",
    "squint": "eyeSquint",
    "upper_lip_raise": "mouthUpperUp",
}
EVERYDAY: Mapping[str, tuple[str, ...]] = {
    **{word: (f"{name}Left", f"{name}Right") for word, name in _BOTH.items()},
    **{f"{word}_left": (f"{name}Left",) for word, name in _BOTH.items()},
    **{f"{word}_right": (f"{name}Right",) for word, name in _BOTH.items()},
    "brow_inner_up": ("browInnerUp",),
    "brow_up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "cheek_puff": ("cheekPuff",),
    "funnel": ("mouthFunnel",),
    "jaw_forward": ("jawForward",),
    "jaw_left": ("jawLeft",),
    "jaw_open": ("jawOpen",),
    "mouth_left": ("mouthLeft",),
    "pucker": ("mouthPucker",),
}
"""Word → ARKit's names. They are the procedural face's own names, so that one call moves any head."""


def everyday_modes(word: str, names: Collection[str], combined: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The modes that a word drives in a model with the modes ``names`` and combined movements; None if it lacks one."""
    found: list[str] = []
    for name in EVERYDAY.get(word, ()):
        found += [name] if name in names else combined.get(name, ())
        if name not in names and name not in combined:
            return None
    return found or None


def faint_smile(seed: int) -> dict[str, float]:
    """Amounts of a smile with closed lips, 0.2 to 0.5, another for each seed: how people look at a camera. A mouth at
    rest looks grim on many heads."""
    amount = 0.2 + 0.3 * Random(seed).random()
    return {"smile": amount, "cheek_raise": amount / 2}
