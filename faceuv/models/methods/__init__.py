"""Methods: one module or folder per paper, each an MMEngine model with its own ``train_step``."""

from faceuv.models.methods.base import BaseMethod, LossTerms, frozen
from faceuv.models.methods.paired_generator import PairedGenerator
from faceuv.models.methods.stylegan2 import StyleGAN2

__all__ = ["BaseMethod", "LossTerms", "PairedGenerator", "StyleGAN2", "frozen"]
