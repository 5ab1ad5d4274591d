"""Checks of the tensors that a public function is given."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError, shown
from faceuv.errors import one_line as one_line

LARGEST_NUMBER = 3.4028234e38  # of 32 bits
MOST_PIXELS = 100_000_000  # of a picture that is drawn


def whole_number(name: str, value: Any, low: int = 0, high: int = 2**63 - 1) -> int:
    """``value`` as an ``int`` within ``low … high``: Python's, NumPy's and torch's whole numbers are all the same."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {shown(value)}") from None
    if not low <= number <= high:
        bounds = f"from {low} on" if number < low else f"at most {high}"
        raise InputError(f"{name} must be a whole number {bounds}, got {shown(number)}")
    return number


def finite_number(name: str, value: Any) -> float:
    """``value`` as a ``float`` that 32 bits can hold."""
    try:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name} must be a finite number, got {shown(value)}") from None
    except OverflowError:
        number = math.inf
    if not abs(number) <= LARGEST_NUMBER:
        raise InputError(f"{name} must be a finite number, got {shown(value)}")
    return number


def check_shares(what: str, group: Any) -> None:
    """All settings of a group, a dataclass, are shares: numbers in [0, 1]."""
    wrong = {f.name: getattr(group, f.name) for f in fields(group) if not 0 <= getattr(group, f.name) <= 1}
    if wrong:
        raise InputError(f"shares of {what} lie in [0, 1], got {wrong}")


def picture_size(size: Any) -> tuple[int, int]:
    """``(height, width)`` in pixels of a side or of a pair."""
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2:
        raise InputError(f"a size is a side or (height, width) in pixels, got {shown(size)}")
    height, width = (whole_number("a side in pixels", side, low=1) for side in pair)
    if height * width > MOST_PIXELS:
        raise InputError(
            f"a picture of {height} × {width} pixels is too large; at most {MOST_PIXELS // 10**6} megapixels"
        )
    return height, width


def file_path(path: Any) -> Path:
    """``path`` as a :class:`~pathlib.Path`, if it is a text or a path."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"a file is named by a text or a path, got {shown(path)}")
    return Path(path)


def check_shape(name: str, tensor: Tensor, shape: Sequence[str | int]) -> dict[str, int]:
    """Check ``tensor`` against a shape such as ``("B", "V", 3)`` and return the sizes of the named axes.

    A number must match exactly; a letter stands for any size, the same one wherever it repeats; a leading ``"..."``
    stands for any number of axes.
    """
    if not isinstance(tensor, Tensor):
        raise InputError(f"{name} must be a torch.Tensor of shape ({_join(shape)}), got {type(tensor).__name__}")
    want = list(shape)
    got = list(tensor.shape)
    if want and want[0] == "...":
        want = want[1:]
        got = got[len(got) - len(want) :] if len(got) >= len(want) else got
    sizes: dict[str, int] = {}
    fits = len(want) == len(got)
    for expected, size in zip(want, got):
        if isinstance(expected, int):
            fits = fits and expected == size
        else:
            fits = fits and sizes.setdefault(expected, size) == size
    if not fits:
        raise InputError(f"{name} must have shape ({_join(shape)}), got {tuple(tensor.shape)}")
    return sizes


def check_floating(name: str, tensor: Tensor) -> None:
    """Check that ``tensor`` holds floating-point numbers."""
    if not tensor.is_floating_point():
        raise InputError(f"{name} must be floating point, got {tensor.dtype}; convert it with .float()")


def check_finite(name: str, tensor: Tensor) -> None:
    """Check that ``tensor`` (B, ...) holds neither NaN nor infinity; the message names the rows of the batch."""
    if bool(torch.isfinite(tensor.sum())):  # one quick pass; the slow one runs only if something is wrong (or huge)
        return
    finite = torch.isfinite(tensor)
    if not bool(finite.all()):
        rows = (~finite.flatten(1).all(1)).nonzero().flatten().tolist() if tensor.ndim > 1 else []
        where = f" in row(s) {rows[:8]}{' …' if len(rows) > 8 else ''} of the batch" if rows else ""
        raise InputError(f"{name} holds NaN or infinity{where}; nothing can be rendered from it")


def check_same_device(**tensors: Tensor | None) -> None:
    """Check that the named tensors lie on one device."""
    devices = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len(set(devices.values())) > 1:
        listing = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise InputError(f"tensors must be on one device, got {listing}; move them with .to(device)")


def _join(shape: Sequence[str | int]) -> str:
    return ", ".join(str(s) for s in shape) + ("," if len(shape) == 1 else "")
