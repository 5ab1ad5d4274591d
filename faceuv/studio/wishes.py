"""What a page may ask for, read from JSON with every field checked: nothing in it is a path, a name of code or a size.

A wish names a person: by seed, by two other wishes between which it lies or whose styles it mixes, or by a photograph
that this page has sent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faceuv.checks import shown
from faceuv.errors import InputError

LARGEST_SEED = 2**63 - 1
DEPTH = 3  # wishes within wishes
MOST_WORDS = 64
_FORMS = ("seed", "between", "mix", "photo")


@dataclass(frozen=True)
class Wish:
    """A person.

    form        "seed", "between", "mix" or "photo"
    seed, truncation, traits, edits   of a seed; traits by name, edits as direction → steps σ
    pair, t     two wishes and the place between them, 0 … 1;  layer: from which row on the style is the second's
    photo       the name that the server gave to a photograph
    hair, hair_colour   names of a style and a colour; "" leaves them to the person
    """

    form: str
    seed: int = 0
    truncation: float = 1.0
    traits: tuple[tuple[str, Any], ...] = ()
    edits: tuple[tuple[str, float], ...] = ()
    pair: tuple[Wish, Wish] | None = None
    t: float = 0.5
    layer: int = 4
    photo: str = ""
    hair: str = ""
    hair_colour: str = ""

    @classmethod
    def read(cls, given: Any, depth: int = 0) -> Wish:
        """From JSON values; what is wrong is one line."""
        if not isinstance(given, Mapping):
            raise InputError(f"who is shown must be an object with one of {', '.join(_FORMS)}, got {shown(given)}")
        form = str(given.get("form", "seed"))
        if form not in _FORMS:
            raise InputError(f"the form of a person is one of {', '.join(_FORMS)}, got {shown(form)}")
        edits = tuple(sorted((name, number(f"the step along {name}", step, -20, 20)) for name, step
                             in _table("edits", given.get("edits")).items() if step))  # fmt: skip
        hair: dict[str, Any] = {key: _word(key, given[key]) for key in ("hair", "hair_colour") if given.get(key)}
        if form == "photo":
            return cls(form, photo=_word("a photograph", given.get("photo")), edits=edits, **hair)
        if form == "seed":
            return cls(
                form,
                seed=_whole("a seed", given.get("seed", 0), LARGEST_SEED),
                truncation=number("truncation", given.get("truncation", 1.0), 0, 2),
                traits=tuple(
                    sorted((name, _trait(name, v)) for name, v in _table("traits", given.get("traits")).items())
                ),
                edits=edits,
                **hair,
            )
        pair = given.get("pair")
        if depth >= DEPTH or not isinstance(pair, list) or len(pair) != 2:
            raise InputError(f"a person between others has a pair of two, at most {DEPTH} deep, got {shown(pair)}")
        first, second = (cls.read(one, depth + 1) for one in pair)
        return cls(
            form,
            pair=(first, second),
            t=number("t", given.get("t", 0.5), 0, 1),
            layer=_whole("a layer", given.get("layer", 4), 1000),
            edits=edits,
            **hair,
        )

    def photos(self) -> set[str]:
        """The photographs that it needs."""
        inner = set() if self.pair is None else self.pair[0].photos() | self.pair[1].photos()
        return inner | ({self.photo} if self.photo else set())


@dataclass(frozen=True)
class Look:
    """How a person is shown: amounts of movements, angles in degrees, a light."""

    weights: Mapping[str, float] = field(default_factory=dict)
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    light: tuple[float, ...] | None = None

    @classmethod
    def read(cls, given: Any) -> Look:
        """From JSON values."""
        if not isinstance(given, Mapping):
            raise InputError(f"a look must be an object, got {shown(given)}")
        light = given.get("light")
        if light is not None and (not isinstance(light, list) or len(light) != 27):
            raise InputError("a light has 27 SH coefficients, 9 of each colour")
        return cls(
            weights={name: number(name, v, 0, 1) for name, v in _table("weights", given.get("weights")).items()},
            **{name: number(name, given.get(name, 0), -180, 180) for name in ("yaw", "pitch", "roll")},
            light=None if light is None else tuple(number("a light", value, -100, 100) for value in light),
        )


def read_json(data: bytes) -> Mapping[str, Any]:
    """The object that a page sent."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the page sent no JSON: {str(error)[:100]}") from error
    if not isinstance(found, Mapping):
        raise InputError("the page must send a JSON object")
    return found


def number(name: str, value: Any, low: float, high: float) -> float:
    """A finite number between two limits."""
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{shown(name)} must be a number from {low:g} to {high:g}, got {shown(value)}")
    return float(value)


def _whole(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InputError(f"{name} must be a whole number from 0 to {most:,}, got {shown(value)}")
    return value


def _table(name: str, value: Any) -> Mapping[str, Any]:
    value = {} if value is None else value
    if not isinstance(value, Mapping) or len(value) > 200 or any(len(str(key)) > MOST_WORDS for key in value):
        raise InputError(f"{name} must be an object of at most 200 short names, got {shown(value)}")
    return value


def _trait(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _word(name, value)
    return number(name, value, -1000, 1000)


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MOST_WORDS or not value.isprintable():
        raise InputError(f"{name} must be a short word, got {shown(value)}")
    return value
