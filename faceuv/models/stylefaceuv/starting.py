"""The networks at the start of StyleFaceUV's training: trained ones from files, or new ones for a teacher."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from faceuv.errors import InputError
from faceuv.files.locate import locate
from faceuv.models.base.generator import Generator
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv.uv_generator import UVGenerator, load_uv_generator
from faceuv.models.stylegan2 import (
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    load_discriminator,
    pretrained_generator,
)
from faceuv.registry import GENERATORS, MODELS


def is_stylegan2(teacher: Any) -> bool:
    """Whether the teacher's config, or the teacher itself, is a StyleGAN2, as every checkpoint is."""
    if not isinstance(teacher, Mapping):
        return isinstance(teacher, StyleGAN2Generator)
    part = GENERATORS.get(teacher.get("type", ""))
    return part is pretrained_generator or (inspect.isclass(part) and issubclass(part, StyleGAN2Generator))


def start_uv_generator(teacher: Generator, face_model: FaceModel, config: Mapping[str, Any]) -> UVGenerator:
    """The UV generator at the start of training: a trained one, or a new one for the teacher's codes."""
    wanted = {name: value for name, value in config.items() if name != "weights"}
    if config.get("weights") is None:
        return UVGenerator.from_teacher(teacher, face_model=face_model, **wanted)
    found = load_uv_generator(locate(config["weights"]))
    has = {name: found.settings().get(name) for name in wanted}
    if has != wanted:
        asked = {name: value for name, value in wanted.items() if value != has[name]}
        raise InputError(
            f"the UV generator {config['weights']} was not made with {asked}, but with"
            f" { ({name: has[name] for name in asked}) }; set weights=None to start a new one"
        )
    if (found.num_layers, found.code_dim) != (teacher.num_layers, teacher.code_dim):
        raise InputError(
            f"the UV generator {config['weights']} reads codes with L = {found.num_layers}, D = {found.code_dim}; the"
            f" teacher has L = {teacher.num_layers}, D = {teacher.code_dim}: it was trained under another one"
        )
    return found.train_all()


def start_discriminator(size: int, source: str | Path | Mapping[str, Any] | None) -> StyleGAN2Discriminator | None:
    """The discriminator at the start of training."""
    if source is None:
        return None
    if isinstance(source, (str, Path)):
        return load_discriminator(locate(source), size=size).requires_grad_(True).train()
    found = cast(StyleGAN2Discriminator, MODELS.build(source))
    if found.size != size:
        raise InputError(f"the teacher makes {size}² images, the discriminator reads {found.size}²")
    return found
