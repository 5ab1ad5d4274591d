"""A whole method: a code becomes a depth map and a colour map, which together are a textured surface.

There is no face model and there are no coefficients: the faces of this method are surfaces as they are given.
"""

from faceuv_plugin_sample.relief.faces import ReliefGenerator
from faceuv_plugin_sample.relief.method import EggCodes, ReliefTraining
from faceuv_plugin_sample.relief.network import ReliefNetwork
from faceuv_plugin_sample.relief.subject import ReliefSubject
from faceuv_plugin_sample.relief.teacher import EggGenerator

__all__ = [
    "EggCodes",
    "EggGenerator",
    "ReliefGenerator",
    "ReliefNetwork",
    "ReliefSubject",
    "ReliefTraining",
]
