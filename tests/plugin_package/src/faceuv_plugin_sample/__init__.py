"""A plug-in of faceuv: importing it registers its parts."""

from faceuv_plugin_sample.loss import HuberPhotometric, Roughness
from faceuv_plugin_sample.method import FitColour, Orange
from faceuv_plugin_sample.relief import EggCodes, EggGenerator, ReliefGenerator, ReliefTraining
from faceuv_plugin_sample.renderer import PainterRenderer

__all__ = [
    "EggCodes",
    "EggGenerator",
    "FitColour",
    "HuberPhotometric",
    "Orange",
    "PainterRenderer",
    "ReliefGenerator",
    "ReliefTraining",
    "Roughness",
]
