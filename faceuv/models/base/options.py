"""Groups of settings: a dict in a config is a dataclass in a method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from faceuv.errors import InputError, did_you_mean

T = TypeVar("T")


def as_options(kind: type[T], value: T | Mapping[str, Any] | None, key: str) -> T:
    """The group ``key`` of settings from a config's dict (None: all defaults); one that is built passes through."""
    if isinstance(value, kind):
        return value
    if value is not None and not isinstance(value, Mapping):
        raise InputError(f"{key} must be dict(…), got {value!r}")
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in value or {}:
        if name not in names:
            raise InputError(f"{key} has no setting {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")
    return kind(**(value or {}))
