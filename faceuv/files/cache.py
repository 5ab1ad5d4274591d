"""Where faceuv keeps what it can make again."""

from __future__ import annotations

import os
import warnings
from pathlib import Path


class CacheWarning(UserWarning):
    """Something about the cache failed; the result is right all the same."""


def cache_dir() -> Path:
    """``$FACEUV_CACHE``, else ``$XDG_CACHE_HOME/faceuv``, else ``~/.cache/faceuv``; not created here."""
    if own := os.environ.get("FACEUV_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "faceuv"
    return Path("~/.cache/faceuv").expanduser()


def warn(message: str) -> None:
    """Warn about the cache; nothing stops."""
    warnings.warn(message, CacheWarning, stacklevel=3)
