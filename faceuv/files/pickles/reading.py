"""Reads a pickle and checks all of its content before it is returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.checks import one_line
from faceuv.errors import AssetError
from faceuv.files.pickles.machine import Bounded, Machine
from faceuv.files.pickles.values import Budget, Name, Storage, Stub

DEPTH = 100  # containers within containers; modules of a network lie some 20 deep
NODES = 2_000_000  # values, each counted as often as it is referred to
_SPARE = 64 << 20  # bytes, for small files
_LEAVES = (
    type(None), bool, int, float, complex, str, bytes, bytearray, slice, Name, Storage, np.ndarray, np.generic,
    np.dtype, Tensor, torch.dtype,
)  # fmt: skip


def read_pickle(
    path: str | Path,
    *,
    expected: str,
    stubs: Iterable[str],
    kept: Mapping[str, tuple[str, ...]] | None = None,
    skip: int = 0,
) -> Any:
    """The contents of a pickle: numbers, containers, numpy arrays, CPU tensors, and :class:`Stub` for the rest.

    The values form a tree of bounded depth and size, so that code that follows may recurse, compare and print.

    Args:
        expected: what the file should be, for messages: ``"StyleGAN2 network pickle"``.
        stubs: prefixes of the names of classes that become stubs: ``("torch.nn.modules.",)``.
        kept: prefix → the only entries that are kept of the state of such stubs, where the rest is of no use or
            refers back to the whole: ``{"chumpy.": ("x",)}``.
        skip: bytes before the pickle, such as the header of a ``.npy``.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        budget = Budget(4 * size + _SPARE)
        with path.open("rb") as file:
            file.seek(skip)
            bounded = Bounded(file, max(size - skip, 0))
            value = Machine(bounded, budget, expected=expected, stubs=tuple(stubs), kept=kept).load()
        _check_tree(value, 4 * size + _SPARE)
    except AssetError as error:
        raise AssetError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist; expected a {expected}") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise AssetError(
            f"{path} is not a readable pickle ({type(error).__name__}: {one_line(error)}); it may be truncated or"
            " of another kind"
        ) from error
    return value


def _check_tree(root: Any, most_bytes: int) -> None:
    """Refuse cycles, depth, and sharing that unfolds to far more than the file holds. Works without recursion."""
    sizes: dict[int, tuple[int, int, int]] = {}  # id → depth, values and array bytes below, sharing unfolded
    open_now: set[int] = set()
    todo: list[tuple[Any, bool]] = [(root, False)]
    while todo:
        value, done = todo.pop()
        key = id(value)
        if key in sizes:
            continue
        if not done:
            if key in open_now:
                raise AssetError("this pickle holds a list or dictionary that contains itself: refused")
            children = _children(value)
            if not children:
                sizes[key] = (0, 1, _bytes_of(value))
                continue
            open_now.add(key)
            todo.append((value, True))
            todo.extend((child, False) for child in children)
            continue
        open_now.discard(key)
        below = [sizes[id(child)] for child in _children(value)]
        depth = 1 + max(one[0] for one in below)
        nodes = 1 + sum(one[1] for one in below)
        held = sum(one[2] for one in below)
        if depth > DEPTH:
            raise AssetError(f"this pickle nests lists and dictionaries more than {DEPTH} deep: refused")
        if nodes > NODES or held > most_bytes:
            raise AssetError("this pickle refers to the same values over and over, far beyond its own size: refused")
        sizes[key] = (depth, nodes, held)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())  # keys are plain
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, Stub):
        return [value.args, value.kwargs, value.state]
    if not isinstance(value, _LEAVES):
        raise AssetError(f"this pickle holds an unfinished {type(value).__name__.lower()}; it is damaged")
    return []


def _bytes_of(value: Any) -> int:
    if isinstance(value, (np.ndarray, np.generic)):
        return int(value.nbytes)
    return value.numel() * value.element_size() if isinstance(value, Tensor) else 0
