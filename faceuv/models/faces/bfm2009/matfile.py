"""Numeric arrays out of MATLAB v5 files, checked one by one. Nothing is unpickled."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from faceuv.models.faces.bfm2009.sources import Source

Array = NDArray[Any]

# What scipy raises on a file that is cut short or is something else, beside its own error.
_UNREADABLE = (
    MatReadError, ValueError, TypeError, EOFError, OSError, IndexError, KeyError, OverflowError,
    zlib.error, struct.error,
)  # fmt: skip
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
    found = load_keys(path, [field.key for field in fields], source)
    missing = [field.key for field in fields if field.key not in found]
    if missing:
        raise source.error(path, f"the key(s) {', '.join(missing)} are missing, found {_listing(path, source)}")
    return {field.key: check_field(path, field, found[field.key], source) for field in fields}


def load_keys(path: Path, keys: Sequence[str], source: Source) -> dict[str, Array]:
    """Those of ``keys`` that a ``.mat`` file holds, unchecked; the rest of the file is not read."""
    _check_kind(path, source)
    try:
        return {key: value for key, value in loadmat(str(path), variable_names=list(keys)).items() if key in keys}
    except NotImplementedError as error:
        raise _hdf5_error(path, source) from error
    except _UNREADABLE as error:
        raise _unreadable(path, source, error) from error


def check_field(path: Path, field: Field, value: Array, source: Source) -> Array:
    """One array against what was wanted of it."""
    name = f"the key {field.key!r}"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        kind = value.dtype if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise source.error(path, f"{name} must be an array of real numbers, got {kind}")
    if len(field.shape) == 1 and max(value.shape, default=1) == value.size:
        value = value.reshape(-1)
    if value.shape != field.shape:
        hint = " (it is transposed)" if value.T.shape == field.shape else ""
        raise source.error(path, f"{name} must have shape {field.shape}, got {value.shape}{hint}")
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
        " if it is the right model, load it in MATLAB and write it anew with save(name, '-v7')",
    )


def _unreadable(path: Path, source: Source, error: Exception) -> Exception:
    return source.error(path, f"not a readable MATLAB v5 file, or cut short ({type(error).__name__}: {error})")


def _listing(path: Path, source: Source) -> str:
    try:
        return ", ".join(f"{name} {shape}" for name, shape, _ in whosmat(str(path))) or "no keys at all"
    except _UNREADABLE as error:
        raise _unreadable(path, source, error) from error
