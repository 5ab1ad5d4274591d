"""The numeric arrays of a MATLAB v5 file, read here because a flipped bit in a header crashes scipy's reader.

A file is 128 bytes of header, then elements: type (uint32), size (uint32), payload, padded to 8 bytes. A matrix element
holds four more: flags and class, dimensions, name, numbers. A compressed element is a zlib stream of one element. Every
size is checked against what is there before anything is read or unpacked.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 1 << 30  # bytes of one array unpacked; the largest of BFM 2009 has 128 MB
ELEMENTS = 10_000
_HEAD = 512  # bytes at the start of a matrix that hold its flags, dimensions and name
_COMPRESSED, _MATRIX = 15, 14
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {
    1: "a cell array",
    2: "a struct",
    3: "an object",
    4: "text",
    5: "a sparse matrix",
    16: "a function",
    17: "an object",
}
_COMPLEX = 0x08


class MatError(ValueError):
    """What is wrong with the file, in words that end a sentence."""


class NewerFormat(MatError):
    """MATLAB v7.3, which is HDF5."""


@dataclass(frozen=True)
class Entry:
    """One variable: where it lies and what its header says.

    kind    ``"numbers"``, ``"complex numbers"`` or what else it is
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str
    offset: int
    size: int
    compressed: bool


def entries(path: Path) -> dict[str, Entry]:
    """The variables of a file by name; the numbers are not read."""
    with path.open("rb") as file:
        order = _byte_order(file.read(128))
        total, found = path.stat().st_size, {}
        for offset, kind, size in _elements(file, order, total):
            file.seek(offset)
            if kind == _COMPRESSED:
                head = _unpacked(file.read(min(size, 4 * _HEAD)), _HEAD + 8)
                inner, _ = _tag(head, 0, order)
                start = head[8:]
            elif kind == _MATRIX:
                inner, start = kind, file.read(min(size, _HEAD))
            else:
                continue  # what is no variable
            if inner != _MATRIX:
                raise MatError(f"it holds a compressed element of type {inner}, expected a matrix")
            entry = _entry(start, order, offset, size, kind == _COMPRESSED)
            found[entry.name] = entry
            if len(found) > ELEMENTS:
                raise MatError(f"it holds more than {ELEMENTS:,} variables")
    return found


def read_entry(path: Path, entry: Entry) -> NDArray[Any]:
    """The numbers of a variable whose ``kind`` is ``"numbers"``."""
    count = math.prod(entry.shape)
    needed = count * 8 + 2 * _HEAD  # numbers of at most 8 bytes, and the headers
    if count * np.dtype(entry.dtype).itemsize > LARGEST:
        raise MatError(
            f"the key {entry.name!r} has shape {entry.shape}: more than {LARGEST >> 20:,} MiB, larger than any"
            " array of the model"
        )
    with path.open("rb") as file:
        order = _byte_order(file.read(128))
        file.seek(entry.offset)
        data = file.read(entry.size)
    if entry.compressed:
        data = _unpacked(data, needed)[8:]
    _, position = _dimensions(data, order)
    _, _, position = _sub(data, position, order)  # the name
    kind, numbers, _ = _sub(data, position, order)
    if kind not in _NUMBERS:
        raise MatError(f"the key {entry.name!r} holds numbers of the unknown type {kind}")
    values = np.frombuffer(numbers, np.dtype(f"{order}{_NUMBERS[kind]}")) if len(numbers) % _size(kind) == 0 else None
    if values is None or len(values) != count:
        raise MatError(f"the key {entry.name!r} has shape {entry.shape} and {len(numbers):,} bytes of numbers")
    return values.astype(entry.dtype).reshape(entry.shape, order="F")


def _size(kind: int) -> int:
    return np.dtype(_NUMBERS[kind]).itemsize


def _byte_order(header: bytes) -> str:
    if len(header) < 128 or header[126:128] not in (b"IM", b"MI"):
        raise MatError("it does not begin with the 128 bytes of a MATLAB v5 header")
    order = "<" if header[126:128] == b"IM" else ">"
    version = struct.unpack(f"{order}H", header[124:126])[0]
    if version == 0x0200:
        raise NewerFormat("it is of version 7.3")
    if version != 0x0100:
        raise MatError(f"its header says version {version >> 8}.{version & 255}, expected 1.0")
    return order


def _elements(file: Any, order: str, total: int) -> Iterator[tuple[int, int, int]]:
    """Offset of the payload, type and size of every element at the top."""
    position = 128
    for _ in range(ELEMENTS):
        file.seek(position)
        tag = file.read(8)
        if not tag.strip(b"\0"):
            return
        kind, size = _tag(tag, 0, order)
        if position + 8 + size > total:
            raise MatError(f"an element of {size:,} bytes is announced where {total - position - 8:,} are left")
        yield position + 8, kind, size
        position += 8 + size + (-size % 8 if kind != _COMPRESSED else 0)
    raise MatError(f"it holds more than {ELEMENTS:,} elements")


def _tag(data: bytes, position: int, order: str) -> tuple[int, int]:
    if position + 8 > len(data):
        raise MatError("an element is cut short")
    kind, size = struct.unpack_from(f"{order}II", data, position)
    return int(kind), int(size)


def _sub(data: bytes, position: int, order: str) -> tuple[int, bytes, int]:
    """Type and payload of the element at ``position`` of a matrix, and where the next one begins."""
    kind, size = _tag(data, position, order)
    if kind >> 16:  # up to four bytes, packed into the tag
        kind, size, start, step = kind & 0xFFFF, kind >> 16, position + 4, 8
        if size > 4:
            raise MatError(f"a packed element announces {size:,} bytes, at most 4 are possible")
    else:
        start, step = position + 8, 8 + size + (-size % 8)
    if start + size > len(data):
        raise MatError(f"an element of {size:,} bytes is announced where {len(data) - start:,} are left")
    return kind, data[start : start + size], position + step


def _dimensions(data: bytes, order: str) -> tuple[tuple[int, ...], int]:
    _, flags, position = _sub(data, 0, order)
    if len(flags) != 8:
        raise MatError("the flags of a variable are cut short")
    kind, payload, position = _sub(data, position, order)
    if kind != 5 or not 8 <= len(payload) <= 128 or len(payload) % 4:
        raise MatError("the dimensions of a variable are not in order")
    shape = struct.unpack(f"{order}{len(payload) // 4}i", payload)
    if min(shape) < 0:
        raise MatError(f"a variable has the dimensions {shape}")
    return tuple(map(int, shape)), position


def _entry(data: bytes, order: str, offset: int, size: int, compressed: bool) -> Entry:
    _, flags, _ = _sub(data, 0, order)
    if len(flags) != 8:
        raise MatError("the flags of a variable are cut short")
    word = struct.unpack(f"{order}I", flags[:4])[0]
    code, bits = word & 0xFF, word >> 8 & 0xFF
    if code in _OTHERS:
        kind = _OTHERS[code]
    elif code in _CLASSES:
        kind = "complex numbers" if bits & _COMPLEX else "numbers"
    else:
        raise MatError(f"a variable is of the unknown class {code}")
    if code in (3, 17):  # objects have no dimensions
        return Entry("", (), kind, "", offset, size, compressed)
    shape, position = _dimensions(data, order)
    name = _sub(data, position, order)[1]
    return Entry(name.decode("latin1"), shape, kind, _CLASSES.get(code, ""), offset, size, compressed)


def _unpacked(data: bytes, at_most: int) -> bytes:
    """The first ``at_most`` bytes of a zlib stream."""
    try:
        return zlib.decompressobj().decompress(data, at_most)
    except zlib.error as error:
        raise MatError(f"a compressed element is damaged ({error})") from error
