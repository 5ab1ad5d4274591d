"""The binary chunk of a glTF file, with the views and accessors that describe it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


@dataclass(frozen=True)
class Component:
    """How a number is stored: its numpy type, glTF's code, and the integer that stands for 1 (0: as it is)."""

    kind: str
    code: int
    one: int = 0

    def stored(self, array: np.ndarray) -> np.ndarray:
        """Numbers as they lie in the file; what a normalised integer cannot reach is cut off."""
        if not self.one:
            return np.ascontiguousarray(array, self.kind)
        low = -self.one if np.dtype(self.kind).kind == "i" else 0
        return np.rint(np.asarray(array, np.float64) * self.one).clip(low, self.one).astype(self.kind)


FLOAT = Component("<f4", 5126)
BYTE, UBYTE = Component("i1", 5120, 127), Component("u1", 5121, 255)
SHORT, USHORT = Component("<i2", 5122, 32767), Component("<u2", 5123, 65535)
JOINT = Component("u1", 5121)
_INDEX_16, _INDEX_32 = Component("<u2", 5123), Component("<u4", 5125)


def index_component(count: int) -> Component:
    """The smallest index type for ``count`` vertices; its largest value is reserved by graphics APIs."""
    return _INDEX_16 if count <= 65535 else _INDEX_32


class Buffer:
    """The binary chunk as it grows."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None, stride: int | None = None) -> int:
        """Append bytes at a multiple of 4, as every component type here demands; return the view's index."""
        self.data.extend(b"\0" * (-len(self.data) % 4))
        entry = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        if target is not None:
            entry["target"] = target
        if stride is not None:
            entry["byteStride"] = stride
        self.data.extend(data)
        self.views.append(entry)
        return len(self.views) - 1

    def attribute(self, array: np.ndarray, component: Component = FLOAT, *, bounds: bool = False) -> int:
        """A vertex attribute (V, n); glTF demands ``bounds`` for positions."""
        stored = component.stored(array)
        width = stored.shape[1] * stored.itemsize
        if width % 4 == 0:
            view = self.view(stored.tobytes(), _ARRAY_BUFFER)
        else:  # rows begin at multiples of 4
            padded = np.zeros((len(stored), width + -width % 4), np.uint8)
            padded[:, :width] = stored.view(np.uint8).reshape(len(stored), width)
            view = self.view(padded.tobytes(), _ARRAY_BUFFER, padded.shape[1])
        return self._accessor({"bufferView": view}, stored, component, bounds)

    def sparse(
        self, rows: np.ndarray, values: np.ndarray, count: int, component: Component = FLOAT, *, bounds: bool = False
    ) -> int:
        """An attribute of ``count`` vertices, zero but at ``rows``: only those are stored, if that is smaller."""
        index = index_component(count)
        stored = component.stored(values)
        kept = functools.reduce(np.logical_or, stored.T)
        if not kept.all():
            rows, values, stored = rows[kept], values[kept], stored[kept]
        width = stored.shape[1] * stored.itemsize
        if len(rows) * (np.dtype(index.kind).itemsize + width) >= count * (width + -width % 4):
            dense = np.zeros((count, values.shape[1]), np.float64)
            dense[rows] = values
            return self.attribute(dense, component, bounds=bounds)
        if not len(rows):  # glTF allows no empty list; vertex 0 "moves" by zero
            rows, stored = np.zeros(1, np.int64), np.zeros((1, stored.shape[1]), stored.dtype)
        entry = {
            "count": len(rows),
            "indices": {"bufferView": self.view(index.stored(rows).tobytes()), "componentType": index.code},
            "values": {"bufferView": self.view(stored.tobytes())},
        }
        number = self._accessor({"sparse": entry}, stored, component, bounds, count)
        if bounds and len(rows) < count:  # the zeros count too
            accessor = self.accessors[number]
            accessor["min"] = [min(value, 0) for value in accessor["min"]]
            accessor["max"] = [max(value, 0) for value in accessor["max"]]
        return number

    def indices(self, array: np.ndarray, count: int) -> int:
        """Triangles (F, 3) over ``count`` vertices."""
        index = index_component(count)
        stored = index.stored(array.reshape(-1, 1))
        return self._accessor({"bufferView": self.view(stored.tobytes(), _ELEMENT_ARRAY_BUFFER)}, stored, index, False)

    def numbers(self, array: np.ndarray, *, bounds: bool = False) -> int:
        """Rows of floats that are no vertex attribute: times, weights, rotations, matrices (N, 16)."""
        stored = FLOAT.stored(array)
        return self._accessor({"bufferView": self.view(stored.tobytes())}, stored, FLOAT, bounds)

    def _accessor(
        self, entry: dict[str, Any], stored: np.ndarray, component: Component, bounds: bool, count: int | None = None
    ) -> int:
        entry |= {"componentType": component.code, "count": len(stored) if count is None else count}
        entry["type"] = _TYPES[stored.shape[1]]
        if component.one:
            entry["normalized"] = True
        if bounds:
            entry |= {"min": [axis.min().item() for axis in stored.T], "max": [axis.max().item() for axis in stored.T]}
        self.accessors.append(entry)
        return len(self.accessors) - 1
