"""Correspondences in the user's cache, under the fingerprints of both models and of the recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from torch import Tensor

from faceuv.errors import AssetError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.cache import add_arrays, cache_dir, source_hash, warn
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.transfer.correspondence import Correspondence, Placed, correspond, look_up, motion
from faceuv.models.faces.transfer.registration import register
from faceuv.models.faces.transfer.skin import Array, Skin
from faceuv.models.faces.transfer.texels import Texels, find_texels

T = TypeVar("T")

KIND = "correspondence"
_FOLDER = "transfer"
_GEOMETRY = ("mean", "faces", "uv", "landmarks", "weld", "part")


def fingerprint(model: FaceModel) -> str:
    """A hash of what a correspondence depends on: mean shape, faces, chart, landmarks, seams and parts."""
    digest = hashlib.sha256(recipe().encode())
    add_arrays(digest, {name: getattr(model, name) for name in _GEOMETRY})
    digest.update(repr(list(model.metadata.get("parts", ()))).encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=1)
def recipe() -> str:
    """A hash of this package's source: a correspondence of another recipe is not taken."""
    return source_hash("faceuv.models.faces.transfer")


def find(source: FaceModel, target: FaceModel, *, cache: bool = True, verbose: bool = True) -> Correspondence:
    """The correspondence between two models, from the cache or computed; both directions are kept."""
    names = fingerprint(source), fingerprint(target)
    if cache:
        known = _read(path_of(*names), Correspondence.of)
        if known is not None:
            return known
    # In one order whichever way it is asked for: both directions come out of one registration.
    order = (0, 1) if names[0] <= names[1] else (1, 0)
    models = [(source, target)[k] for k in order]
    skins = Skin.of(models[0]), Skin.of(models[1])
    with _progress(f"{_name(source)} → {_name(target)}: registering surfaces", verbose) as progress:
        at = registered(*skins, progress)
    first, second = (Placed.of(*each) for each in zip(models, skins, at))
    hits, back = look_up(first, second), look_up(second, first)
    frames = motion(first, second, hits)
    pair = correspond(first, second, hits, frames), correspond(second, first, back, frames.inverse())
    if order == (1, 0):
        pair = pair[::-1]
    if cache:
        _write(path_of(*names), pair[0].tensors(), pair[0].errors, f"{_name(source)} → {_name(target)}")
        _write(path_of(*names[::-1]), pair[1].tensors(), pair[1].errors, f"{_name(target)} → {_name(source)}")
    return pair[0]


def stored_texels(
    source: FaceModel,
    target: FaceModel,
    found: Correspondence,
    height: int,
    width: int,
    *,
    cache: bool = True,
    verbose: bool = True,
) -> Texels:
    """The correspondence per texel, from the cache or computed."""
    base = path_of(fingerprint(source), fingerprint(target))
    path = base.with_name(f"{base.stem}_{height}x{width}.safetensors")
    known = _read(path, Texels.of) if cache else None
    if known is not None:
        return known
    with _progress(f"{_name(source)} → {_name(target)}: texels of {height} × {width}", verbose):
        made = find_texels(source, target, found, height, width)
    if cache:
        _write(path, made.tensors(), {}, f"{_name(source)} → {_name(target)}, {height} × {width} texels")
    return made


def registered(source: Skin, target: Skin, progress: Callable[[float], None]) -> tuple[Array, Array]:
    """The vertices of both skins in one frame. The smaller surface is laid on the larger one: a face without a back of
    the head has a counterpart everywhere, and nothing is guessed."""
    if _area(source) <= _area(target):
        return register(source, target, progress), target.vertices
    return source.vertices, register(target, source, progress)


def path_of(source: str, target: str) -> Path:
    """The cached file of a pair of fingerprints."""
    return cache_dir() / _FOLDER / f"{source}_{target}.safetensors"


def _area(skin: Skin) -> float:
    a, b, c = (skin.vertices[skin.faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _name(model: FaceModel) -> str:
    return type(model).__name__


class _progress:
    """A status line with the share that is done; silent where ``verbose`` is False."""

    def __init__(self, text: str, verbose: bool) -> None:
        self.text = text
        self.status = Console(stderr=True).status(f"{text} …") if verbose else None

    def __enter__(self) -> Callable[[float], None]:
        if self.status is None:
            return lambda part: None
        self.status.__enter__()
        return lambda part: self.status.update(f"{self.text} {part:.0%}")  # type: ignore[union-attr]

    def __exit__(self, *error: object) -> None:
        if self.status is not None:
            self.status.__exit__(None, None, None)


def _read(path: Path, make: Callable[[dict[str, Tensor], dict[str, Any]], T]) -> T | None:
    if not path.is_file():
        return None
    try:
        return make(*load_tensors(path, kind=KIND))
    except (AssetError, KeyError) as error:
        warn(f"the cached correspondence {path} is damaged and will be computed again: {error}")
        return None


def _write(path: Path, tensors: dict[str, Tensor], errors: Mapping[str, Any], title: str) -> None:
    try:
        save_tensors(path, tensors, {"kind": KIND, "title": title, "errors": dict(errors)})
    except (AssetError, OSError) as error:
        warn(f"the correspondence works but could not be cached, so the next start is slow again: {error}")
