"""The folder of cached files, which can all be computed again."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from faceuv.files.paths import user_path


class CacheWarning(UserWarning):
    """Something about the cache failed; the result is correct."""


def cache_dir() -> Path:
    """``$FACEUV_CACHE``, else ``$XDG_CACHE_HOME/faceuv``, else ``~/.cache/faceuv``; not created here."""
    if own := os.environ.get("FACEUV_CACHE"):
        return user_path(own)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return user_path(xdg) / "faceuv"
    return user_path("~/.cache/faceuv")


def warn(message: str) -> None:
    """Warn about the cache; nothing stops."""
    warnings.warn(message, CacheWarning, stacklevel=3)
