"""Values of a config against the annotations of constructors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from torch import nn

from faceuv.engine.config_ranges import RANGES, check_ranges
from faceuv.engine.config_types import check_arguments, mismatch, parameters_of
from faceuv.errors import InputError


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (3, int), (3, float), (0.5, float), (True, bool), ("x", str), (None, int | None), (3, int | None),
        ("a", Literal["a", "b"]), (1, Literal[1, 2]), ((1, 2), tuple[int, ...]), ([1, 2], Sequence[int]),
        ([1, 2], tuple[int, int]), ({"a": 1}, Mapping[str, int]), ({"a": 1}, dict), ("x.pt", Path),
        ("x.pt", str | Path),
        ({"type": "X"}, nn.Module), ("X", nn.Module), (3, Any), (object(), Any), ("x", "a name nobody knows"),
        (["a"], Sequence[str]), ({"type": "X"}, Mapping[str, Any] | str | nn.Module), (2**63 - 1, int),
    ],
)  # fmt: skip
def test_values_that_fit(value, annotation):
    assert mismatch(value, annotation) is None


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("3", int, "a whole number"), (3.0, int, "a whole number"), (True, int, "a whole number"),
        ("3", float, "a number"), (False, float, "a number"), (1, bool, "True or False"), (3, str, "a string"),
        (None, int, "a whole number"), ("3", int | None, "a whole number or None"),
        ("c", Literal["a", "b"], "'a' or 'b'"), (True, Literal[1], "1"), (3, Literal["a"] | None, "'a' or None"),
        ("ab", Sequence[str], "a list of a string"), (["a"], Sequence[int], "a list of a whole number"),
        ([1, 2, 3], tuple[int, int], "a list of a whole number"), (3, Mapping[str, Any], "a dict"),
        ({"a": "x"}, Mapping[str, int], "a dict"), ([1], dict, "a dict"), (3, Path, "a path"),
        (3, str | Path, "a string or a path"),
        (3, nn.Module, "Module"), (2**63, int, "within 64 bits"), (2**70, Any, "within 64 bits"),
        (float("nan"), float, "a finite number"), (float("inf"), float | None, "a finite number"),
        (1e39, float, "within the range of float32"),
    ],
)  # fmt: skip
def test_values_that_do_not(value, annotation, expected):
    assert mismatch(value, annotation) == expected


class Base:
    def __init__(self, size: int, *, name: str = "x") -> None:
        pass


class Open(Base):
    def __init__(self, depth: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Unknown(Base):
    def __init__(self, thing: NoSuchName = None, count: int = 1) -> None:  # noqa: F821
        pass


def test_a_constructor_that_hands_on_its_settings_is_followed():
    assert list(parameters_of(Open)) == ["depth", "size", "name"]
    check_arguments(Open, "Open", {"depth": 2, "size": 3}, "here")
    with pytest.raises(InputError, match="here: Open has no setting 'sise'; it has depth, size, name. Did you mean"):
        check_arguments(Open, "Open", {"sise": 3}, "here")
    with pytest.raises(InputError, match=r"here: Open.size must be a whole number, got 'big'"):
        check_arguments(Open, "Open", {"size": "big"}, "here")


def test_an_annotation_that_cannot_be_resolved_lets_anything_through():
    check_arguments(Unknown, "Unknown", {"thing": 3}, "here")
    with pytest.raises(InputError, match="Unknown.count must be a whole number"):
        check_arguments(Unknown, "Unknown", {"count": None}, "here")


@pytest.mark.parametrize("key", sorted(RANGES))
def test_every_range_has_two_ends(key):
    least, most = RANGES[key]
    check_ranges({"a": {key: least}, "b": [{key: most}]}, "here")
    with pytest.raises(InputError, match=f"here, a.{key} must be at least"):
        check_ranges({"a": {key: least - max(1, abs(least))}}, "here")
    with pytest.raises(InputError, match=rf"here, b\.0\.{key} must be (at most|within 64 bits)"):
        check_ranges({"b": [{key: most * 2 + 1}]}, "here")


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "must be a number, got nan"), (2**64, "within 64 bits")])
def test_numbers_anywhere(value, message):
    with pytest.raises(InputError, match=f"here, deep.0.thing {message}|here, deep.0.thing must be {message}"):
        check_ranges({"deep": [{"thing": value}]}, "here")
