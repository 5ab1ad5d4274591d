"""The folder of cached files, which can all be computed again."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from faceuv.files.paths import user_path

if TYPE_CHECKING:
    from torch import Tensor


class Digest(Protocol):
    """What :mod:`hashlib` makes."""

    def update(self, data: bytes, /) -> None: ...


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


def add_arrays(digest: Digest, arrays: Mapping[str, Tensor | None]) -> None:
    """Feed named arrays, those that there are, into a hash of what a cached file was made from."""
    for name, array in arrays.items():
        if array is not None:
            digest.update(name.encode())
            digest.update(array.detach().cpu().contiguous().numpy().tobytes())


def warn(message: str) -> None:
    """Warn about the cache; nothing stops."""
    warnings.warn(message, CacheWarning, stacklevel=3)
