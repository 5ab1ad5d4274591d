"""Trained StyleGAN2 networks that configs name: a generator of a file, a discriminator of a file, the zoo or a seed.

The name of a discriminator identifies its feature space, so that results can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

import faceuv.files.zoo
from faceuv.files.artefacts import sha256_of
from faceuv.files.locate import locate
from faceuv.files.networks import file_facts
from faceuv.files.paths import user_path
from faceuv.models.stylegan2.checkpoints import load_discriminator, load_generator
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.registry import GENERATORS, MODELS


def named_facts(settings: Mapping[str, Any]) -> dict[str, int]:
    """What an entry of the zoo says of the images that :func:`named_discriminator` reads; the rest says it itself."""
    entry = settings.get("zoo")
    if not isinstance(entry, str):
        return {}
    return file_facts(faceuv.files.zoo.path(entry, "discriminator.safetensors")).known()


def named_discriminator(
    network: Mapping[str, Any] | None = None,
    *,
    weights: str | Path | None = None,
    zoo: str | None = None,
    seed: int = 0,
    owner: str = "a space of features",
) -> tuple[StyleGAN2Discriminator, str]:
    """A frozen discriminator and its name, from one of three sources.

    Args:
        network: config of the discriminator, with random weights drawn from ``seed``: ``random_discriminator_seed0``.
        weights: a file that :func:`~faceuv.models.stylegan2.load_discriminator` reads: ``discriminator_`` and the first
            8 digits of its SHA-256.
        zoo: an entry of the zoo with a ``discriminator.safetensors``: ``<entry>_discriminator``.
        owner: the part that needs it, for the error.
    """
    if sum(source is not None for source in (network, weights, zoo)) != 1:
        raise TypeError(f"{owner} takes network=dict(type=…), weights=PATH or zoo=ENTRY, one of the three")
    if network is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            built = cast(StyleGAN2Discriminator, MODELS.build(network))
        name = f"random_discriminator_seed{seed}"
    elif zoo is not None:
        built, name = (
            load_discriminator(faceuv.files.zoo.path(zoo, "discriminator.safetensors")),
            f"{zoo}_discriminator",
        )
    else:
        path = user_path(weights)
        built, name = load_discriminator(path), f"discriminator_{sha256_of(path)[:8]}"
    return built.requires_grad_(False), name


@GENERATORS.register_module(name="PretrainedGenerator")
def pretrained_generator(path: str, size: int | None = None) -> StyleGAN2Generator:
    """A StyleGAN2 generator from a file of any known layout, frozen.

    Args:
        path: the file, or ``zoo:teacher_64/generator.safetensors``.
        size: expected size of the images; another one is an error.
    """
    return load_generator(locate(path), size=size)
