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


PAPER = [
    # F3D (section 3.2.1)
    ("fits.count", 38_820),  # section 4.1: the UV generator's images
    ("mapper.train_dataloader.dataset.held_out", 10),
    ("mapper.train_dataloader.dataset.limit", 32_400),  # 90 % of 36,000
    ("mapper.val_dataloader.dataset.limit", 3_600),
    ("mapper.val_dataloader.dataset.split", "val"),
    ("mapper.train_dataloader.dataset.split", "train"),
    ("mapper.model.losses", {"raw": {"type": "RawL1"}}),
    ("mapper.optim_wrapper.mapper.optimizer", {"type": "Adam", "lr": 1e-5}),
    ("mapper.train_dataloader.batch_size", 16),
    ("mapper.train_cfg.max_epochs", 22),
    ("mapper.train_cfg.by_epoch", True),
    # the yaw direction (3.2.2)
    ("direction.finder.type", "svm"),
    ("direction.finder.score", "yaw"),
    ("direction.finder.samples", 200_000),
    ("direction.finder.ratio", 0.02),
    ("stepper.model.range_deg", 30.0),
    # the UV generator (3.3, 3.4, 4.1)
    ("uv.model.losses.photo.type", "PhotometricLoss"),
    ("uv.model.losses.photo.norm", "squared"),
    ("uv.model.losses.photo.divide_by", "pixels"),
    ("uv.model.losses.photo.weight", 10.0),
    ("uv.model.losses.percept", {"type": "LPIPS", "weight": 2.0}),
    ("uv.model.losses.adversarial", {"type": "GeneratorLogistic"}),
    ("uv.model.losses.discriminator", {"type": "DiscriminatorLogistic"}),
    ("uv.model.losses.r1", {"type": "R1Penalty", "gamma": 10.0, "interval": 16}),
    ("uv.model.views.names", ("original", "symmetric")),
    ("uv.model.views.symmetric_weight", 0.75),
    ("uv.model.views.coefficients", "fitted"),
    ("uv.model.views.maps", "shared"),
    ("uv.model.mask", {"rule": "splat", "override": 0.5}),
    ("uv.model.adversarial", {"sees": "covered", "every": 5, "per_view": True}),
    ("uv.model.uv_generator", {"size": 256, "displacement_scale": 0.01, "displacement_space": "xyz"}),
    ("uv.optim_wrapper.uv_generator.optimizer", {"type": "Adam", "lr": 1e-3, "betas": (0.0, 0.99)}),
    ("uv.optim_wrapper.discriminator.optimizer", {"type": "Adam", "lr": 1e-3, "betas": (0.0, 0.99)}),
    ("uv.train_dataloader.batch_size", 12),
    ("uv.train_dataloader.dataset.max_yaw_deg", 30.0),
    ("uv.custom_hooks.0.type", "GeneratorEMA"),
    ("uv.custom_hooks.0.half_life", 10_000),
]
"""The numbers of the paper, and where it is silent of the release, as the FFHQ recipe has them."""

RELEASE = [
    ("stepper.model.widths", (9 * 512, 6 * 512, 3 * 512, 512)),
    ("stepper.model.activation", "tanh"),
    ("stepper.model.symmetric", 1.0),
    ("stepper.optim_wrapper.stepper.optimizer", {"type": "Adam", "lr": 1e-3}),
    ("stepper.param_scheduler.stepper.0.milestones", [5, 10, 15]),
    ("stepper.param_scheduler.stepper.0.gamma", 0.1),
    ("stepper.train_dataloader.batch_size", 16),
    ("uv.model.losses.photo.norm", "length"),
    ("uv.model.losses.percept.mask", "coverage"),
    ("uv.model.views.clamp", True),
    ("uv.model.adversarial.sees", "covered"),
    ("uv.custom_hooks.0.type", "ImageSheets"),
]


def look_up(recipe, key):
    found = recipe
    for part in key.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    return found.to_dict() if isinstance(found, ConfigDict) else found


@pytest.mark.parametrize("folder", ["configs", "faceuv/configs"])
def test_the_paper_s_numbers(folder):
    recipe = load(folder)
    assert recipe.stages == ["teacher", "fits", "mapper", "direction", "stepper", "uv", "report"]
    assert {key: look_up(recipe, key) for key, _ in PAPER} == dict(PAPER)
    (schedule,) = recipe.mapper.param_scheduler.mapper
    assert schedule.to_dict() == {"type": "MultiStepLR", "milestones": [5, 10, 15], "gamma": 0.1, "by_epoch": True}
    assert recipe.uv.train_cfg.max_iters * 12 == 15 * 38_820
    assert DATASETS.get(recipe.uv.train_dataloader.dataset.type) is CodeFits
    assert all(HOOKS.get(hook["type"]).__module__.startswith("faceuv.") for hook in recipe.uv.custom_hooks)


@pytest.mark.parametrize("folder", ["configs", "faceuv/configs"])
def test_the_release_s_numbers(folder):
    recipe, paper = load_config(ROOT / folder / "stylefaceuv_ffhq_release.py"), load(folder)
    assert {key: look_up(recipe, key) for key, _ in RELEASE} == dict(RELEASE)
    assert (recipe.mapper, recipe.direction, recipe.fits) == (paper.mapper, paper.direction, paper.fits)
    assert paper.stepper.model.get("activation") is None  # reading one recipe leaves the other as it was


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
    "pasted": {"adversarial.sees": "pasted"},
    "clamped": {"views.clamp": True},
    "both views in one call": {"adversarial.per_view": False},
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
    model["directions"] = None  # for the export alone
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
