"""A trained generator as a part that a config can name."""

from __future__ import annotations

from faceuv.files.locate import locate
from faceuv.models.stylegan2.checkpoints import load_generator
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.registry import GENERATORS


@GENERATORS.register_module(name="PretrainedGenerator")
def pretrained_generator(path: str, size: int | None = None) -> StyleGAN2Generator:
    """A StyleGAN2 generator from a file of any known layout, frozen.

    Args:
        path: the file, or ``zoo:teacher_64/generator.safetensors``.
        size: expected size of the images; another one is an error.
    """
    return load_generator(locate(path), size=size)
