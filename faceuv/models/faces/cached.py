"""Face models that are built once and then read from the user's cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from faceuv.errors import AssetError
from faceuv.files.cache import warn
from faceuv.models.faces.base import FaceModel


@dataclass(frozen=True)
class Built:
    """What :class:`~faceuv.models.faces.base.FaceModel` takes."""

    arrays: dict[str, Tensor]
    names: dict[str, list[str]]
    metadata: dict[str, Any]


def read_cached(path: Path) -> Built | None:
    """The cached model, or None if there is none (a damaged one is reported and built again)."""
    if not path.is_file():
        return None
    try:
        arrays, names, metadata = FaceModel.read(path)
    except AssetError as error:
        warn(f"the cached face model is damaged and is built again: {error}")
        return None
    return Built(arrays, names, metadata)


def write_cached(model: FaceModel, path: Path) -> None:
    """Keep a built model; a cache that cannot be written is a warning, the model works without it."""
    try:
        model.save(path)
    except (AssetError, OSError) as error:
        warn(f"the face model works but could not be cached, so the next start is slow again: {error}")
