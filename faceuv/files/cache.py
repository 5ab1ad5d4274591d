"""The folder of cached files, which can all be computed again."""

from __future__ import annotations

import hashlib
import os
import warnings
from importlib import resources
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


def source_hash(package: str) -> str:
    """A hash of the modules of a package: what another recipe made and cached is never taken for today's."""
    digest = hashlib.sha256()
    for file in sorted(resources.files(package).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def warn(message: str) -> None:
    """Warn about the cache; nothing stops."""
    warnings.warn(message, CacheWarning, stacklevel=3)
