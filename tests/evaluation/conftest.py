"""A world small enough for tests of the protocol, and metrics on several processes."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import traceback
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from small_world import oval_arrays, small_networks
from torch import nn

from faceuv.evaluation.measures import Judges
from faceuv.evaluation.subjects import Setting
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.models.stylefaceuv import UVGenerator

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


@pytest.fixture(scope="session")
def small():
    """``small.setting`` with ``teacher`` and ``face``, ``small.uv``, and ``small.judges(**changes)``."""
    face = FaceModel(oval_arrays())
    made = small_networks(face, SIZE, D)
    teacher, mapper, stepper = made.teacher, made.mapper, made.stepper
    teacher.mean_code.copy_(made.codes.mean(0))
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
