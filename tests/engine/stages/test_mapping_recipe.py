"""fits → mapper → direction → stepper, on a world where everything is known."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.codes import CodeFits
from faceuv.engine.stages import run_stages
from faceuv.errors import AssetError, InputError
from faceuv.evaluation import YawErrors
from faceuv.models.directions import load_directions
from faceuv.models.stylefaceuv import CoefficientMapping, YawStepping
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.registry import GENERATORS

GENERATOR = {"type": "ToyCodes"}
LOSS = {"scores": {"type": "StandardisedL1", "groups": {"rotation": 3.0}}}
YAW_LOSS = {"yaw": {"type": "MeanDistance", "of": "yaw"}}


def silent(line):
    """Instead of print."""


def loader(split, **changes):
    return {
        "batch_size": 64,
        "num_workers": 0,
        "dataset": {"type": "CodeFits", "folder": "{fits}", "split": split},
        "sampler": {"type": "SeekableSampler"} if split == "train" else {"type": "DefaultSampler", "shuffle": False},
        "collate_fn": {"type": "default_collate"},
        **changes,
    }


def training(model, part, iterations, rate):
    return {
        "type": "train",
        "model": model,
        "optim_wrapper": {"constructor": "OptimizerPerModule", part: {"optimizer": {"type": "Adam", "lr": rate}}},
        "param_scheduler": {part: [{"type": "CosineAnnealingLR", "T_max": iterations, "by_epoch": False}]},
        "train_cfg": {"max_iters": iterations, "val_interval": iterations},
        "train_dataloader": loader("train"),
        "default_hooks": {"logger": {"type": "LoggerHook", "interval": 100}},
    }


def stages():
    method = {"type": "CoefficientMapping", "fits": "{fits}", "losses": LOSS, "widths": [48]}
    mapper = training(method, "mapper", 250, 1e-2)
    stepper = training(
        {
            "type": "YawStepping",
            "fits": "{fits}",
            "mapper": "{mapper}/mapper.safetensors",
            "direction": "{direction}/directions.safetensors",
            "losses": YAW_LOSS,
            "widths": [24],
        },
        "stepper", 150, 5e-3,
    )  # fmt: skip
    stepper |= {"val_cfg": {}, "val_dataloader": loader("val"), "val_evaluator": {"type": "YawErrors"}}
    finder = {"type": "regression", "score": "yaw", "samples": 2000}
    fits = {"type": "fits", "generator": GENERATOR, "source": {"type": "toy"}, "count": 800, "batch": 200, "shard": 200}
    return {
        "fits": fits,
        "mapper": mapper,
        "direction": {
            "type": "direction", "generator": GENERATOR, "finder": finder, "mapper": "{mapper}/mapper.safetensors",
        },
        "stepper": stepper,
    }  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The work dir of the whole recipe, run once."""
    import sys
    from pathlib import Path

    from mmengine.config import Config

    folder = str(Path(__file__).parent / "toy")
    sys.path.insert(0, folder)
    try:
        import stage_toys  # noqa: F401
    finally:
        sys.path.remove(folder)
    work = tmp_path_factory.mktemp("recipe")
    made = stages()
    config = {"stages": list(made), **made, "work_dir": str(work), "randomness": {"seed": 0}}
    rows = run_stages(Config(config), log=silent)
    assert [row.finding.state for row in rows] == ["fresh"] * 4
    return work


def test_the_mapper_reads_what_is_there(trained, toys):
    mapper = load_mapper(trained / "mapper" / "mapper.safetensors", GENERATORS.build(GENERATOR))
    held_out = CodeFits(trained / "fits", split="val")
    found = mapper(held_out.codes)
    error = (found.rotation - held_out.all_coefficients().rotation).abs()
    assert math.degrees(float(error[:, 1].mean())) < 1.5  # yaw has a deviation of 17°


def test_the_direction_is_that_of_the_yaw(trained):
    (yaw,) = load_directions(trained / "direction" / "directions.safetensors", GENERATORS.build(GENERATOR))
    truth = torch.zeros(8)
    truth[0] = 1
    assert float(torch.nn.functional.cosine_similarity(yaw.vector[0], truth, dim=0)) > 0.99


def test_the_stepper_turns_to_the_wanted_angle_by_the_truth(trained, toys):
    """Not by the mapper, which taught it."""
    stepper = load_stepper(trained / "stepper" / "stepper.safetensors")
    code = CodeFits(trained / "fits", split="val").codes
    for degrees in (-25, 0, 25):
        turned = stepper.move(code, math.radians(degrees)).mean(1)
        error = (toys.toy_coefficients(turned).rotation[:, 1] - math.radians(degrees)).abs().mean()
        assert math.degrees(float(error)) < 2, degrees


def test_what_is_recorded_of_the_stepper(trained):
    from faceuv.engine.stages.record import Record

    summary = Record.read(trained / "stepper").summary
    assert summary["yaw_deg"] < 2
    assert summary["symmetric_deg"] < 2
    assert summary["return_sigma"] < 0.3


def test_the_regressor_judges_pictures_where_there_is_one(trained, toys, monkeypatch):
    from faceuv.files.networks import save_network
    from faceuv.models.readers.regressor import CoefficientRegressor
    from faceuv.structures import Coefficients

    regressor = CoefficientRegressor(stem=4, channels=(4, 4, 4), depths=(1, 1, 1), hidden=(4, 8))
    path = save_network(trained / "judge.safetensors", regressor)
    constant = Coefficients.zeros(1).replace(rotation=torch.tensor([[0.0, 0.125, 0.0]])).data
    monkeypatch.setattr(
        CoefficientRegressor, "forward", lambda self, images: Coefficients(constant.expand(len(images), -1))
    )
    method = YawStepping(
        trained / "fits", trained / "mapper" / "mapper.safetensors", trained / "direction" / "directions.safetensors",
        YAW_LOSS, generator=GENERATOR, regressor=path, widths=[4],
    )  # fmt: skip
    samples = method({"code": torch.randn(3, 8)})
    assert samples[0]["seen"].tolist() == [0.125] * 9
    metric = YawErrors()
    metric.process(None, samples)
    found = metric.compute_metrics(metric.results)
    assert found["seen_slope"] == pytest.approx(0, abs=1e-5)
    assert "judges" not in "".join(method.state_dict())
    assert method.sample_images(10)["turned"].shape == (10, 3, 4, 4)


class TestBadInput:
    def test_fits_of_another_generator_than_the_mappers(self, trained, recipe, tmp_path):
        four = {"type": "fits", "generator": {"type": "ToyCodes", "layers": 4}, "source": "toy", "count": 20}
        run_stages(recipe("other", fits=four), log=silent)
        with pytest.raises(
            InputError, match=r"'yaw' is for codes with \(L, D\) = \(3, 8\), this YawStepper for \(4, 8\)"
        ):
            YawStepping(
                tmp_path / "other" / "fits", trained / "mapper" / "mapper.safetensors",
                trained / "direction" / "directions.safetensors", YAW_LOSS,
            )  # fmt: skip

    def test_losses_and_ranges(self, trained):
        with pytest.raises(InputError, match="needs a loss"):
            CoefficientMapping(trained / "fits", {})
        with pytest.raises(InputError, match=r"range_deg in 0 … 90, got 0.5 and 120"):
            YawStepping(trained / "fits", "m", "d", YAW_LOSS, range_deg=120)
        with pytest.raises(InputError, match="jitter must be at least 0, got -1"):
            CoefficientMapping(trained / "fits", LOSS, widths=[4], jitter=-1)
        with pytest.raises(InputError, match="kept as float32 or float16, got 'bfloat16'"):
            CoefficientMapping(trained / "fits", LOSS, widths=[4], dtype="bfloat16")

    def test_another_face_model(self, trained, monkeypatch):
        from faceuv.registry import FACE_MODELS
        from faceuv.structures import CoefficientLayout

        class Other(torch.nn.Module):
            layout = CoefficientLayout(identity=10)

        monkeypatch.setattr(FACE_MODELS, "build", lambda config: Other())
        with pytest.raises(InputError, match="trained for another face model"):
            CoefficientMapping(trained / "fits", LOSS, widths=[4], face_model="other")

    def test_nan_in_a_batch_names_the_row(self, trained):
        method = CoefficientMapping(trained / "fits", LOSS, widths=[4])
        batch = {"code": torch.zeros(3, 8), "coefficients": torch.zeros(3, 257)}
        batch["coefficients"][1] = float("nan")
        with pytest.raises(InputError, match=r"coefficients of a batch holds NaN or infinity in row\(s\) \[1\]"):
            method.train_step(batch, None)

    def test_a_file_of_several_directions_without_a_yaw(self, trained, tmp_path):
        from dataclasses import replace

        from faceuv.models.directions import save_directions

        (yaw,) = load_directions(trained / "direction" / "directions.safetensors")
        path = save_directions(tmp_path / "d.safetensors", [replace(yaw, name="a"), replace(yaw, name="b")])
        with pytest.raises(AssetError, match="holds the directions a, b; expected one called yaw"):
            YawStepping(trained / "fits", trained / "mapper" / "mapper.safetensors", path, YAW_LOSS)


def test_two_processes_run_every_stage(recipe, toys, forked, trained, tmp_path, capfd):
    from faceuv.engine.training import train_stages

    made = stages()
    for name in ("mapper", "stepper"):
        made[name]["train_cfg"] = {"max_iters": 4, "val_interval": 4}
    made["direction"]["finder"]["samples"] = 200

    def body():
        rows = train_stages(recipe("two", **made), launcher="pytorch")
        assert [row.finding.state for row in rows] == ["fresh"] * 4

    assert forked(body) == [0, 0]
    for shard in sorted((trained / "fits").glob("*.safetensors")):
        assert (tmp_path / "two" / "fits" / shard.name).read_bytes() == shard.read_bytes()
    out = capfd.readouterr().out
    assert out.count("stage stepper: done") == 1
    mapper = load_mapper(tmp_path / "two" / "mapper" / "mapper.safetensors")
    assert bool(torch.isfinite(mapper(torch.zeros(1, 8)).data).all())
