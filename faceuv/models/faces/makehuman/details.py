"""Plausible mixtures of MakeHuman's head targets: how far each is turned in a random person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from faceuv.models.faces.makehuman.source import Array

_OPPOSITES = (
    ("decr", "incr"),
    ("in", "out"),
    ("down", "up"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)
# Deviation of a slider, of its full way; the first word that a name holds decides. 0: no part of a person's head
# (age is a macro; moving the whole head is no shape) or out of proportion.
_SPREAD: tuple[tuple[str, float], ...] = (
    ("head-age", 0.0),
    ("head-trans", 0.0),
    ("neck-trans", 0.0),
    ("neck-height", 0.0),
    ("neck-scale-vert", 0.0),
    ("nubian", 0.12),
    ("ear-shape", 0.15),
    ("asym", 0.1),
    ("neck", 0.15),
    ("head-fat", 0.15),
    ("head-", 0.15),
    ("eye-scale", 0.2),
    ("eye-trans", 0.2),
    ("eye-push", 0.15),
    ("eye-height", 0.18),
    ("eye-", 0.28),
    ("mouth-trans", 0.2),
    ("mouth-scale", 0.25),
    ("nose-trans", 0.2),
    ("", 0.3),
)
_ASYMMETRY = 0.12  # of a slider's deviation that is not the same on both sides


def sliders(names: Iterable[str]) -> list[tuple[str, str | None, str]]:
    """Targets as sliders: the target of its positive way, that of its negative way (or None), the slider's name."""
    left = dict.fromkeys(names)
    made: list[tuple[str, str | None, str]] = []
    for name in list(left):
        if name not in left:
            continue
        stem, _, word = name.rpartition("-")
        pair = next((pair for pair in _OPPOSITES if word in pair), None)
        if pair is None and name.startswith("asym-") and word in ("l", "r"):
            pair = ("l", "r")
        if pair is not None and {f"{stem}-{pair[0]}", f"{stem}-{pair[1]}"} <= set(left):
            made.append((f"{stem}-{pair[1]}", f"{stem}-{pair[0]}", stem))
            del left[f"{stem}-{pair[0]}"], left[f"{stem}-{pair[1]}"]
        else:
            made.append((name, None, name))
            del left[name]
    return made


def random_mixtures(names: list[str], count: int, rng: np.random.Generator) -> Array:
    """``(count, len(names))`` weights of targets in [0, 1]; both sides of a face are nearly alike."""
    made = sliders(names)
    shared: dict[str, Array] = {}
    weights = np.zeros((count, len(names)))
    for positive, negative, name in made:
        spread = next(value for word, value in _SPREAD if word in name)
        own = rng.standard_normal(count)
        both = name[2:] if name.startswith(("l-", "r-")) else name
        common = shared.setdefault(both, rng.standard_normal(count))
        amount = common if both == name else np.sqrt(1 - _ASYMMETRY**2) * common + _ASYMMETRY * own
        amount = np.clip(spread * amount, -1, 1)
        weights[:, names.index(positive)] = np.maximum(amount, 0)
        if negative is not None:
            weights[:, names.index(negative)] = np.maximum(-amount, 0)
    return weights


def mirrored_targets(names: list[str]) -> list[int]:
    """The index of each target's mirror image; its own for what is the same on both sides."""
    return [names.index(_mirrored(name)) for name in names]


def _mirrored(name: str) -> str:
    if name.startswith(("l-", "r-")):
        return ("r-" if name.startswith("l-") else "l-") + name[2:]
    if name.startswith("asym"):
        return name[:-1] + ("r" if name.endswith("l") else "l")
    stem, _, word = name.rpartition("-")
    if stem.endswith("trans") and word in ("in", "out"):  # to the sides
        return f"{stem}-{'out' if word == 'in' else 'in'}"
    return name
