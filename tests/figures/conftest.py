"""A whole face generator of untrained, tiny networks."""

from __future__ import annotations

import pytest
import torch

from faceuv.models.directions import Direction
from faceuv.models.stylefaceuv import UVGenerator
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylegan2 import StyleGAN2Generator

L, D = 6, 8  # of the codes of a 16² teacher


def direction(name: str) -> Direction:
    vector = torch.randn(L, D)
    return Direction(vector / vector.norm(), name, f"more {name}", "by hand", 0.5)


@pytest.fixture(scope="session")
def faces() -> StyleFaceUVGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher = StyleGAN2Generator(16, D, channel_base=64, channel_max=8, mapping_depth=2)
        mapper = CoefficientMapper(L, D, widths=(16,))
        mapper.deviation.fill_(0.05)  # mean faces under the default light, nearly from the front
        mapper.deviation[:80] = 1.0
        tall, wide = direction("tall"), direction("wide")
        return StyleFaceUVGenerator(
            teacher,
            mapper,
            UVGenerator.from_teacher(teacher),
            {"type": "ProceduralFace", "rows": 97, "columns": 81},
            {"type": "torch", "samples": 1},
            stepper=YawStepper(L, D, tall, widths=(4,)),
            directions=[tall, wide],
            name="tiny",
        )
