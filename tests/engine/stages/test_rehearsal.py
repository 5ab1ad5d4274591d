"""The rehearsal before a recipe runs: what passes every check of the config and fails when it is built or used."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch

from faceuv.engine.stages import run_stages
from faceuv.errors import InputError

LINES: list[str] = []


def changed(stages, path, value):
    made = copy.deepcopy(stages)
    *parents, last = path.split(".")
    at = made
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at.setdefault(name, {})
    at[last] = value
    return made


@pytest.fixture
def stages(tiny, tmp_path):
    return tiny.tiny_recipe(tiny.write_teacher(tmp_path))


@pytest.fixture
def rehearsed(stages, recipe, tmp_path):
    """``rehearsed("uv.model.mask", None)`` plans the tiny recipe and rehearses the stages up to the changed one."""

    def check(path, value):
        made = changed(stages, path, value)
        last = path.partition(".")[0]
        names = list(made)[: list(made).index(last) + 1]
        short = {name: made[name] for name in names if name in needed(made, last)}
        lines = []
        try:
            run_stages(recipe(**short), plan_only=True, rehearsal=True, log=lines.append)
        finally:
            assert not (tmp_path / "work").exists()
        return lines

    return check


def needed(stages, last):
    """The names of the stages that ``last`` reads, and it."""
    from faceuv.engine.stages.references import referenced

    found, wanted = set(), [last]
    while wanted:
        name = wanted.pop()
        found.add(name)
        wanted += [other for other in referenced(stages[name]) if other not in found]
    return found


def test_the_recipe_passes_and_leaves_no_trace(stages, recipe, tmp_path, monkeypatch):
    before = torch.random.get_rng_state().clone()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    lines = []
    run_stages(recipe(**stages), plan_only=True, rehearsal=True, log=lines.append)
    assert [line for line in lines if line.startswith("rehearsal of")] == [f"rehearsal of {name} …" for name in stages]
    assert "every stage runs on a few samples" in lines[-1]
    assert "not rehearsed" not in lines[-1]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not (tmp_path / "work").exists()
    assert list((tmp_path / "tmp").glob("faceuv*")) == []


def test_what_is_fresh_is_read_and_not_rehearsed(stages, recipe, tmp_path):
    short = {name: stages[name] for name in ("teacher", "fits", "mapper")}
    run_stages(recipe(**short), log=lambda line: None)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*")}
    shutil.rmtree(tmp_path / "work" / "mapper")
    lines = []
    run_stages(recipe(**short), plan_only=True, rehearsal=True, log=lines.append)
    assert [line for line in lines if line.startswith("rehearsal of")] == ["rehearsal of mapper …"]
    kept = {path: time for path, time in times.items() if path.is_file()}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()} == kept


def test_a_stage_of_a_plug_in_is_left_out_and_named(recipe, toys):
    lines = []
    run_stages(
        recipe(first={"type": "note", "text": "a"}, second={"type": "note", "text": "{first}"}),
        plan_only=True,
        rehearsal=True,
        log=lines.append,
    )
    assert lines[-1].endswith("not rehearsed: first, second")


def test_rates_that_begin_late_are_rehearsed(stages, recipe):
    """The one step is before their begin, where MMEngine would refuse an end."""
    later = [{"type": "CosineAnnealingLR", "begin": 5, "T_max": 7, "by_epoch": False}]
    made = changed(stages, "mapper.param_scheduler", {"mapper": later})
    short = {name: made[name] for name in ("teacher", "fits", "mapper")}
    lines = []
    run_stages(recipe(**short), plan_only=True, rehearsal=True, log=lines.append)
    assert "rehearsal of mapper …" in lines and "every stage runs" in lines[-1]


VALIDATION = {
    "val_cfg": {},
    "val_dataloader": {
        "batch_size": 2, "num_workers": 0, "dataset": {"type": "CodeFits", "folder": "{fits}", "split": "val"},
        "sampler": {"type": "DefaultSampler", "shuffle": False}, "collate_fn": {"type": "default_collate"},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("mapper.model.losses.landmarks", {"type": "MeanDistance", "of": "landmark"}, "'mapper' would fail"),
        ("mapper.model.losses.photo", {"type": "PhotometricLoss"}, "'mapper' would fail"),
        ("mapper.model.widths", [0], "'mapper'"),
        ("mapper.model.dtype", "float8", "'mapper'.*float8"),
        ("mapper.optim_wrapper.mapper.rates", {"fase.0": 0.1}, "'mapper'.*fase.0"),
        ("mapper.optim_wrapper.mapper.clip_grad", {"max_nrm": 5}, "'mapper'.*max_nrm"),
        ("mapper.optim_wrapper.mapper.optimizer.betas", [0.0, 1.5], "'mapper'.*beta"),
        ("mapper.optim_wrapper.mapper.optimizer.eps", -1.0, "'mapper'.*epsilon"),
        ("mapper.train_dataloader.persistent_workers", True, "'mapper'.*persistent_workers"),
        ("mapper.train_dataloader.prefetch_factor", 2, "'mapper'.*prefetch_factor"),
        ("mapper.train_dataloader.shuffle", True, "'mapper'.*shuffle"),
        ("mapper.train_dataloader.dataset", {"type": "SyntheticFaces", "size": 16}, "'mapper' would fail"),
        ("mapper.train_dataloader.dataset.folder", "nowhere", "'mapper' would fail.*nowhere holds no fits"),
        ("mapper.model.fits", "{teacher}", "'mapper' would fail.*{teacher} holds no fits"),
        ("direction.mapper", "{mapper}/iter_99.pth", "'direction' would fail.*iter_99.pth"),
        ("stepper.model.direction", "{mapper}/mapper.safetensors", "'stepper' would fail.*directions"),
        ("stepper.model.mapper", "{fits}", "'stepper' would fail"),
        ("stepper.model.widths", [8, -1], "'stepper'"),
        ("stepper.model.losses.yaw.of", "landmarks", "'stepper' would fail"),
        ("uv.model.uv_generator", {"size": 15}, "'uv' would fail.*15"),
        ("uv.model.uv_generator", {"displacement_scale": "x"}, "'uv' would fail.*'str'"),
        ("uv.model.uv_generator", {"displacement_space": "xy"}, "'uv'.*xy"),
        ("uv.model.teacher", {"type": "ProceduralGenerator", "size": 16}, "'uv' would fail.*L = 6, D = 8.*D = 512"),
        ("uv.model.discriminator", None, "'uv'.*needs a discriminator"),
        ("uv.model.discriminator", "{teacher}/generator.safetensors", "'uv' would fail.*discriminator"),
        ("uv.model.losses.flat", {"type": "MapPenalty", "of": "specular"}, "'uv' would fail.*specular"),
        ("uv.model.losses.yaw", {"type": "MeanDistance", "of": "yaw"}, "'uv' would fail.*per_image.*yaw"),
        ("uv.model.stepper", None, "'uv'.*stepper"),
        ("uv.model.stepper", "{mapper}/mapper.safetensors", "'uv' would fail.*stepper"),
        ("uv.model.mapper", "{stepper}/stepper.safetensors", "'uv' would fail.*mapper"),
        ("uv.model.directions", "{mapper}/mapper.safetensors", "'uv' would fail.*mapper.safetensors.*directions"),
        ("uv.model.dtype", "float8", "'uv'.*float8"),
        ("uv.model.random_yaw_deg", 100.0, "'uv'.*random_yaw_deg"),
        ("uv.model.renderer", {"type": "torch", "camera": {"focl": 3}}, "'uv'.*focl"),
        ("report.subjects", {"ours": {"type": "uv", "path": "{mapper}/mapper.safetensors"}}, "'report' would fail"),
        ("report.mapper", "{stepper}/stepper.safetensors", "'report' would fail.*mapper"),
        ("report.losses", {"perceptual": {"type": "MeanDistance", "of": "yaw"}}, "'report' would fail"),
    ],
)  # fmt: skip
def test_what_would_fail_later(rehearsed, path, value, message):
    with pytest.raises(InputError, match=message) as caught:
        rehearsed(path, value)
    assert "\n" not in str(caught.value)
    assert "/tmp/faceuv-rehearsal" not in str(caught.value)


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (
            {
                "type": "FrechetDistance",
                "features": {
                    "type": "DiscriminatorFeatures",
                    "network": {"type": "StyleGAN2Discriminator", "size": 16},
                },
                "real": "reel",
            },
            "would fail.*reel",
        ),
        ({"type": "CoefficientErrors"}, "would fail"),
    ],
)
def test_an_evaluation_that_would_fail(stages, rehearsed, evaluator, message):
    stages["uv"].update(VALIDATION)
    with pytest.raises(InputError, match=f"'uv'.*{message}"):
        rehearsed("uv.val_evaluator", evaluator)


def test_a_best_checkpoint_by_a_metric_that_is_not_measured(stages, rehearsed):
    stages["uv"].update(VALIDATION, val_evaluator={"type": "Reconstruction"})
    hook = {"type": "CheckpointHook", "interval": 3, "save_best": "fid", "rule": "less"}
    with pytest.raises(InputError, match="'uv' would fail.*fid"):
        rehearsed("uv.default_hooks.checkpoint", hook)
