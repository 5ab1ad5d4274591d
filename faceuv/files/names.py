"""Names out of files and data: made into file names that are safe, and paths that stay below their folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from faceuv.checks import shown
from faceuv.errors import AssetError

LONGEST = 100  # bytes of a file name, without suffixes; file systems take 255
# Separators, what Windows forbids, control characters and half surrogates.
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def file_name(name: str, fallback: str = "unnamed") -> str:
    """``name`` as one part of a path on any system: no separators, no leading dot, not too long.

    >>> file_name("../../smile:0")
    '_.._smile_0'
    """
    text = _UNSAFE.sub("_", name).strip(" .")
    if not name.startswith(".") and text == name and len(text.encode()) <= LONGEST and not _RESERVED.fullmatch(text):
        return text or fallback
    text = text.encode()[:LONGEST].decode(errors="ignore").strip(" .") or fallback
    return f"{text}_" if _RESERVED.fullmatch(text) else text


def file_names(names: Sequence[str], fallback: str = "unnamed") -> list[str]:
    """:func:`file_name` of each; names that would share a file (on a system that ignores case, too) get numbers."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = candidate = file_name(name, fallback)
        number = 2
        while candidate.casefold() in taken:
            candidate = f"{plain}_{number}"
            number += 1
        taken.add(candidate.casefold())
        found.append(candidate)
    return found


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text that any file and message can hold: bytes of a name that are no text become ``�``."""
    return os.fsencode(path).decode("utf-8", "replace")


def below(folder: str | Path, name: object, what: str) -> Path:
    """The path of ``name``, which a file gives, in ``folder``; an error unless it lies below it.

    Absolute names, names with ``..`` and links that lead out of the folder are refused.

    Args:
        what: what messages call the name: ``"an output in stage.json"``.
    """
    folder = Path(folder)
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise AssetError(f"{what} must be the path of a file below {folder}, found {shown(name)}")
    path = folder / name
    inside = not Path(name).is_absolute() and ".." not in Path(name).parts and "\\" not in name
    try:
        inside = inside and path.resolve().is_relative_to(folder.resolve()) and path.resolve() != folder.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that is too long
        inside = False
    if not inside:
        raise AssetError(f"{what} leads out of its folder: {shown(name)} is not below {folder}; nothing was touched")
    return path
