"""The exceptions of faceuv.

Each message says what was expected, what came and what to do. All of them derive from :class:`FaceUVError`,
so that a command line can print one clear line, and from the built-in error a caller would catch anyway.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any


class FaceUVError(Exception):
    """Base of all exceptions of this library."""


class InputError(FaceUVError, ValueError):
    """A wrong shape, dtype, device, range or value."""


class AssetError(FaceUVError, OSError):
    """A missing, truncated or wrong file; the message names the file and how to get a right one."""


class MissingDependency(FaceUVError, ImportError):
    """An optional package is not installed; the message gives the install line and the built-in alternative."""


class UnknownName(FaceUVError, KeyError):
    """A registry does not know the name; the message lists the known ones."""

    def __str__(self) -> str:  # KeyError would print the repr, with the line breaks escaped
        return str(self.args[0]) if self.args else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``". Did you mean 'smile'?"`` for the end of a message, or nothing if no known name is near."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    return f". Did you mean {folded[near[0]]!r}?" if near else ""


class _Shown(reprlib.Repr):
    """``repr`` of bounded length, for any value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = 200

    def repr_int(self, value: int, level: int) -> str:
        return super().repr_int(value, level) if value.bit_length() < 2000 else f"<{value.bit_length()}-bit integer>"

    def repr_Tensor(self, value: Any, level: int) -> str:
        return f"<tensor {tuple(value.shape)} {value.dtype}>"

    def repr_ndarray(self, value: Any, level: int) -> str:
        return f"<array {value.shape} {value.dtype}>"


def shown(value: Any, limit: int = 80) -> str:
    """``value`` for a message: its ``repr`` on one line, of at most ``limit`` characters, in bounded time."""
    return one_line(_Shown().repr(value), limit)


def one_line(text: object, limit: int = 160) -> str:
    """The words of another library's message, or any text, on one line of at most ``limit`` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 2]} …"
