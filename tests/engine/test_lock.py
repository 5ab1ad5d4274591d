"""Two runs in one work dir: the error names the holder; the lock of a killed run is taken over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faceuv.cli.main import main
from faceuv.engine import load_config, train
from faceuv.engine.lock import LOCK_FILE, WorkDirInUse, work_dir_lock

HOLD = """
import sys
from faceuv.engine.lock import work_dir_lock
with work_dir_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
SHORT = {"train_cfg.max_iters": 2, "train_cfg.val_interval": 100}


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``tmp_path/work``."""
    (tmp_path / "work").mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "work")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()


def test_the_second_run_names_the_first(holder, toy_path, tmp_path, capsys):
    words = ["--work-dir", str(tmp_path / "work"), "--cfg-options", "train_cfg.max_iters=2"]
    assert main(["train", str(toy_path), *words]) != 0
    error = capsys.readouterr().err
    assert f"work is in use by process {holder.pid} on {os.uname().nodename} since 2" in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [LOCK_FILE]
    holder.stdin.close()
    holder.wait(30)
    assert main(["train", str(toy_path), *words]) == 0
    assert not (tmp_path / "work" / LOCK_FILE).exists()


def test_a_recipe_of_stages_too(holder, tmp_path, capsys):
    assert main(["train", "mapper_64", "--work-dir", str(tmp_path / "work")]) != 0
    captured = capsys.readouterr()
    assert f"in use by process {holder.pid}" in captured.err
    assert captured.out == ""  # the plan of a folder that another run writes means nothing
    assert main(["train", "mapper_64", "--work-dir", str(tmp_path / "work"), "--plan"]) == 0


def test_a_killed_holder_leaves_nothing_in_the_way(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(30)
    path = tmp_path / "work" / LOCK_FILE
    assert json.loads(path.read_text())["pid"] == holder.pid  # its note is still there
    with work_dir_lock(tmp_path / "work"):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_a_folder_without_a_lock_or_with_a_strangers_note(tmp_path):
    for content in ("", "{", "[1]", '{"pid": 1}'):
        (tmp_path / LOCK_FILE).write_text(content)
        with work_dir_lock(tmp_path):
            assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()


def test_it_is_released_when_training_fails(toy_path, tmp_path):
    config = load_config(toy_path, {**SHORT, "model.type": "ToyGAN", "default_hooks.checkpoint.save_best": "none"})
    config.train_cfg.val_interval = 1
    with pytest.raises(Exception, match="names the metric 'none'"):
        train(config, work_dir=tmp_path / "work")
    assert not (tmp_path / "work" / LOCK_FILE).exists()


def test_only_the_first_rank_asks(tmp_path, monkeypatch):
    monkeypatch.setattr("faceuv.engine.lock.is_main_process", lambda: False)
    with work_dir_lock(tmp_path):
        assert not (tmp_path / LOCK_FILE).exists()


def test_without_locks_of_the_system_the_note_decides(holder, tmp_path, monkeypatch):
    monkeypatch.setattr("faceuv.engine.lock.fcntl", None)
    with pytest.raises(WorkDirInUse, match=f"process {holder.pid}"), work_dir_lock(tmp_path / "work"):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(30)
    with work_dir_lock(tmp_path / "work"):
        pass
