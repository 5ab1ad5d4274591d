"""Reads the inputs of a loss by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from faceuv.errors import InputError


def entry(given: Mapping[str, Any], key: str, loss: object, side: str) -> Tensor:
    """``given[key]``, a tensor; the error names the loss, the side (``"pred"`` or ``"target"``) and what is there."""
    value = given.get(key)
    if not isinstance(value, Tensor):
        found = f"a {type(value).__name__}" if key in given else f"only {', '.join(sorted(given)) or 'nothing'}"
        raise InputError(f"{type(loss).__name__} needs the tensor {side}[{key!r}], found {found}")
    return value
