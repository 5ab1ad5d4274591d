from __future__ import annotations

import logging
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from faceuv.cli.main import main
from faceuv.engine import ImageSheets, ProgressBar, TensorboardVisBackend
from faceuv.errors import InputError, MissingDependency

QUICK = ["--cfg-options", "train_cfg.max_iters=10", "train_cfg.val_interval=10", "default_hooks.logger.interval=5"]


def test_the_output_is_short_lines(toy_path, tmp_path, capfd):
    assert main(["train", str(toy_path), "--work-dir", str(tmp_path), *QUICK]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d faceuv \S+, torch \S+, CPU, \d+ thread\(s\), seed 0 → .*", lines[0])
    assert re.match(
        r"\d\d:\d\d:\d\d iter  5/10  loss_g \S+  photo \S+  loss_d \S+  \S+ samples/s.*  0:00:00 left$", lines[1]
    )
    assert re.match(r"\S+ val  error [\d.]+$", lines[4])
    assert len(lines) == 6
    assert max(map(len, lines[1:])) < 130
    log = next(tmp_path.glob("*/*.log")).read_text()
    assert "Config:" in log  # what the terminal is spared

    # the sub-command test
    checkpoint = str(tmp_path / "iter_10.pth")
    assert main(["test", str(toy_path), checkpoint, "--work-dir", str(tmp_path / "test")]) == 0
    assert re.search(r"^error +0\.\d+$", capfd.readouterr().out, re.MULTILINE)
    assert (tmp_path / "test" / "metrics.json").is_file()


def test_errors_are_one_line(toy_path, tmp_path, capfd):
    assert main(["train", str(tmp_path / "none.py")]) == 2
    assert re.fullmatch(r"faceuv: error: no config at .*none.py; .*\n", capfd.readouterr().err)
    assert main(["test", str(toy_path), str(tmp_path / "none.pth"), "--work-dir", str(tmp_path)]) == 2
    assert "faceuv: error: no checkpoint at" in capfd.readouterr().err


def test_a_metric_is_not_averaged_with_earlier_ones(toy_run, tmp_path, capfd):
    import json

    toy_run(options={"train_cfg.max_iters": 20})
    printed = float(re.findall(r"val  error ([\d.]+)", capfd.readouterr().out)[-1])
    assert printed == pytest.approx(
        json.loads((tmp_path / "run" / "best.json").read_text())["error"]["score"], rel=1e-3
    )


def runner_with_console():
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(sys.stdout))
    return SimpleNamespace(max_iters=4, iter=1, logger=logger)


def test_the_bar_is_quiet_where_nobody_watches(capsys, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    bar, runner = ProgressBar(), runner_with_console()
    bar.before_train(runner)
    bar.after_train_iter(runner, 0)
    bar.close(runner)
    assert capsys.readouterr().out == ""


def test_the_bar_shows_progress_and_lets_log_lines_through(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar, runner = ProgressBar(), runner_with_console()
    stream = runner.logger.handlers[0].stream
    bar.before_train(runner)
    runner.logger.warning("a line")
    bar.after_train_iter(runner, 0)
    bar.progress.refresh()
    bar.close(runner)
    out = capsys.readouterr().out
    assert "2/4" in out
    assert "a line\n" in out.replace("\r", "")
    assert runner.logger.handlers[0].stream is stream


def test_tensorboard_is_written_where_it_is_installed(toy_run, tmp_path):
    pytest.importorskip("tensorboard")
    backends = {"type": "Visualizer", "vis_backends": [{"type": "TensorboardVisBackend"}]}
    toy_run(options={"train_cfg.max_iters": 20, "visualizer": backends})
    events = list(tmp_path.glob("run/**/events.out.tfevents*"))
    assert len(events) == 1
    assert b"fakes" in events[0].read_bytes()


def test_a_missing_tensorboard_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(
        MissingDependency, match=r'needs TensorBoard .*pip install "faceuv\[train\]"; without it, scalars'
    ):
        TensorboardVisBackend(save_dir=str(tmp_path))


def test_sheets_need_something_to_show():
    runner = SimpleNamespace(model=nn.Linear(1, 1))
    with pytest.raises(InputError, match=r"ImageSheets needs Linear.sample_images\(count\), which it does not have"):
        ImageSheets().before_train(runner)


def test_sheets_do_not_disturb_training(toy_run, tmp_path):
    toy_run("with", {"train_cfg.max_iters": 10, "custom_hooks": [{"type": "ImageSheets", "interval": 2, "count": 1}]})
    toy_run("without", {"train_cfg.max_iters": 10, "custom_hooks": []})
    states = [torch.load(tmp_path / name / "iter_10.pth", weights_only=True) for name in ("with", "without")]
    assert torch.equal(states[0]["state_dict"]["generator.0.weight"], states[1]["state_dict"]["generator.0.weight"])


def test_the_package_and_its_registries_load_no_engine():
    code = (
        "import sys, faceuv, faceuv.registry; heavy = [m for m in sys.modules if m.startswith(('faceuv.engine',"
        " 'mmengine.runner', 'torch.distributed.run'))]; assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
