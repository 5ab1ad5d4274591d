"""A face generator small enough for tests: an oval for a face, a 16² teacher, networks of a few numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from faceuv.face_generator import FaceGenerator
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceModel
from faceuv.models.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylegan2 import StyleGAN2Generator, UVGenerator
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients

SIZE, D = 16, 6


class OvalFace(FaceModel):
    """A bulging sheet of ``side``² vertices with two modes of each kind."""

    def __init__(self, side: int = 15) -> None:
        line = torch.linspace(-1, 1, side)
        v, u = torch.meshgrid(line, line, indexing="ij")
        x, y = 0.9 * torch.sin(1.4 * u) * torch.cos(0.5 * v), -1.1 * torch.sin(1.2 * v)
        mean = torch.stack([x, y, torch.cos(1.4 * u) * torch.cos(1.2 * v) * 0.8], -1).reshape(-1, 3)
        r, c = torch.meshgrid(torch.arange(side - 1), torch.arange(side - 1), indexing="ij")
        a = (r * side + c).reshape(-1)
        modes = torch.stack([torch.sin(3 * mean), torch.cos(2 * mean)], -1) * 0.03
        super().__init__(
            {
                "mean": mean,
                "identity_basis": modes,
                "expression_basis": modes.flip(2),
                "mean_albedo": torch.full_like(mean, 0.5),
                "albedo_basis": modes,
                "faces": torch.cat(
                    [torch.stack([a, a + side, a + side + 1], 1), torch.stack([a, a + side + 1, a + 1], 1)]
                ),
                "uv": torch.stack([0.02 + 0.48 * (u + 1), 0.02 + 0.48 * (v + 1)], -1).reshape(-1, 2),
                "landmarks": torch.arange(68),
                "skin_mask": torch.ones(side * side, dtype=torch.bool),
                "mirror": torch.arange(side * side).reshape(side, side).flip(1).reshape(-1),
            },
            names={"expression": ["jaw_open", "smile"]},
        )
        self.side = side

    def config(self) -> dict[str, Any]:
        return {**super().config(), "side": self.side}


@pytest.fixture(scope="package", autouse=True)
def oval() -> Iterator[None]:
    """The face model by its name, as files name it."""
    FACE_MODELS.register_module(name="OvalFace", module=OvalFace)
    yield
    del FACE_MODELS._module_dict["OvalFace"]


@pytest.fixture(scope="session")
def make() -> Callable[..., FaceGenerator]:
    """``make(**changes)``: a face generator; its parts are those of ``seed``, or the given ones."""

    def parts(seed: int = 0, size: int = SIZE, d: int = D) -> dict[str, Any]:
        torch.manual_seed(seed)
        face = OvalFace()
        teacher = StyleGAN2Generator(size, d, channel_base=64, channel_max=6, mapping_depth=2)
        codes = teacher.mapping(teacher.sample_latents(100)).detach()
        fitted = Coefficients(torch.randn(100, face.layout.size) * 0.3, face.layout)
        yaw = 0.5 * torch.tanh(codes[:, 0] / codes[:, 0].std())
        turn = torch.stack([torch.zeros(100), yaw, torch.zeros(100)], 1)
        fitted = fitted.replace(rotation=turn, translation=torch.zeros(100, 3), lighting=torch.full((100, 27), 0.05))
        mapper = CoefficientMapper(teacher.num_layers, d, face.layout, widths=(8,))
        mapper.set_statistics(codes, fitted)
        vector = torch.zeros(teacher.num_layers, d)
        vector[:, 0] = 1 / math.sqrt(teacher.num_layers)
        direction = Direction(vector=vector, name="yaw", meaning="yaw", method="test", scale=float(codes[:, 0].std()))
        stepper = YawStepper(teacher.num_layers, d, direction, widths=(8,))
        stepper.set_statistics(codes, yaw)
        uv = UVGenerator.from_teacher(teacher, displacement_scale=0.05)
        assert uv.displacement is not None
        for layer in uv.displacement.layers:  # it starts at zero; here it is to be seen
            torch.nn.init.normal_(layer.weight)
        return {"teacher": teacher, "mapper": mapper, "uv_generator": uv, "face_model": face, "renderer": "torch",
                "stepper": stepper, "directions": [direction], "name": "small"}  # fmt: skip

    def make(*, seed: int = 0, size: int = SIZE, d: int = D, **changes: Any) -> FaceGenerator:
        return FaceGenerator(**{**parts(seed, size, d), **changes})

    make.parts = parts  # type: ignore[attr-defined]
    return make


@pytest.fixture(scope="session")
def generator(make: Callable[..., FaceGenerator]) -> FaceGenerator:
    return make()
