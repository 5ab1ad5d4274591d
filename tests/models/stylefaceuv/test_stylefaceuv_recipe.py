"""The paper's recipe: its numbers, and that it trains on stand-ins of its assets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict

from faceuv.data.codes import CodeFits
from faceuv.engine.compat.configs import load_config
from faceuv.engine.compat.optim import OptimizerPerModule
from faceuv.registry import DATASETS, HOOKS, MODELS

ROOT = Path(__file__).parents[3]


def load(folder: str = "configs") -> Config:
    return load_config(ROOT / folder / "stylefaceuv_ffhq.py")


@pytest.mark.parametrize("folder", ["configs", "faceuv/configs"])
def test_the_paper_s_numbers(folder):
    recipe = load(folder)
    losses, model = recipe.uv.model.losses, recipe.uv.model
    assert recipe.stages == ["teacher", "fits", "mapper", "direction", "stepper", "uv", "report"]
    assert recipe.fits["count"] == 36_000
    assert (losses.photo.norm, losses.photo.weight, losses.percept.weight) == ("squared", 10.0, 2.0)
    assert (losses.r1.gamma, losses.r1.interval, model.adversarial.every) == (10.0, 16, 5)
    assert (model.views.symmetric_weight, model.mask.override) == (0.75, 0.5)
    assert {recipe.uv.optim_wrapper[name].optimizer.lr for name in ("uv_generator", "discriminator")} == {1e-3}
    assert recipe.uv.train_dataloader.batch_size == 12
    assert recipe.uv.train_cfg.max_iters * 12 == 15 * 36_000
    assert DATASETS.get(recipe.uv.train_dataloader.dataset.type) is CodeFits
    assert all(HOOKS.get(hook["type"]).__module__.startswith("faceuv.") for hook in recipe.uv.custom_hooks)


CHANGES = {
    "the paper's": {},
    "one view": {"views.names": ("original",)},
    "no mask": {"mask": None},
    "no displacement": {"uv_generator.displacement": False},
    "no diffuse": {"uv_generator.diffuse": False},
    "maps of each code": {"views.maps": "own"},
    "predicted": {"views.coefficients": "predicted"},
    "unsquared": {"losses.photo.norm": "length"},
    "larger maps along normals": {"uv_generator.size": 32, "uv_generator.displacement_space": "normal"},
    "the paper's discriminator": {"adversarial.sees": "render"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_trains_on_stand_ins(world, change):
    recipe = load()
    recipe.merge_from_dict({"uv.model.uv_generator.size": 16})
    recipe.merge_from_dict({f"uv.model.{key}": value for key, value in CHANGES[change].items()})
    model = dict(recipe.uv.model)
    for name in ("teacher", "mapper", "stepper", "face_model"):
        assert name in model
        model[name] = world.parts[name]
    critic = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 64, "channel_max": 6}
    model["discriminator"] = critic
    model["losses"] = {**model["losses"], "percept": {"type": "DiscriminatorPerceptual", "network": critic}}
    torch.manual_seed(0)
    method = MODELS.build(ConfigDict(model))
    settings = {key: value for key, value in recipe.uv.optim_wrapper.items() if key != "constructor"}
    logs = method.train_step(world.batch(), OptimizerPerModule(ConfigDict(settings))(method))
    assert all(bool(torch.isfinite(value)) for value in logs.values())
    assert ("photo_symmetric" in logs) == (change != "one view")
    assert ("displacement_mm" in logs) == (change != "no displacement")
