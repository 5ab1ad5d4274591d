"""A world small enough for tests: a 32² teacher of random weights, and networks to lift it."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.registry import MODELS

SIZE, D = 32, 16
DISCRIMINATOR = {"type": "StyleGAN2Discriminator", "size": SIZE, "channel_base": 128, "channel_max": 8}
TEACHER = {"type": "StyleGAN2Generator", "size": SIZE, "code_dim": D, "channel_base": 256, "channel_max": 16}
LOSSES = {
    "rec": {"type": "LiftedImages", "pair": "rec", "weight": 5.0},
    "flip": {"type": "LiftedImages", "pair": "flip", "weight": 4.0},
    "perturb_shape": {"type": "LiftedImages", "pair": "perturb_shape", "weight": 2.0},
    "perturb_code": {"type": "LiftedImages", "pair": "perturb_code", "weight": 2.0},
    "cycle_light": {"type": "SquaredDifference", "of": "light", "weight": 4.0},
    "cycle_view": {"type": "SquaredDifference", "of": "view", "columns": 3, "weight": 4.0},
    "prior": {"type": "CodePrior", "weight": 0.5},
    "albedo": {"type": "AlbedoRank", "weight": 0.01},
}


@pytest.fixture(scope="session")
def teacher():
    torch.manual_seed(0)
    return StyleGAN2Generator(**{key: value for key, value in TEACHER.items() if key != "type"}).requires_grad_(False)


@pytest.fixture
def build(teacher):
    """``build(**changes)``: the method and its optimiser; ``losses`` are changes, too."""

    def make(*, losses=None, lr=1e-3, **changes):
        torch.manual_seed(1)
        terms = {**copy.deepcopy(LOSSES), **(losses or {})}
        config = {
            "teacher": teacher,
            "losses": terms,
            "distance": {"perceptual": {"type": "DiscriminatorMaps", "network": DISCRIMINATOR}},
            "networks": {"centred": True, "dome": 1.0},
            "statistics": 500,
            **changes,
        }
        method = MODELS.build({"type": "LiftedGAN", **config})
        return method, OptimWrapperDict(lifting=OptimWrapper(torch.optim.Adam(method.lifting.parameters(), lr=lr)))

    return make
