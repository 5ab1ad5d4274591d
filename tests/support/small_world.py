"""What several test folders build their small worlds of: an oval for a face, and the networks of a 16² teacher."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.models.directions import Direction
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.structures import Coefficients


def oval_arrays(n: int = 15, modes: tuple[int, int, int] | None = None) -> dict[str, Tensor]:
    """What a face model is made of: a bulging sheet of n² vertices, which leaves the picture's corners free, with two
    modes of each kind, or so many of identity, expression and albedo."""
    line = torch.linspace(-1, 1, n)
    v, u = torch.meshgrid(line, line, indexing="ij")
    x, y = 0.9 * torch.sin(1.4 * u) * torch.cos(0.5 * v), -1.1 * torch.sin(1.2 * v)
    mean = torch.stack([x, y, torch.cos(1.4 * u) * torch.cos(1.2 * v) * 0.8], -1).reshape(-1, 3)
    r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (r * n + c).reshape(-1)
    waves = torch.stack([torch.sin(3 * mean), torch.cos(2 * mean)], -1) * 0.03
    identity, expression, albedo = waves, waves.flip(2), waves
    if modes is not None:
        waves = torch.sin(mean[..., None] * torch.linspace(1, 4, max(modes))) * 0.01
        identity, expression, albedo = (waves[..., :count] for count in modes)
    return {
        "mean": mean,
        "identity_basis": identity,
        "expression_basis": expression,
        "mean_albedo": torch.full_like(mean, 0.5),
        "albedo_basis": albedo,
        "faces": torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)]),
        "uv": torch.stack([0.02 + 0.48 * (u + 1), 0.02 + 0.48 * (v + 1)], -1).reshape(-1, 2),
        "landmarks": torch.arange(68),
        "skin_mask": torch.ones(n * n, dtype=torch.bool),
        "mirror": torch.arange(n * n).reshape(n, n).flip(1).reshape(-1),
    }


@dataclass(frozen=True, eq=False)
class SmallNetworks:
    """A teacher with mapper, yaw direction and stepper; ``codes (100, D)`` of it with the coefficients ``fitted``."""

    teacher: StyleGAN2Generator
    mapper: CoefficientMapper
    stepper: YawStepper
    direction: Direction
    codes: Tensor
    fitted: Coefficients


def small_networks(face: FaceModel, size: int, width: int, *, seed: int = 0) -> SmallNetworks:
    """Networks of a few numbers for codes of ``width`` D: the first one turns the face."""
    torch.manual_seed(seed)
    teacher = StyleGAN2Generator(size, width, channel_base=64, channel_max=6, mapping_depth=2)
    codes = teacher.mapping(teacher.sample_latents(100)).detach()
    scale = codes[:, 0].std()
    fitted = Coefficients(torch.randn(100, face.layout.size) * 0.3, face.layout)
    turn = torch.stack([torch.zeros(100), 0.5 * torch.tanh(codes[:, 0] / scale), torch.zeros(100)], 1)
    fitted = fitted.replace(rotation=turn, translation=torch.zeros(100, 3), lighting=torch.full((100, 27), 0.05))
    mapper = CoefficientMapper(teacher.num_layers, width, face.layout, widths=(8,))
    mapper.set_statistics(codes, fitted)
    vector = torch.zeros(teacher.num_layers, width)
    vector[:, 0] = 1 / math.sqrt(teacher.num_layers)
    direction = Direction(vector=vector, name="yaw", meaning="yaw", method="test", scale=float(scale))
    stepper = YawStepper(teacher.num_layers, width, direction, widths=(8,))
    stepper.set_statistics(codes, fitted.rotation[:, 1])
    return SmallNetworks(teacher, mapper, stepper, direction, codes, fitted)
