"""A plug-in of faceuv: importing it registers its parts."""

from faceuv_plugin_sample.loss import HuberPhotometric
from faceuv_plugin_sample.method import FitColour, Orange
from faceuv_plugin_sample.renderer import PainterRenderer

__all__ = ["FitColour", "HuberPhotometric", "Orange", "PainterRenderer"]
