"""A world small enough for tests of the protocol, and metrics on several processes."""

from __future__ import annotations

import functools
import json
import math
import multiprocessing
import os
import traceback
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceuv.evaluation.measures import Judges
from faceuv.evaluation.subjects import Setting
from faceuv.models.directions import Direction
from faceuv.models.faces.base import FaceModel
from faceuv.models.mappers import CoefficientMapper, YawStepper
from faceuv.models.regressor import CoefficientRegressor
from faceuv.models.stylegan2 import StyleGAN2Generator, UVGenerator
from faceuv.renderers.face import FaceRenderer
from faceuv.structures import Coefficients

SIZE, D = 16, 8


class Pooled(nn.Module):
    """Means of ``side``² parts of a picture, as a feature space and as a judge of identity."""

    needs_landmarks = False

    def __init__(self, name, side):
        super().__init__()
        self.name = self.space = name
        self.side = side

    def forward(self, images, landmarks=None):
        return F.adaptive_avg_pool2d(images, self.side).flatten(1)


def _oval(n=15):
    """A bulging sheet of n² vertices with two modes of each kind, which leaves the picture's corners free."""
    line = torch.linspace(-1, 1, n)
    v, u = torch.meshgrid(line, line, indexing="ij")
    x, y = 0.9 * torch.sin(1.4 * u) * torch.cos(0.5 * v), -1.1 * torch.sin(1.2 * v)
    z = torch.cos(1.4 * u) * torch.cos(1.2 * v) * 0.8
    mean = torch.stack([x, y, z], -1).reshape(-1, 3)
    r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (r * n + c).reshape(-1)
    modes = torch.stack([torch.sin(3 * mean), torch.cos(2 * mean)], -1) * 0.03
    return FaceModel(
        {
            "mean": mean,
            "identity_basis": modes,
            "expression_basis": modes.flip(2),
            "mean_albedo": torch.full_like(mean, 0.5),
            "albedo_basis": modes,
            "faces": torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)]),
            "uv": torch.stack([0.02 + 0.48 * (u + 1), 0.02 + 0.48 * (v + 1)], -1).reshape(-1, 2),
            "landmarks": torch.arange(68),
            "skin_mask": torch.ones(n * n, dtype=torch.bool),
            "mirror": torch.arange(n * n).reshape(n, n).flip(1).reshape(-1),
        }
    )


@pytest.fixture(scope="session")
def small():
    """``small.setting`` with ``teacher`` and ``face``, ``small.uv``, and ``small.judges(**changes)``."""
    torch.manual_seed(0)
    face = _oval()
    teacher = StyleGAN2Generator(SIZE, D, channel_base=64, channel_max=6, mapping_depth=2)
    codes = teacher.mapping(teacher.sample_latents(100)).detach()
    teacher.mean_code.copy_(codes.mean(0))
    fitted = Coefficients(torch.randn(100, face.layout.size) * 0.3, face.layout)
    yaw = 0.5 * torch.tanh(codes[:, 0] / codes[:, 0].std())
    turn = torch.stack([torch.zeros(100), yaw, torch.zeros(100)], 1)
    light = torch.full((100, 27), 0.05)
    fitted = fitted.replace(rotation=turn, translation=torch.zeros(100, 3), lighting=light)
    mapper = CoefficientMapper(teacher.num_layers, D, face.layout, widths=(8,))
    mapper.set_statistics(codes, fitted)
    vector = torch.zeros(teacher.num_layers, D)
    vector[:, 0] = 1 / math.sqrt(teacher.num_layers)
    direction = Direction(vector=vector, name="yaw", meaning="yaw", method="test", scale=float(codes[:, 0].std()))
    stepper = YawStepper(teacher.num_layers, D, direction, widths=(8,))
    stepper.set_statistics(codes, fitted.rotation[:, 1])
    regressor = CoefficientRegressor(16, 4, (8,), (1,), (4, 8), layout=face.layout)
    uv = UVGenerator.from_teacher(teacher, face_model=face)
    for network in (teacher, mapper, stepper, regressor, uv):
        network.eval().requires_grad_(False)

    def judges(**changes):
        known = {"identity": Pooled("corners", 2), "regressor": regressor, "features": Pooled("means", 4)}
        return Judges(**{**known, **changes})

    setting = Setting(teacher, mapper, FaceRenderer(face), stepper)
    return SimpleNamespace(setting=setting, teacher=teacher, face=face, uv=uv, judges=judges)


def _in_ranks(function, processes, folder):
    """Run ``function(rank)`` in forked ranks of a gloo group; rank 0's result."""

    def body(rank):
        torch.set_num_threads(1)
        code = 1
        try:
            os.environ["LOCAL_RANK"] = str(rank)
            torch.distributed.init_process_group(
                "gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=processes
            )
            (folder / f"{rank}.json").write_text(json.dumps(function(rank)))
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)

    children = [multiprocessing.get_context("fork").Process(target=body, args=(rank,)) for rank in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        child.kill()
    assert [child.exitcode for child in children] == [0] * processes
    found = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]
    assert all(result == found[0] for result in found)  # every rank knows the results
    return found[0]


@pytest.fixture
def in_ranks(tmp_path):
    """``in_ranks(function, processes)``: what every rank's ``function(rank)`` gives."""
    return functools.partial(_in_ranks, folder=tmp_path)
