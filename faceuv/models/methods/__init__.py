"""Methods: one module or folder per paper, each an MMEngine model with its own ``train_step``."""

from faceuv.models.methods.base import BaseMethod, LossTerms, frozen

__all__ = ["BaseMethod", "LossTerms", "frozen"]
