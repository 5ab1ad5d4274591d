"""Methods: one module or folder per paper, each an MMEngine model with its own ``train_step``."""

from faceuv.models.methods.base import BaseMethod, LossTerms, frozen
from faceuv.models.methods.coefficient_mapping import CoefficientMapping
from faceuv.models.methods.coefficient_regression import CoefficientRegression
from faceuv.models.methods.landmarks import LandmarkRegression
from faceuv.models.methods.paired_generator import PairedGenerator
from faceuv.models.methods.stylefaceuv import StyleFaceUV
from faceuv.models.methods.stylegan2 import StyleGAN2
from faceuv.models.methods.yaw_stepping import YawStepping

__all__ = [
    "BaseMethod",
    "CoefficientMapping",
    "CoefficientRegression",
    "LandmarkRegression",
    "LossTerms",
    "PairedGenerator",
    "StyleFaceUV",
    "StyleGAN2",
    "YawStepping",
    "frozen",
]
