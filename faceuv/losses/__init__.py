"""Losses: each a small module ``loss(pred: dict, target: dict) → scalar``; their weights live in the config."""

from faceuv.losses.adversarial import DiscriminatorLogistic, GeneratorLogistic
from faceuv.losses.base import entry
from faceuv.losses.gradient_penalty import R1Penalty

__all__ = ["DiscriminatorLogistic", "GeneratorLogistic", "R1Penalty", "entry"]
