"""A stage that evaluates while it trains: the best checkpoint is kept, exported, and named in the result."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.evaluator import BaseMetric

from faceuv.engine import load_config, read_checkpoint
from faceuv.engine.stages import run_stages
from faceuv.files.artefacts import load_tensors
from faceuv.registry import METRICS


def silent(line):
    """Instead of print."""


class Scripted(BaseMetric):
    """Gives 3, 1, 2, … whatever it sees."""

    scores = iter(())

    def process(self, data_batch, data_samples):
        self.results += [0.0]

    def compute_metrics(self, results):
        return {"first": next(Scripted.scores), "second": 0.0}


@pytest.fixture
def validated(tiny, tmp_path, monkeypatch):
    """The tiny recipe up to the UV generator, which is evaluated every other iteration."""
    monkeypatch.setitem(METRICS._module_dict, "Scripted", Scripted)
    stages = tiny.tiny_recipe(tiny.write_teacher(tmp_path))
    del stages["report"]
    uv = stages["uv"]
    uv["train_cfg"] = {"max_iters": 6, "val_interval": 2}
    uv["val_cfg"] = {}
    uv["val_dataloader"] = {
        "batch_size": 4, "num_workers": 0, "dataset": {"type": "CodeFits", "folder": "{fits}", "split": "val"},
        "sampler": {"type": "DefaultSampler", "shuffle": False}, "collate_fn": {"type": "default_collate"},
    }  # fmt: skip
    uv["default_hooks"]["checkpoint"] |= {"save_best": "auto", "rule": "less"}
    return stages


def averaged(checkpoint):
    weights = read_checkpoint(checkpoint)["state_dict"]
    return {key.removeprefix("ema.uv_generator."): value for key, value in weights.items() if key.startswith("ema.uv_")}


def same(exported, weights):
    return all(torch.equal(value, weights[name]) for name, value in load_tensors(exported)[0].items())


@pytest.mark.parametrize(("scores", "best"), [((3.0, 1.0, 2.0), 4), ((3.0, 2.0, 1.0), 6), ((1.0, 2.0, 3.0), 2)])
def test_the_best_is_exported(validated, recipe, tmp_path, scores, best):
    validated["uv"]["val_evaluator"] = {"type": "Scripted"}
    Scripted.scores = iter(scores)
    lines = []
    run_stages(recipe(**validated), log=lines.append)
    folder = tmp_path / "work" / "uv"
    assert [path.name for path in folder.glob("best_*")] == [f"best_first_iter_{best}.pth"]
    assert same(folder / "uv_generator.safetensors", averaged(folder / f"best_first_iter_{best}.pth"))
    assert same(folder / "uv_generator.safetensors", averaged(folder / "iter_6.pth")) == (best == 6)
    summary = json.loads((folder / "stage.json").read_text())["summary"]
    assert summary["exported"] == f"iteration {best}, the best"
    assert summary["best first"] == 1.0
    assert f"uv: iteration {best} has the best first, 1" in lines


def test_the_frechet_distance_of_both_views(validated, recipe, tmp_path):
    features = {"type": "DiscriminatorFeatures", "network": validated["uv"]["model"]["discriminator"]}
    validated["uv"]["val_evaluator"] = [
        {"type": "FrechetDistance", "features": features},
        {"type": "FrechetDistance", "features": features, "real": "real_symmetric", "fake": "fake_symmetric"},
    ]
    run_stages(recipe(**validated), log=silent)
    folder = tmp_path / "work" / "uv"
    name = "frechet_random_discriminator_seed0"
    record = json.loads((folder / "best.json").read_text())
    assert list(record) == [name]
    assert 0 < record[name]["score"] < 100
    summary = json.loads((folder / "stage.json").read_text())["summary"]
    assert {name, f"{name}_symmetric"} <= set(summary)


def test_validation_changes_no_weight(validated, recipe, tmp_path):
    """Without save_best, a training that is evaluated ends with the bytes of one that is not."""
    validated["uv"]["default_hooks"]["checkpoint"] |= {"save_best": None}
    validated["uv"]["val_evaluator"] = {"type": "Scripted"}
    Scripted.scores = iter((1.0, 2.0, 3.0))
    run_stages(recipe(**validated), log=silent)
    plain = {**validated, "uv": {key: value for key, value in validated["uv"].items() if not key.startswith("val_")}}
    run_stages(recipe("other", **plain), log=silent)
    first, second = (tmp_path / name / "uv" / "uv_generator.safetensors" for name in ("work", "other"))
    assert all(torch.equal(load_tensors(first)[0][key], value) for key, value in load_tensors(second)[0].items())
    assert json.loads((first.parent / "stage.json").read_text())["summary"]["exported"] == "iteration 6"


@pytest.mark.parametrize("name", ["stylefaceuv_64", "stylefaceuv_quickstart", "stylefaceuv_ffhq", "ablations_64"])
def test_the_recipes_evaluate(name):
    recipe = load_config(name)
    for stage in [stage for stage in recipe.stages if stage.startswith("uv")]:
        uv = recipe[stage]
        assert [metric.type for metric in uv.val_evaluator] == ["FrechetDistance"] * 2
        assert uv.default_hooks.checkpoint.save_best == "auto"
        assert uv.val_dataloader.dataset.split == "val"
        assert 3 <= uv.train_cfg.max_iters / uv.train_cfg.val_interval <= 20
        assert uv.train_cfg.max_iters % uv.train_cfg.val_interval == 0
