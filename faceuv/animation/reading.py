"""Reads an animation of any known layout."""

from __future__ import annotations

from pathlib import Path

from faceuv.animation.audio2face import read_audio2face
from faceuv.animation.data import ARKitAnimation
from faceuv.animation.tables import read_csv
from faceuv.checks import file_path
from faceuv.errors import AssetError


def read_animation(path: str | Path, *, fps: float | None = None) -> ARKitAnimation:
    """The animation of a ``.csv`` (Live Link Face, or a plain table) or ``.json`` (Audio2Face) file.

    Args:
        fps: frames per second, where the file does not say them or says them wrong.
    """
    path = file_path(path)
    readers = {".csv": read_csv, ".json": read_audio2face}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise AssetError(
            f"{path}: an animation ends in .csv (Live Link Face, or a table with ARKit's names) or .json (Audio2Face)"
        )
    return reader(path, fps=fps)
