"""Checks of what a mesh file is made of: arrays or tensors in, float32 and int64 arrays out, or one clear line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import InputError

RANGE_TOLERANCE = 1e-3  # of an 8-bit picture's step, roughly a quarter: rounding, not another range

Array = np.ndarray | Tensor


def as_numpy(name: str, value: Array) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # numpy knows no bfloat16
    if isinstance(value, np.ndarray):
        return value
    raise InputError(f"{name} must be a torch.Tensor or a numpy array, got {type(value).__name__}")


def floats(name: str, value: Array, shape: tuple[str | int, ...], sizes: dict[str, int]) -> np.ndarray:
    array = as_numpy(name, value)
    fits = array.ndim == len(shape) and all(
        size == (sizes.get(axis, size) if isinstance(axis, str) else axis) for size, axis in zip(array.shape, shape)
    )
    if not fits:
        known = "".join(f", {axis} = {size}" for axis, size in sizes.items() if axis in shape)
        batch = "; files hold one surface: index the batch first" if array.ndim == len(shape) + 1 else ""
        raise InputError(f"{name} must have shape ({', '.join(map(str, shape))}){known}, got {array.shape}{batch}")
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{name} must be floating point, got {array.dtype}")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, an error below
        array = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(array)
    if not finite.all():
        rows = np.unique(np.nonzero(~finite)[0])
        where = ", ".join(map(str, rows[:5])) + (" …" if len(rows) > 5 else "")
        raise InputError(
            f"{name} holds NaN, infinity or values beyond float32 in {len(rows)} row(s) ({where}):"
            " nothing can be written from it"
        )
    return array


def triangles(value: Array, count: int, name: str = "faces") -> np.ndarray:
    array = as_numpy(name, value)
    if array.ndim != 2 or array.shape[1] != 3 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} must be integers of shape (F, 3), got {array.dtype} {array.shape}")
    if len(array) == 0:
        raise InputError(f"{name} is empty: there is no surface to write")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= count:
        raise InputError(f"{name} must name vertices 0 … {count - 1} (0-based), got {low} … {high}")
    return np.ascontiguousarray(array, dtype=np.int64)


def picture(name: str, value: Array) -> np.ndarray:
    array = floats(name, value, (3, "H", "W"), {})
    if array.shape[1] == 0 or array.shape[2] == 0:
        raise InputError(f"{name} is empty: expected (3, H, W) with at least one texel, got {array.shape}")
    return in_unit_range(name, array)


def in_unit_range(name: str, array: np.ndarray) -> np.ndarray:
    low, high = float(array.min()), float(array.max())
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise InputError(
            f"{name} must lie in [0, 1], got {low:.4g} … {high:.4g}; clamp it, or map [−1, 1] or 0 … 255 there"
        )
    return array if low >= 0 and high <= 1 else array.clip(0, 1)


def unit_tangents(tangents: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(tangents[:, :3], axis=1, keepdims=True)
    if float(length.min()) < 1e-12:
        raise InputError("tangents must have xyz of non-zero length; leave them out to have them made from uv")
    return np.concatenate([tangents[:, :3] / length, np.where(tangents[:, 3:] < 0, -1, 1)], 1).astype(np.float32)


def one_line(name: str) -> str:
    if not name or not name.isprintable():
        raise InputError(f"the name must be a non-empty printable line, got {name!r}")
    return name


def json_values(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata as a reader gets it back; values that JSON cannot hold are an error."""
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False, sort_keys=True)
        values = json.loads(text.encode())  # half a surrogate pair passes dumps and fails here
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata must be JSON values (text, finite numbers, lists, dicts): {error}") from error
    return dict(values)
