"""What a user of MMEngine tries first: its Config, its Runner, its registries, the usual options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS

from faceuv.cli.main import main
from faceuv.engine import Runner, load_config, read_checkpoint
from faceuv.errors import InputError

ROOT = Path(__file__).parents[2]
RECIPES = sorted([*(ROOT / "configs").glob("*.py"), *(ROOT / "faceuv" / "configs").glob("[!_]*.py")])
SHORT = {"train_cfg.max_iters": 4, "train_cfg.val_interval": 100}


def test_config_fromfile_reads_every_recipe_without_faceuv():
    code = (
        "import sys; from mmengine.config import Config\nfor f in sys.argv[1:]: assert len(Config.fromfile(f)) > 5, f\n"
    )
    code += "assert 'faceuv' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, RECIPES)], capture_output=True, text=True, cwd=ROOT.parent, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(RECIPES) > 20


@pytest.fixture
def toy(toy_path, tmp_path):
    config = load_config(toy_path, SHORT)
    config.work_dir, config.default_scope = str(tmp_path / "run"), "faceuv"
    return config


class TestRunners:
    def test_mmengines_own_refuses_with_one_line(self, toy):
        with pytest.raises(InputError, match="needs faceuv's Runner.*use faceuv.engine.Runner.from_cfg") as caught:
            mmengine.runner.Runner.from_cfg(toy)
        assert "\n" not in str(caught.value)

    def test_ours_is_built_by_the_registry(self, toy):
        toy.runner_type = "faceuv.Runner"
        runner = RUNNERS.build(toy)
        assert type(runner) is Runner
        runner.train()
        assert runner.iter == 4

    def test_a_config_of_stages_is_no_training(self):
        config = Config.fromfile(ROOT / "configs" / "mapper_64.py")
        assert config.runner_type == "faceuv.Runner"
        config.work_dir = "w"
        with pytest.raises(InputError, match=r"stages=\[…\] is several trainings; run it with faceuv train"):
            RUNNERS.build(config)

    def test_a_config_without_a_model(self):
        with pytest.raises(InputError, match="a Runner needs model and work_dir; the config has train_cfg"):
            Runner.from_cfg(Config({"train_cfg": {"max_iters": 1}}))


class TestOptions:
    def test_print_config_prints_a_config(self, toy_path, tmp_path, capsys):
        assert main(["train", str(toy_path), "--print-config", "--cfg-options", "train_cfg.max_iters=7"]) == 0
        (tmp_path / "printed.py").write_text(capsys.readouterr().out)
        printed = load_config(tmp_path / "printed.py")
        wanted = load_config(toy_path, {"train_cfg.max_iters": 7})
        assert printed.to_dict() == wanted.to_dict()
        assert printed.train_cfg.max_iters == 7

    def test_the_config_of_a_run_reads_back_though_yapf_did_not_lay_it_out(self, toy, tmp_path, monkeypatch):
        monkeypatch.setattr("mmengine.config.config.FormatCode", lambda *_, **__: pytest.fail("yapf takes seconds"))
        toy.train_cfg.max_iters = 1
        toy.env_cfg = {"odd keys": [{"a": (1, "x\n'y'")}, [], {}], "none": None}
        runner = Runner.from_cfg(toy)
        runner.train()
        (kept,) = (tmp_path / "run").glob("*.py")
        again = Config.fromfile(kept, format_python_code=False)
        assert again.to_dict() == runner.cfg.to_dict() == toy.to_dict()
        text = read_checkpoint(tmp_path / "run" / "iter_1.pth")["meta"]["cfg"]
        assert Config.fromstring(text, ".py").to_dict() == toy.to_dict()

    def test_load_from_begins_with_given_weights_at_iteration_0(self, toy_run, tmp_path):
        toy_run("first", SHORT)
        given = tmp_path / "first" / "iter_4.pth"
        no_step = {**SHORT, "train_cfg.max_iters": 1, "param_scheduler": None}
        no_step |= {f"optim_wrapper.{name}.optimizer.lr": 0.0 for name in ("generator", "discriminator")}
        runner = toy_run("second", no_step, load_from=given)
        assert runner.iter == 1
        old, new = (read_checkpoint(path)["state_dict"] for path in (given, tmp_path / "second" / "iter_1.pth"))
        assert torch.equal(old["generator.0.weight"], new["generator.0.weight"])

    def test_resume_auto_is_resume(self, toy_run, tmp_path):
        toy_run("run", SHORT)
        assert toy_run("run", {**SHORT, "train_cfg.max_iters": 6}, resume="auto").resumed

    def test_resume_and_load_from_exclude_each_other(self, toy_run):
        with pytest.raises(InputError, match="choose one"):
            toy_run(resume=True, load_from="x.pth")

    @pytest.mark.parametrize("words", [["--resume"], ["--load-from"]])
    def test_a_missing_checkpoint_is_told_before_anything_is_built(
        self, toy_path, tmp_path, monkeypatch, capsys, words
    ):
        monkeypatch.setattr(Runner, "from_cfg", lambda config: pytest.fail("a runner was built"))
        gone, work = tmp_path / "gone.pth", tmp_path / "work"
        assert main(["train", str(toy_path), "--work-dir", str(work), *words, str(gone)]) != 0
        assert f"no checkpoint at {gone}" in capsys.readouterr().err
        assert not work.exists()

    def test_a_missing_or_cut_checkpoint_of_a_test(self, toy_path, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(Runner, "from_cfg", lambda config: pytest.fail("a runner was built"))
        work, gone = tmp_path / "work", tmp_path / "gone.pth"
        assert main(["test", str(toy_path), str(gone), "--work-dir", str(work)]) != 0
        assert f"no checkpoint at {gone}" in capsys.readouterr().err
        assert not work.exists()
        gone.write_bytes(b"PK\x03\x04 cut")
        assert main(["test", str(toy_path), str(gone), "--work-dir", str(work)]) != 0
        assert "truncated or damaged" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--load-from", "x.pth"], "each names in its config what it starts with"),
            (["--resume", "x.pth"], "has stages"),
        ],
    )
    def test_a_config_of_stages_takes_neither(self, words, message, capsys):
        assert main(["train", "mapper_64", *words]) != 0
        assert message in capsys.readouterr().err
