"""StyleFaceUV (Chung et al., BMVC 2022): a generator of UV maps learns from a frozen teacher, two views at a time.

Reading order: ``objective`` (the loss, equations 3–9), ``method`` (the training step), ``teacher_views`` (the images of
both views), ``views`` (renders them and weighs their pixels), ``uv_generator`` (G3D), ``mappers`` (F3D and F_yaw),
``generator`` (faces from codes). README.md beside this file has the diagram.
"""

from typing import TYPE_CHECKING

from faceuv.lazy import lazily
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper, load_mapper, load_stepper
from faceuv.models.stylefaceuv.options import AdversarialOptions, ViewOptions
from faceuv.models.stylefaceuv.sources import MapperSource
from faceuv.models.stylefaceuv.teacher_views import TeacherViews, ViewBatch
from faceuv.models.stylefaceuv.uv_generator import UVGenerator, load_uv_generator
from faceuv.models.stylefaceuv.views import ViewRender, ViewWeights, render_views

if TYPE_CHECKING:
    from faceuv.models.stylefaceuv.mapper_training import CoefficientMapping
    from faceuv.models.stylefaceuv.method import StyleFaceUV
    from faceuv.models.stylefaceuv.stepper_training import YawStepping

__all__ = [
    "AdversarialOptions",
    "CoefficientMapper",
    "CoefficientMapping",
    "MapperSource",
    "StyleFaceUV",
    "StyleFaceUVGenerator",
    "TeacherViews",
    "UVGenerator",
    "ViewBatch",
    "ViewOptions",
    "ViewRender",
    "ViewWeights",
    "YawStepper",
    "YawStepping",
    "load_mapper",
    "load_stepper",
    "load_uv_generator",
    "render_views",
]

__getattr__ = lazily(
    __name__,
    {
        "CoefficientMapping": "faceuv.models.stylefaceuv.mapper_training",
        "StyleFaceUV": "faceuv.models.stylefaceuv.method",
        "YawStepping": "faceuv.models.stylefaceuv.stepper_training",
    },
)
