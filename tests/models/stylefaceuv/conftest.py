"""A world small enough for tests: an oval for a face, a 16² teacher, the mapper and the stepper of a few numbers."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from small_world import oval_arrays, small_networks

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.models.faces.base import FaceModel
from faceuv.registry import MODELS

SIZE, D = 16, 6
DISCRIMINATOR = {"type": "StyleGAN2Discriminator", "size": SIZE, "channel_base": 64, "channel_max": 6}
LOSSES = {
    "photo": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0},
    "percept": {"type": "DiscriminatorPerceptual", "network": DISCRIMINATOR, "weight": 2.0},
    "adversarial": {"type": "GeneratorLogistic"},
    "discriminator": {"type": "DiscriminatorLogistic"},
    "r1": {"type": "R1Penalty", "gamma": 10.0, "interval": 2},
}


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().double().flatten().clone() for value in module.state_dict().values()])


@pytest.fixture(scope="module")
def world():
    """``world.parts``: arguments of the method; ``world.batch(n)``; ``world.build(**changes)``: method, optimisers."""
    face = FaceModel(oval_arrays())
    made = small_networks(face, SIZE, D)
    teacher, mapper, stepper, codes, fitted = made.teacher, made.mapper, made.stepper, made.codes, made.fitted
    parts = {"teacher": teacher, "mapper": mapper, "stepper": stepper, "face_model": face}
    parts = {name: part.eval().requires_grad_(False) for name, part in parts.items()}

    def batch(count: int = 2, first: int = 0) -> dict[str, torch.Tensor]:
        rows = slice(first, first + count)
        return {"code": codes[rows].clone(), "coefficients": fitted.data[rows].clone()}

    def build(**changes):
        torch.manual_seed(1)
        config = {"losses": copy.deepcopy(LOSSES), "discriminator": DISCRIMINATOR, "normals": "vertex", **parts}
        config.update(changes)
        method = MODELS.build({"type": "StyleFaceUV", **config})
        names = ["uv_generator"] + ["discriminator"] * (method.discriminator is not None)
        optimizers = {
            name: OptimWrapper(
                torch.optim.Adam(
                    [p for p in getattr(method, name).parameters() if p.requires_grad], lr=2e-3, betas=(0.0, 0.99)
                )
            )
            for name in names
        }
        return method, OptimWrapperDict(**optimizers)

    return SimpleNamespace(
        parts=parts, batch=batch, build=build, codes=codes, fitted=fitted, weights=weights, losses=LOSSES
    )
