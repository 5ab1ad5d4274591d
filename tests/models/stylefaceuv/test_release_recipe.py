"""The release's stepper, as its recipe has it, trains on a stand-in: size, activation, angles, schedule."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import ConfigDict
from small_world import oval_arrays, small_networks

from faceuv.data.codes import FitShard
from faceuv.engine.compat.configs import load_config
from faceuv.engine.compat.optim import OptimizerPerModule
from faceuv.files.networks import save_network
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv import load_stepper
from faceuv.registry import MODELS, PARAM_SCHEDULERS

CONFIGS = Path(__file__).parents[3] / "configs"


def test_f_yaw_of_the_release(tmp_path):
    small = small_networks(FaceModel(oval_arrays()), 16, 6)
    layout, count = small.fitted.layout, len(small.codes)
    metadata = {"num_layers": small.teacher.num_layers, "layout": layout.groups, "run": "test", "seed": 0}
    every = torch.ones(count, dtype=torch.bool)
    shard = FitShard(torch.arange(count), small.codes, small.fitted.data, every, [""] * count, {}, metadata)
    shard.save(tmp_path / "fits" / "fits_000000.safetensors")
    save_network(tmp_path / "mapper.safetensors", small.mapper)
    small.direction.save(tmp_path / "direction.safetensors")

    stage = load_config(CONFIGS / "stylefaceuv_ffhq_release.py").stepper
    files = {"fits": tmp_path / "fits", "mapper": tmp_path / "mapper.safetensors"}
    model = {**stage.model, **files, "direction": tmp_path / "direction.safetensors", "widths": (36, 24, 12, 4)}
    torch.manual_seed(0)
    method = MODELS.build(ConfigDict(model))
    settings = {key: value for key, value in stage.optim_wrapper.items() if key != "constructor"}
    optimizers = OptimizerPerModule(ConfigDict(settings))(method)
    code = small.codes[:16]
    assert torch.equal(method.wanted(code), -small.mapper.yaw(code))
    losses = [float(method.train_step({"code": code}, optimizers)["yaw"]) for _ in range(400)]
    assert losses[-1] < losses[0] - 0.2  # degrees; the mapper is a random network here, steered this far only

    (schedule,) = stage.param_scheduler.stepper
    arguments = {key: value for key, value in schedule.items() if key not in ("by_epoch",)}
    scheduler = PARAM_SCHEDULERS.build({**arguments, "optimizer": optimizers["stepper"].optimizer})
    rates = []
    for _ in range(17):
        rates.append(optimizers["stepper"].optimizer.param_groups[0]["lr"])
        scheduler.step()
    assert [round(rates[epoch] / 1e-3, 9) for epoch in (0, 4, 5, 9, 10, 14, 15)] == [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001]

    assert method.export(tmp_path) == ["stepper.safetensors"]
    kept = load_stepper(tmp_path / "stepper.safetensors")
    assert (kept.activation, kept.widths) == ("tanh", (36, 24, 12, 4))
