"""OBJ text → arrays: what ICT-FaceKit's files use of it (``v``, ``vt``, ``usemtl``, ``f``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceuv.errors import AssetError

_LARGEST = 200_000_000  # bytes: the published files have 2.6 million


@dataclass(frozen=True)
class ObjLines:
    """The lines of an OBJ file by kind, without their first word; ``materials`` has one name per face."""

    path: Path
    vertices: list[bytes]
    texture: list[bytes]
    faces: list[bytes]
    materials: list[str]


def read_lines(path: Path) -> ObjLines:
    """Sort the lines of a file; nothing is converted yet."""
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise AssetError(f"{path} has {size:,} bytes; an OBJ file of ICT-FaceKit has about 2.6 million")
        data = path.read_bytes()
    except FileNotFoundError:
        raise AssetError(f"{path} was not found") from None
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    vertices, texture, faces, materials = [], [], [], []
    material = ""
    for line in data.splitlines():
        word, _, rest = line.strip().partition(b" ")
        if word == b"v":
            vertices.append(rest)
        elif word == b"vt":
            texture.append(rest)
        elif word == b"f":
            faces.append(rest)
            materials.append(material)
        elif word == b"usemtl":
            material = rest.strip().decode("ascii", "replace")
    return ObjLines(path, vertices, texture, faces, materials)


def numbers(path: Path, lines: Sequence[bytes], columns: int, what: str) -> NDArray[np.float64]:
    """``(len(lines), columns)`` finite numbers."""
    words = b" ".join(lines).split()
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise AssetError(f"{path}: the {what} must be numbers, got {str(error)[:80]}") from None
    if len(values) != columns * len(lines):
        raise AssetError(
            f"{path}: every {what} line must have {columns} numbers, got {len(values)} on {len(lines)} lines"
        )
    values = values.reshape(-1, columns)
    finite = np.isfinite(values).all(1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise AssetError(f"{path}: {what} {first + 1} is not finite: {values[first].tolist()}")
    return values


def corners(path: Path, lines: Sequence[bytes], vertices: int, texture: int) -> NDArray[np.int64]:
    """``(len(lines), 4, 2)``: vertex and texture coordinate of each corner, 0-based; −1 where a triangle has no fourth.

    Args:
        lines: of the form ``v/vt v/vt v/vt [v/vt]``.
        vertices, texture: how many the file has.
    """
    found = np.full((len(lines), 4, 2), -1, np.int64)
    used = np.zeros((len(lines), 4), bool)
    for face, line in enumerate(lines):
        words = line.split()
        try:
            pairs = [[int(number) for number in word.split(b"/")[:2]] for word in words]
            found[face, : len(pairs)] = pairs
            used[face, : len(pairs)] = True
        except ValueError:
            pairs = []
        if len(pairs) not in (3, 4):
            shown = line[:60].decode(errors="replace")
            raise AssetError(f"{path}: face {face + 1} must have 3 or 4 corners of the form v/vt, got {shown!r}")
    for axis, count, what in ((0, vertices, "vertices"), (1, texture, "texture coordinates")):
        index = found[..., axis]
        if not ((index[used] >= 1) & (index[used] <= count)).all():
            raise AssetError(
                f"{path}: faces must use {what} 1 … {count}, got {index[used].min()} … {index[used].max()}"
            )
    found[used] -= 1
    return found
