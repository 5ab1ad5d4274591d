"""Numeric arrays out of MATLAB v5 files, checked one by one. Nothing is unpickled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceuv.checks import shown
from faceuv.models.faces.bfm2009.matv5 import Entry, MatError, NewerFormat, entries, read_entry
from faceuv.models.faces.bfm2009.sources import Source

Array = NDArray[Any]

_HDF5_SIGNATURE = b"\x89HDF"


@dataclass(frozen=True)
class Field:
    """An array wanted from a file: a one-axis ``shape`` also accepts MATLAB's (n, 1) and (1, n).

    ``index_below``: the values are 1-based indices 1 … n; they are returned as int64, 0-based.
    """

    key: str
    shape: tuple[int, ...]
    index_below: int | None = None


def read_mat(path: Path, fields: Sequence[Field], source: Source) -> dict[str, Array]:
    """The wanted arrays by key, checked for presence, kind, shape and values."""
    found = list_keys(path, source)
    missing = [field.key for field in fields if field.key not in found]
    if missing:
        listing = ", ".join(f"{name} {entry.shape}" for name, entry in list(found.items())[:20]) or "no keys at all"
        raise source.error(path, f"the key(s) {', '.join(missing)} are missing, found {shown(listing, 400)[1:-1]}")
    return {field.key: read_field(path, field, found[field.key], source) for field in fields}


def list_keys(path: Path, source: Source) -> dict[str, Entry]:
    """What a ``.mat`` file holds, by key; no numbers are read."""
    _check_kind(path, source)
    try:
        return entries(path)
    except NewerFormat as error:
        raise _hdf5_error(path, source) from error
    except (MatError, OSError) as error:
        raise _unreadable(path, source, error) from error


def read_field(path: Path, field: Field, entry: Entry, source: Source) -> Array:
    """One array; its kind and shape are compared with what is wanted before its numbers are read."""
    name = f"the key {field.key!r}"
    if entry.kind != "numbers":
        raise source.error(path, f"{name} must be an array of real numbers, got {entry.kind}")
    vector = len(field.shape) == 1 and max(entry.shape, default=1) == math.prod(entry.shape)
    shape = (math.prod(entry.shape),) if vector else entry.shape
    if shape != field.shape:
        hint = " (it is transposed)" if shape[::-1] == field.shape else ""
        raise source.error(path, f"{name} must have shape {field.shape}, got {shape}{hint}")
    try:
        value = read_entry(path, entry).reshape(shape)
    except (MatError, OSError) as error:
        raise _unreadable(path, source, error) from error
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise source.error(path, f"{name} holds NaN or infinity")
    return value if field.index_below is None else _indices(path, name, value, field.index_below, source)


def _indices(path: Path, name: str, value: Array, count: int, source: Source) -> Array:
    integers = value.astype(np.int64)
    if not np.array_equal(integers, value):
        raise source.error(path, f"{name} must hold whole numbers, got fractions")
    if integers.size and not (integers.min() >= 1 and integers.max() <= count):
        raise source.error(
            path, f"{name} must hold 1-based indices 1 … {count}, got {integers.min()} … {integers.max()}"
        )
    return integers - 1


def _check_kind(path: Path, source: Source) -> None:
    if not path.is_file():
        raise source.error(path, "there is no such file")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise source.error(path, f"cannot be read ({error.strerror or error})") from error
    if start == _HDF5_SIGNATURE:
        raise _hdf5_error(path, source)


def _hdf5_error(path: Path, source: Source) -> Exception:
    return source.error(
        path,
        "this is HDF5 (MATLAB v7.3, or another edition of the model), expected MATLAB v5;"
        " if it is the right model, load it in MATLAB and write it again with save(name, '-v7')",
    )


def _unreadable(path: Path, source: Source, error: Exception) -> Exception:
    return source.error(path, f"not a readable MATLAB v5 file, or cut short: {error}")
