"""The recipes for the zoo's 64² teacher: what they consist of, and that each variant trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from small_world import oval_arrays

from faceuv.engine.compat.configs import load_config
from faceuv.engine.compat.optim import OptimizerPerModule
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv import UVGenerator
from faceuv.registry import FACE_MODELS, GENERATORS, HOOKS, MODELS

ROOT = Path(__file__).parents[3]
RECIPES = ("stylefaceuv_64", "stylefaceuv_quickstart")


def load(name: str, folder: str = "configs") -> Config:
    return load_config(ROOT / folder / f"{name}.py")


@pytest.mark.parametrize("folder", ["configs", "faceuv/configs"])
@pytest.mark.parametrize("name", RECIPES)
def test_stages_and_numbers(name, folder):
    recipe = load(name, folder)
    assert recipe.stages == ["fits", "mapper", "direction", "stepper", "uv", "report"]
    assert recipe.report.subjects.ours == {"type": "uv", "path": "{uv}/uv_generator.safetensors"}
    assert recipe.uv.model.views.coefficients == "predicted"
    for stage in ("mapper", "stepper"):
        (schedule,) = recipe[stage].param_scheduler[stage]
        assert schedule["T_max"] == recipe[stage].train_cfg.max_iters
    assert all(HOOKS.get(hook["type"]).__module__.startswith("faceuv.") for hook in recipe.uv.custom_hooks)


def test_the_quickstart_is_the_other_one_cut_short():
    full, quick = (load(name) for name in RECIPES)
    assert quick.uv.model.losses == full.uv.model.losses
    assert quick.uv.optim_wrapper == full.uv.optim_wrapper
    assert quick.uv.model.uv_generator.weights == "zoo:quickstart/uv_generator.safetensors"
    assert {**quick.uv.model.uv_generator, "weights": None} == {**full.uv.model.uv_generator, "weights": None}
    assert quick.uv.train_cfg.max_iters < full.uv.train_cfg.max_iters / 5
    assert quick.fits["count"] < full.fits["count"]


def test_the_ablations_differ_in_one_setting_each():
    recipe = load("ablations_64")
    assert load("ablations_64", "faceuv/configs").uv == recipe.uv
    model = recipe.uv.model
    changed = {
        "uv_one_view": {**model, "views": {**model.views, "names": ("original",)}},
        "uv_no_mask": {**model, "mask": None},
        "uv_no_displacement": {**model, "uv_generator": {**model.uv_generator, "displacement": False}},
    }
    assert recipe.stages == ["fits", "mapper", "direction", "stepper", "uv", *changed, "report"]
    assert list(recipe.report.subjects) == ["ours", "one view", "no mask", "no displacement", "linear", "turned 2D"]
    paths = [config["path"] for config in recipe.report.subjects.values() if config["type"] == "uv"]
    assert paths == [f"{{{name}}}/uv_generator.safetensors" for name in ("uv", *changed)]
    for name, wanted in changed.items():
        assert recipe[name].to_dict() == {**recipe.uv.to_dict(), "model": wanted}
        assert recipe[name].model != model


# the other ablations change nothing that is this recipe's own: test_stylefaceuv_recipe.py trains them
CHANGES = {
    "all": {},
    "no displacement": {"uv_generator.displacement": False},
    "no diffuse": {"uv_generator.diffuse": False},
}


class WideOval(FaceModel):
    """An oval with as many modes as the zoo's mapper reads."""

    def __init__(self) -> None:
        super().__init__(oval_arrays(modes=(80, 64, 80)))


@pytest.fixture(scope="module")
def parts():
    """What every variant has in common: an oval for a face, which needs no building, the zoo's networks."""
    FACE_MODELS.register_module(name="WideOval", module=WideOval)
    model = load("stylefaceuv_quickstart").uv.model
    model.uv_generator.weights = None
    model.mapper, model.stepper = "zoo:mapper_64/weights.safetensors", "zoo:stepper_64/weights.safetensors"
    model.directions = "zoo:stepper_64/yaw.safetensors"
    model.face_model = model.losses.calm.face_model = dict(type="WideOval")
    optimizers = {key: value for key, value in load(RECIPES[1]).uv.optim_wrapper.items() if key != "constructor"}
    yield Config({"model": model, "optim_wrapper": optimizers})
    del FACE_MODELS._module_dict["WideOval"]


@pytest.mark.parametrize("variant", CHANGES)
def test_every_variant_trains(variant, parts):
    settings = Config(parts.to_dict())
    settings.merge_from_dict({f"model.{key}": value for key, value in CHANGES[variant].items()})
    method = MODELS.build(settings.model)
    optimizers = OptimizerPerModule(settings.optim_wrapper)(method)
    code = torch.randn(1, method.teacher_views.teacher.network.code_dim, generator=torch.Generator().manual_seed(0))
    before = torch.cat([p.detach().flatten().clone() for p in method.uv_generator.parameters()])
    logs = method.train_step({"code": code}, optimizers)
    after = torch.cat([p.detach().flatten() for p in method.uv_generator.parameters()])
    assert all(bool(torch.isfinite(value)) for value in logs.values())
    assert not torch.equal(before, after)
    assert ("calm" in logs) == (variant != "no diffuse")
    assert ("small" in logs and "smooth" in logs) == (variant != "no displacement")


def test_weights_have_settings_of_their_own(parts, tmp_path):
    teacher = GENERATORS.build(parts.model.teacher)
    made = {key: value for key, value in parts.model.uv_generator.items() if key != "weights"}
    file = tmp_path / "uv.safetensors"
    save_network(file, UVGenerator.from_teacher(teacher, **made))
    settings = Config(parts.to_dict())
    settings.model.uv_generator.weights = str(file)
    assert MODELS.build(settings.model).uv_generator.displacement_scale == made["displacement_scale"]
    settings.model.uv_generator.displacement = False
    with pytest.raises(InputError, match=r"not made with {'displacement': False}, but with {'displacement': True}"):
        MODELS.build(settings.model)
