"""A world small enough to evaluate in a second: 16² pictures, an oval for a face, instruments of a few numbers."""

from __future__ import annotations

from types import SimpleNamespace

import torch.nn.functional as F
from small_world import oval_arrays, small_networks
from torch import nn

from faceuv.evaluation.measures import Instruments
from faceuv.models.base.subject import Setting
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.models.stylefaceuv import UVGenerator

SIZE, D = 16, 8


class Pooled(nn.Module):
    """Means of ``side``² parts of a picture, as a feature space and as what compares persons."""

    needs_landmarks = False

    def __init__(self, name, side):
        super().__init__()
        self.name = self.space = name
        self.side = side

    def forward(self, images, landmarks=None):
        return F.adaptive_avg_pool2d(images, self.side).flatten(1)


def small_evaluation():
    """``small.setting`` with ``teacher`` and ``face``, ``small.uv``, and ``small.instruments(**changes)``."""
    face = FaceModel(oval_arrays())
    made = small_networks(face, SIZE, D)
    teacher, mapper, stepper = made.teacher, made.mapper, made.stepper
    teacher.mean_code.copy_(made.codes.mean(0))
    regressor = CoefficientRegressor(16, 4, (8,), (1,), (4, 8), layout=face.layout)
    uv = UVGenerator.from_teacher(teacher, face_model=face)
    for network in (teacher, mapper, stepper, regressor, uv):
        network.eval().requires_grad_(False)

    def instruments(**changes):
        known = {"identity": Pooled("corners", 2), "regressor": regressor, "features": Pooled("means", 4)}
        return Instruments(**{**known, **changes})

    setting = Setting(teacher, mapper, FaceRenderer(face), stepper)
    return SimpleNamespace(setting=setting, teacher=teacher, face=face, uv=uv, instruments=instruments)
