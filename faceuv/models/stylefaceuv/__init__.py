"""StyleFaceUV (Chung et al., BMVC 2022): a generator of UV maps learns from a frozen teacher, two views at a time.

Reading order: ``mappers`` (F3D and F_yaw), ``uv_generator`` (G3D), ``guides`` (the views of a batch), ``views`` (draws
them and weighs their pixels), ``method`` (trains on them), ``generator`` (faces from codes).
"""

from faceuv.models.stylefaceuv.guides import Guides, Targets
from faceuv.models.stylefaceuv.mapper_training import CoefficientMapping
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper, load_mapper, load_stepper
from faceuv.models.stylefaceuv.method import StyleFaceUV
from faceuv.models.stylefaceuv.sources import MapperSource
from faceuv.models.stylefaceuv.stepper_training import YawStepping
from faceuv.models.stylefaceuv.uv_generator import UVGenerator, load_uv_generator
from faceuv.models.stylefaceuv.views import Shot, ViewWeights

__all__ = [
    "CoefficientMapper",
    "CoefficientMapping",
    "Guides",
    "MapperSource",
    "Shot",
    "StyleFaceUV",
    "Targets",
    "UVGenerator",
    "ViewWeights",
    "YawStepper",
    "YawStepping",
    "load_mapper",
    "load_stepper",
    "load_uv_generator",
]
