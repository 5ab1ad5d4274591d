"""A world small enough for tests: an oval for a face, a 16² teacher, F3D and F_yaw of a few numbers."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.models.directions import Direction
from faceuv.models.faces.base import FaceModel
from faceuv.models.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.registry import MODELS
from faceuv.structures import Coefficients

SIZE, D = 16, 6
DISCRIMINATOR = {"type": "StyleGAN2Discriminator", "size": SIZE, "channel_base": 64, "channel_max": 6}
LOSSES = {
    "photo": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0},
    "percept": {"type": "DiscriminatorPerceptual", "network": DISCRIMINATOR, "weight": 2.0},
    "adversarial": {"type": "GeneratorLogistic"},
    "discriminator": {"type": "DiscriminatorLogistic"},
    "r1": {"type": "R1Penalty", "gamma": 10.0, "interval": 2},
}


def oval(n: int = 15) -> FaceModel:
    """A bulging sheet of n² vertices with two modes of each kind."""
    line = torch.linspace(-1, 1, n)
    v, u = torch.meshgrid(line, line, indexing="ij")
    x, y = 0.9 * torch.sin(1.4 * u) * torch.cos(0.5 * v), -1.1 * torch.sin(1.2 * v)
    z = torch.cos(1.4 * u) * torch.cos(1.2 * v) * 0.8
    mean = torch.stack([x, y, z], -1).reshape(-1, 3)
    r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (r * n + c).reshape(-1)
    faces = torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)])
    modes = torch.stack([torch.sin(3 * mean), torch.cos(2 * mean)], -1) * 0.03
    index = torch.arange(n * n).reshape(n, n)
    arrays = {
        "mean": mean,
        "identity_basis": modes,
        "expression_basis": modes.flip(2),
        "mean_albedo": torch.full_like(mean, 0.5),
        "albedo_basis": modes,
        "faces": faces,
        "uv": torch.stack([0.02 + 0.48 * (u + 1), 0.02 + 0.48 * (v + 1)], -1).reshape(-1, 2),
        "landmarks": torch.arange(68),
        "skin_mask": torch.ones(n * n, dtype=torch.bool),
        "mirror": index.flip(1).reshape(-1),
    }
    return FaceModel(arrays)


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().double().flatten().clone() for value in module.state_dict().values()])


@pytest.fixture(scope="module")
def world():
    """``world.parts``: arguments of the method; ``world.batch(n)``; ``world.build(**changes)``: method, optimisers."""
    torch.manual_seed(0)
    face = oval()
    teacher = StyleGAN2Generator(SIZE, D, channel_base=64, channel_max=6, mapping_depth=2)
    codes = teacher.mapping(teacher.sample_latents(100)).detach()
    data = torch.randn(100, face.layout.size) * 0.3
    fitted = Coefficients(data, face.layout)
    turn = torch.stack([torch.zeros(100), 0.5 * torch.tanh(codes[:, 0] / codes[:, 0].std()), torch.zeros(100)], 1)
    fitted = fitted.replace(rotation=turn, translation=torch.zeros(100, 3), lighting=torch.full((100, 27), 0.05))
    mapper = CoefficientMapper(teacher.num_layers, D, face.layout, widths=(8,))
    mapper.set_statistics(codes, fitted)
    vector = torch.zeros(teacher.num_layers, D)
    vector[:, 0] = 1 / math.sqrt(teacher.num_layers)
    direction = Direction(vector=vector, name="yaw", meaning="yaw", method="test", scale=float(codes[:, 0].std()))
    stepper = YawStepper(teacher.num_layers, D, direction, widths=(8,))
    stepper.set_statistics(codes, fitted.rotation[:, 1])
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
