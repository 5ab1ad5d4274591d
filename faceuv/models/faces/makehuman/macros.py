"""MakeHuman's macros: age, gender, ethnicity, weight and muscle as weights of its macro targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from faceuv.checks import shown
from faceuv.errors import InputError
from faceuv.models.faces.makehuman.source import Array

ETHNICITIES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("baby", "child", "young", "old")
YEARS = (1.0, 10.0, 25.0, 90.0)  # of the four ages of the targets
YOUNGEST, OLDEST = 3.0, 90.0
_LEVELS = ("min", "average", "max")
TRAITS = ("age", "gender", "ethnicity", "weight", "muscle")

# MakeHuman's weight hardly changes a face; we let its own targets of a full face follow: name → at the greatest (+) or
# least (-) weight.
_FULLNESS = {"head-fat-incr": 0.7, "head-fat-decr": -0.5, "neck-double-incr": 0.5}

# Names of the targets, in the order of the weights.
TARGETS: tuple[str, ...] = (
    *("-".join(key) for key in product(ETHNICITIES, GENDERS, AGES)),
    *(
        f"universal-{gender}-{age}-{muscle}muscle-{weight}weight"
        for gender, age, muscle, weight in product(GENDERS, AGES, _LEVELS, _LEVELS)
    ),
    *_FULLNESS,
)


@dataclass(frozen=True)
class Person:
    """What MakeHuman calls macros."""

    age: float = 30.0  # years, 3 … 90
    gender: float = 0.5  # 0 female … 1 male
    african: float = 1 / 3  # shares, which sum to 1
    asian: float = 1 / 3
    caucasian: float = 1 / 3
    weight: float = 0.5  # 0 … 1
    muscle: float = 0.5


def target_weights(person: Person) -> Array:
    """``(99,)`` weights of :data:`TARGETS`: piecewise linear in each macro, products of them."""
    return weights_of_people([person])[0]


def weights_of_people(people: Sequence[Person]) -> Array:
    """:func:`target_weights` of many ``(N, 99)``."""
    trait = {name: np.array([getattr(person, name) for person in people]) for name in Person.__dataclass_fields__}
    gender = np.stack([1 - trait["gender"], trait["gender"]], 1)
    age = _between(trait["age"], np.array(YEARS))
    ethnicity = np.stack([trait[name] for name in ETHNICITIES], 1)
    levels = np.array([0.0, 0.5, 1.0])
    muscle, weight = _between(trait["muscle"], levels), _between(trait["weight"], levels)
    race = np.einsum("ne,ng,na->nega", ethnicity, gender, age).reshape(len(people), -1)
    body = np.einsum("ng,na,nm,nw->ngamw", gender, age, muscle, weight).reshape(len(people), -1)
    more = 2 * trait["weight"] - 1
    fullness = np.stack([np.maximum(more * np.sign(most), 0.0) * abs(most) for most in _FULLNESS.values()], 1)
    return np.concatenate([race, body, fullness], 1)


def years_of(weights: Array) -> float:
    """The age, 3 … 90, that weights ``(99,)`` of :data:`TARGETS` say."""
    ages = weights[: len(ETHNICITIES) * len(GENDERS) * len(AGES)].reshape(-1, len(AGES)).sum(0)
    return float(np.clip(ages @ np.array(YEARS) / max(ages.sum(), 0.1), YOUNGEST, OLDEST))


def shares_of(weights: Array) -> dict[str, float]:
    """``gender`` 0 … 1 (male) and the share of each of :data:`ETHNICITIES` that weights ``(99,)`` say."""
    table = weights[: len(ETHNICITIES) * len(GENDERS) * len(AGES)].reshape(len(ETHNICITIES), len(GENDERS), -1).sum(2)
    table = table.clip(0) / max(table.clip(0).sum(), 0.1)
    return {"gender": float(table[:, 1].sum()), **dict(zip(ETHNICITIES, table.sum(1).tolist()))}


def _between(values: Array, knots: Array) -> Array:
    """The weights ``(N, K)`` of the knots whose linear interpolation are ``values (N,)``."""
    return np.stack([np.interp(values, knots, row) for row in np.eye(len(knots))], 1)


def random_person(rng: np.random.Generator, known: Mapping[str, object] | None = None) -> Person:
    """Somebody between 4 and 85 years; ``known`` traits are kept. The draw of one trait does not depend on another."""
    age = float(rng.uniform(4, 85))
    gender = min(max(float(rng.integers(2) + rng.normal(0, 0.12)), 0.0), 1.0)
    shares = rng.dirichlet([0.35] * 3)
    weight = min(max(rng.normal(0.5, 0.2), 0.0), 1.0)
    muscle = min(max(rng.normal(0.5, 0.18), 0.0), 1.0)
    total = shares.sum()
    african, asian, caucasian = (float(share / total) for share in shares)
    drawn = Person(age, gender, african, asian, caucasian, weight, muscle)
    return person_of(known, drawn) if known else drawn


def person_of(traits: Mapping[str, object], otherwise: Person | None = None) -> Person:
    """The person with these traits; those that are absent are those of ``otherwise``, of the average person by default.

    ``age`` in years, ``gender`` "female", "male" or 0 … 1 (male), ``ethnicity`` a name or shares by name, ``weight``
    and ``muscle`` 0 … 1 (0.5 is average).
    """
    for name in traits:
        if name not in TRAITS:
            raise InputError(f"MakeHuman does not know the trait {name!r}; it knows: {', '.join(TRAITS)}")
    values: dict[str, float] = {}
    for name, low, high in (("age", YOUNGEST, OLDEST), ("weight", 0.0, 1.0), ("muscle", 0.0, 1.0)):
        if name in traits:
            values[name] = _number(name, traits[name], low, high)
    if "gender" in traits:
        gender = traits["gender"]
        word = isinstance(gender, str)
        if word and gender not in GENDERS:
            raise InputError(f"gender must be 'female', 'male' or a number from 0 (female) to 1 (male), got {gender!r}")
        values["gender"] = float(GENDERS.index(gender)) if word else _number("gender", gender, 0.0, 1.0)
    if "ethnicity" in traits:
        values |= _shares(traits["ethnicity"])
    return replace(otherwise or Person(), **values)


def _shares(given: object) -> dict[str, float]:
    shares = {given: 1.0} if isinstance(given, str) else given
    if not isinstance(shares, Mapping) or not shares or not set(shares) <= set(ETHNICITIES):
        raise InputError(f"ethnicity must be one of {', '.join(ETHNICITIES)}, or shares by name, got {shown(given)}")
    amounts = {name: _number(f"the share {name}", shares.get(name, 0.0), 0.0, float("inf")) for name in ETHNICITIES}
    total = sum(amounts.values())
    if not 0 < total < float("inf"):
        raise InputError(f"the shares of ethnicity must have a positive sum, got {shown(given)}")
    return {name: amount / total for name, amount in amounts.items()}


def _number(name: str, value: object, low: float, high: float) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (good and low <= value <= high):  # type: ignore[operator]
        raise InputError(f"{name} must be a number from {low:g} to {high:g}, got {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def average_weights() -> Array:
    """The weights of the average adult, whose mesh decides what is cut and where things lie."""
    return target_weights(Person())
