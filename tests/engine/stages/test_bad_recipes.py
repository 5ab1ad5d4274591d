"""What is wrong with a recipe is reported with the plan; what goes wrong later loses nothing."""

from __future__ import annotations

import copy
import json
import os
import resource
import shutil
import signal
from collections import namedtuple

import pytest
import torch

from faceuv.engine.divergence import TrainingDiverged
from faceuv.engine.stages import make_plan, run_stages
from faceuv.engine.stages.fits import FitsStage
from faceuv.engine.stages.plan import check_plan
from faceuv.engine.stages.record import Record
from faceuv.errors import AssetError, FaceUVError, InputError, MissingDependency, UnknownName


def silent(line):
    """Instead of print."""


def changed(stages, path, value):
    """A copy with one dotted key set."""
    made = copy.deepcopy(stages)
    *parents, last = path.split(".")
    at = made
    for name in parents:
        at = at[name]
    at[last] = value
    return made


@pytest.fixture
def stages(tiny, tmp_path):
    return tiny.tiny_recipe(tiny.write_teacher(tmp_path))


@pytest.fixture
def plan_of(recipe):
    """``plan_of(stages, "uv.model.mask", None)`` makes and checks the plan, and runs nothing."""

    def check(stages, path=None, value=None):
        return run_stages(recipe(**(changed(stages, path, value) if path else stages)), plan_only=True, log=silent)

    return check


def test_a_sound_recipe_passes(stages, plan_of):
    assert [row.finding.state for row in plan_of(stages)] == ["missing"] * 7


class TestSettings:
    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            ("uv.model.losses.photo.nrom", "squared", "losses.photo: PhotometricLoss has no setting 'nrom'.*'norm'"),
            ("uv.model.losses.r1.gama", 1.0, "'uv', model.losses.r1: .*Did you mean 'gamma'"),
            ("uv.model.losses.advesarial", {"type": "GeneratorLogistic"}, "unknown term 'advesarial'. Did you mean"),
            ("uv.model.losses.discriminator", None, "'uv', model: the losses 'adversarial' and .* belong together"),
            ("uv.model.losses.photo", 10.0, r"'uv', model.losses.photo: a loss is dict\(type=…\), or None .*got 10.0"),
            ("uv.model.uv_generator", {"siez": 32}, "'uv', model: uv_generator has no setting 'siez'.*'size'"),
            ("uv.model.veiws", [], "'uv', model: StyleFaceUV has no setting 'veiws'.*Did you mean 'views'"),
            ("uv.model.discriminator_every", 3, r"'uv', model: .* write adversarial=dict\(every=3\)"),
            ("uv.model.views", {"weight": 1.0}, "'uv', model: views has no setting 'weight'; it has names, symm"),
            ("uv.model.mask", {"rule": "soft"}, "'uv', model: mask.rule must be"),
            ("uv.model.face_model.rows", 9, "'uv', model.face_model: ToyOval has no setting 'rows'"),
            ("uv.optim_wrapper.uv_generator.optimizer.lrr", 1, "uv_generator.optimizer: Adam has no setting 'lrr'"),
            ("uv.train_dataloader.dataset.splt", "all", "train_dataloader.dataset: CodeFits has no setting 'splt'"),
            ("uv.default_hooks.checkpoint.intervall", 3, "CheckpointHook has no setting 'intervall'.*'interval'"),
            ("uv.custom_hooks", [{"type": "GeneratorEMA", "halflife": 1}], r"custom_hooks.0: .*mean 'half_life'"),
            ("uv.optim_wraper", {}, "'train' has no setting 'optim_wraper'. Did you mean 'optim_wrapper'"),
            ("direction.finder.sampels", 9, "'direction', finder: .*Did you mean 'samples'"),
        ],
    )  # fmt: skip
    def test_misspelt_ones(self, stages, plan_of, path, value, message):
        with pytest.raises(InputError, match=message):
            plan_of(stages, path, value)

    def test_hooks_that_all_trainings_share(self, stages, recipe):
        config = recipe(**stages)
        config.default_hooks = {"logger": {"type": "LogerHook"}}
        with pytest.raises(UnknownName, match="the recipe, default_hooks.logger: no hook is called 'LogerHook'"):
            run_stages(config, plan_only=True, log=silent)

    def test_a_loss_that_does_not_exist(self, stages, plan_of):
        with pytest.raises(UnknownName, match="'uv', model.losses.photo: no loss is called 'L3'"):
            plan_of(stages, "uv.model.losses.photo.type", "L3")

    @pytest.mark.parametrize("renderer", ["nvdiffrast", {"type": "nvdiffrast"}])
    def test_a_renderer_that_cannot_run_here(self, stages, plan_of, renderer):
        with pytest.raises(MissingDependency, match="'uv', model.renderer: the renderer 'nvdiffrast'.*'torch'"):
            plan_of(stages, "uv.model.renderer", renderer)

    def test_a_finder_without_a_mapper(self, stages, plan_of):
        with pytest.raises(InputError, match="scores codes by 'yaw': it needs a mapper"):
            plan_of(stages, "direction.mapper", None)


class TestGenerators:
    """A teacher of 16², D = 8, so L = 6; and networks of others."""

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("uv.model.mapper", "zoo:mapper_64/weights.safetensors"),
            ("uv.model.stepper", "zoo:stepper_64/weights.safetensors"),
            ("direction.mapper", "zoo:mapper_64/weights.safetensors"),
            ("stepper.model.mapper", "zoo:mapper_64/weights.safetensors"),
            ("stepper.model.direction", "zoo:direction_yaw_64/direction.safetensors"),
        ],
    )
    def test_a_network_of_another_teacher(self, stages, plan_of, path, value):
        stage = path.partition(".")[0]
        with pytest.raises(InputError, match=f"'{stage}' mixes two generators: .*is for L = (6|10), .*for L = (6|10)"):
            plan_of(stages, path, value)

    def test_a_uv_generator_and_a_discriminator_of_another(self, tiny, stages, plan_of, tmp_path):
        from faceuv.files.networks import save_network
        from faceuv.models.stylefaceuv import UVGenerator
        from faceuv.models.stylegan2 import load_generator

        other = UVGenerator.from_teacher(load_generator(tiny.write_teacher(tmp_path, size=32, width=4)), size=16)
        path = save_network(tmp_path / "uv.safetensors", other)
        with pytest.raises(InputError, match="'uv' mixes two generators"):
            plan_of(stages, "uv.model.uv_generator", {"weights": str(path)})
        with pytest.raises(InputError, match="is for 16² pictures, model.discriminator .* for 32² pictures"):
            plan_of(stages, "uv.model.discriminator", str(tiny.write_critic(tmp_path, size=32)))

    def test_a_teacher_changed_under_trained_networks(self, tiny, stages, recipe, tmp_path):
        """What was made for the old one is stale, and not mixed in."""
        short = {name: stages[name] for name in ("teacher", "fits", "mapper")}
        run_stages(recipe(**short), log=silent)
        other = changed(short, "teacher.path", str(tiny.write_teacher(tmp_path, size=32)))
        rows = run_stages(recipe(**other), plan_only=True, log=silent)
        assert [row.finding.state for row in rows] == ["stale"] * 3

    def test_a_file_that_was_deleted(self, stages, plan_of, tmp_path):
        with pytest.raises(AssetError, match="gone.safetensors does not exist"):
            plan_of(stages, "uv.model.mapper", str(tmp_path / "gone.safetensors"))

    def test_a_teacher_without_what_later_stages_read(self, stages, plan_of):
        with pytest.raises(InputError, match="has no discriminator; it holds ema.*teacher.discriminator=False"):
            plan_of(stages, "teacher.discriminator", True)


class TestInputs:
    @pytest.fixture
    def made(self, stages, recipe):
        """The config of fits and mapper, and that of the mapper's plan, run."""
        short = {name: stages[name] for name in ("teacher", "fits", "mapper")}
        config = recipe(**short)
        run_stages(config, log=silent)
        return config

    def states(self, config):
        return {row.name: row.finding.state for row in make_plan(config, config.work_dir)}

    def test_deleted_ones_are_made_again_or_told(self, made, tmp_path):
        before = {path.name: path.read_bytes() for path in (tmp_path / "work" / "fits").glob("*.safetensors")}
        (tmp_path / "work" / "fits" / "fits_000002.safetensors").unlink()
        assert self.states(made) == {"teacher": "fresh", "fits": "interrupted", "mapper": "fresh"}
        shutil.rmtree(tmp_path / "work" / "mapper")
        with pytest.raises(InputError, match=r"needs 'fits', which is interrupted \(fits_000002.safetensors: missing"):
            run_stages(made, only="mapper", log=silent)
        run_stages(made, only="fits", log=silent)
        after = {path.name: path.read_bytes() for path in (tmp_path / "work" / "fits").glob("*.safetensors")}
        assert after == before
        shutil.rmtree(tmp_path / "work" / "fits")
        with pytest.raises(InputError, match="needs 'fits', which is missing: run it too, with --from fits"):
            run_stages(made, only="mapper", log=silent)

    def test_those_of_another_config_are_stale_and_say_why(self, made, recipe, stages, tmp_path):
        other = {name: stages[name] for name in ("teacher", "fits")}
        other["fits"] = {**other["fits"], "seed": 7}
        run_stages(recipe("other", **other), log=silent)
        shutil.rmtree(tmp_path / "work" / "fits")
        shutil.copytree(tmp_path / "other" / "fits", tmp_path / "work" / "fits")
        row = next(row for row in make_plan(made, made.work_dir) if row.name == "fits")
        assert (row.finding.state, row.finding.why) == ("stale", ["seed: 7 → absent"])

    def test_a_shard_of_another_run_is_made_again(self, made, recipe, stages, tmp_path):
        name = "fits_000001.safetensors"
        before = (tmp_path / "work" / "fits" / name).read_bytes()
        other = {name: stages[name] for name in ("teacher", "fits")}
        other["fits"] = {**other["fits"], "seed": 7}
        run_stages(recipe("other", **other), log=silent)
        shutil.copy(tmp_path / "other" / "fits" / name, tmp_path / "work" / "fits" / name)
        (tmp_path / "work" / "fits" / "fits_000000.safetensors").unlink()  # so that the stage runs
        run_stages(made, only="fits", log=silent)
        assert (tmp_path / "work" / "fits" / name).read_bytes() == before


class TestFullDisk:
    def test_it_is_told_with_the_plan(self, stages, recipe, monkeypatch):
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 5 << 20))
        with pytest.raises(AssetError, match="has 5 MiB left, and a recipe needs 256 at least: make room"):
            run_stages(recipe(**stages), log=silent)

    def test_a_write_that_fails_loses_nothing_and_is_done_again(self, stages, recipe, forked, tmp_path, capfd):
        """The system refuses to write more than 3 kB to a file, which is how it refuses on a full disk."""
        short = {name: stages[name] for name in ("teacher", "fits")}
        limit = 3000
        run_stages(recipe("whole", **short), log=silent)
        small = recipe("full", **{**short, "fits": {**short["fits"], "shard": 2}})
        config = recipe("full", **short)
        assert max(path.stat().st_size for path in (tmp_path / "whole" / "fits").glob("fits_*")) > limit
        run_stages(small, only="teacher", log=silent)

        def full():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                run_stages(config, log=silent)
            except FaceUVError as error:
                (tmp_path / "error").write_text(str(error))
                raise

        assert forked(full, processes=1) == [1]
        capfd.readouterr()
        message = (tmp_path / "error").read_text()
        assert "cannot write" in message
        assert "fits_000000.safetensors" in message
        assert "File too large" in message
        assert "make room" in message
        folder = tmp_path / "full" / "fits"
        assert sorted(path.name for path in folder.iterdir()) == ["stage.json"]  # nothing half-written
        run_stages(config, log=silent)
        for path in (tmp_path / "whole" / "fits").glob("fits_*"):
            assert (folder / path.name).read_bytes() == path.read_bytes()

    def test_a_log_that_cannot_be_written(self, stages, recipe, monkeypatch):
        """Any file of a stage, whoever writes it."""

        def run(self, context):
            raise OSError(28, "No space left on device", str(context.folder / "scalars.json"))

        monkeypatch.setattr(FitsStage, "run", run)
        with pytest.raises(AssetError, match="disk is full .* while the stage 'fits' writes .*scalars.json; what is"):
            run_stages(recipe(**stages), log=silent)


class TestInterruptions:
    def test_leftovers_of_a_killed_write_are_cleared(self, stages, recipe, tmp_path):
        config = recipe(**{name: stages[name] for name in ("teacher", "fits")})
        run_stages(config, log=silent)
        folder = tmp_path / "work" / "fits"
        whole = (folder / "fits_000001.safetensors").read_bytes()
        (folder / "fits_000001.safetensors").unlink()
        (folder / ".fits_000001.ab12_xyz.safetensors").write_bytes(whole[:100])  # what atomic_path leaves if killed
        (folder / ".hidden_by_user").write_text("mine")
        record = json.loads((folder / "stage.json").read_text())
        (folder / "stage.json").write_text(json.dumps({**record, "complete": False}))
        run_stages(config, log=silent)
        assert (folder / "fits_000001.safetensors").read_bytes() == whole
        assert [path.name for path in folder.glob(".*")] == [".hidden_by_user"]

    def test_nan_stops_with_a_report_and_the_last_good_checkpoint(self, stages, recipe, tmp_path, monkeypatch):
        from faceuv.models.stylefaceuv import CoefficientMapping

        step = CoefficientMapping.train_step
        count = [0]

        def poisoned(self, data, optim_wrapper):
            count[0] += 1
            logs = step(self, data, optim_wrapper)
            return logs if count[0] < 8 else {**logs, "scores": torch.tensor(float("nan"))}

        short = {name: stages[name] for name in ("teacher", "fits", "mapper")}
        run_stages(recipe("whole", **short), log=silent)
        with monkeypatch.context() as patch:
            patch.setattr(CoefficientMapping, "train_step", poisoned)
            with pytest.raises(
                TrainingDiverged,
                match=r"stopped at iteration 8: the loss is not finite \(scores = nan\); last good .*mapper/iter_6.pth",
            ):
                run_stages(recipe(**short), log=silent)
        folder = tmp_path / "work" / "mapper"
        assert not Record.read(folder).complete
        assert not (folder / "mapper.safetensors").exists()
        run_stages(recipe(**short), log=silent)  # it goes on from there
        whole = tmp_path / "whole" / "mapper" / "mapper.safetensors"
        assert (folder / "mapper.safetensors").read_bytes() == whole.read_bytes()


def test_errors_of_several_stages_and_missing_assets_come_together(stages, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    made = changed(stages, "uv.model.face_model", {"type": "BFM2009"})
    made = changed(made, "fits.source", {"type": "truth"})
    plan = make_plan(recipe(**made), "w")
    with pytest.raises(
        FaceUVError, match=r"(?s)2 stages cannot run yet: \(1\) fits: source 'truth'.*\(2\) uv: 1 thing"
    ):
        check_plan(plan)
    assert not os.path.exists("w")
