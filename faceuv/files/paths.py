"""Paths as users write them. Imports nothing heavy: asset folders are asked for before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from faceuv.errors import InputError


def user_path(path: Any) -> Path:
    """``path`` with ``~`` and ``~name`` replaced by the home folder."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"a file is named by a text or a path, got a {type(path).__name__}")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(path)[:80]!r} names a home folder that is not here; give the whole path") from error
