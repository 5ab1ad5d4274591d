"""StyleGAN2 in plain PyTorch: generator, discriminator, and readers of public checkpoints."""

from faceuv.models.base.codes import broadcast_code, mix, truncate
from faceuv.models.stylegan2.checkpoints import (
    load_discriminator,
    load_generator,
    networks_in,
)
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.models.stylegan2.pretrained import pretrained_generator
from faceuv.models.stylegan2.synthesis import SkipHead, SynthesisNetwork, SynthesisOutput

__all__ = [
    "SkipHead",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "SynthesisNetwork",
    "SynthesisOutput",
    "broadcast_code",
    "load_discriminator",
    "load_generator",
    "mix",
    "networks_in",
    "pretrained_generator",
    "truncate",
]
