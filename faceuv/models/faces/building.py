"""Face models and renderers from what people write: nothing, a name, a config, or the part itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceuv.checks import one_line, shown
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.models.faces.base import FaceModel
from faceuv.registry import FACE_MODELS, RENDERERS, Registry
from faceuv.renderers import Renderer

Config = str | Mapping[str, Any]

DEFAULT_FACE_MODEL = "ProceduralFace"
DEFAULT_RENDERER = {"type": "torch", "samples": 2}  # two samples per axis: pictures without aliasing
FILE_VERTICES = 70_000  # of the mesh that a file may ask for: twice the default, 15 s and 1.3 GB to build


def build_face_model(config: Config | FaceModel | None) -> FaceModel:
    """A face model from a name, a config or itself; ``None`` is the procedural one."""
    model = _built(FACE_MODELS, DEFAULT_FACE_MODEL if config is None else config)
    if not isinstance(model, FaceModel):
        raise InputError(f"a face model is a name, a config or a FaceModel, got {shown(model)}")
    return model


def build_renderer(config: Config | Renderer | None) -> Renderer:
    """A renderer from a name, a config or itself; ``None`` is the built-in one."""
    renderer = _built(RENDERERS, DEFAULT_RENDERER if config is None else config)
    if not isinstance(renderer, Renderer):
        raise InputError(f"a renderer is a name, a config or a Renderer, got {shown(renderer)}")
    return renderer


def stored_face_model(path: str | Path, config: Any) -> FaceModel:
    """The face model that a file names.

    A model of more than :data:`FILE_VERTICES` rows times columns is an error: a file of a kilobyte must not cause
    minutes and gigabytes of work.
    """
    if config is not None and not isinstance(config, (str, Mapping)):
        raise AssetError(f"{path}: its face model must be a name or a config with a type, found {shown(config)}")
    sizes = [config.get(name, 1) for name in ("rows", "columns")] if isinstance(config, Mapping) else [1]
    whole = all(isinstance(size, int) for size in sizes)
    if whole and math.prod(sizes) > FILE_VERTICES:
        raise AssetError(
            f"{path} names a face model of {' × '.join(map(str, sizes))} vertices; at most"
            f" {FILE_VERTICES:,} are built for a file. To build more, pass face_model= yourself"
        )
    try:
        return build_face_model(config)
    except FaceUVError as error:
        raise AssetError(f"{path}: its face model cannot be built: {error}") from error


def _built(registry: Registry, config: Any) -> Any:
    try:
        return registry.build(config)
    except (TypeError, ValueError) as error:  # of a constructor, about its arguments
        if isinstance(error, FaceUVError):
            raise
        raise InputError(one_line(error, 300)) from error


def name_of(model: FaceModel) -> str:
    """The name in ``FACE_MODELS`` of a model's class."""
    return FACE_MODELS.name_of(type(model))
