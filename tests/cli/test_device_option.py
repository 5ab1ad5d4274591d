"""``--device``: every command that computes takes it; one that is not there is a line, before anything is written."""

from __future__ import annotations

import pytest
import torch

from faceuv.cli.main import main

COMMANDS = {
    "sample": ["sample", "--num", "1", "--out", "{out}"],
    "render": ["render", "--mean", "--out", "{out}/a.png"],
    "generate": ["generate", "yaw", "--out", "{out}"],
    "fit": ["fit", "{picture}", "--out", "{out}"],
    "train": ["train", "mapper_64", "--work-dir", "{out}"],
    "test": ["test", "mapper_64", "{picture}", "--work-dir", "{out}"],
    "direction": ["direction", "direction_yaw_procedural", "--work-dir", "{out}"],
}


@pytest.fixture
def picture(tmp_path):
    from faceuv.export import save_png

    return save_png(tmp_path / "picture.png", torch.rand(3, 64, 64))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_not_there_is_one_line(command, picture, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    words = [word.format(out=out, picture=picture) for word in COMMANDS[command]]
    assert main([*words, "--device", "meta:nowhere"]) == 2
    error = capsys.readouterr().err
    assert "--device meta:nowhere cannot be used here" in error
    assert error.count("\n") == 1
    assert not out.exists() or not list(out.iterdir())


def test_train_and_stages_work_where_they_are_told(monkeypatch):
    import mmengine.device.utils
    from mmengine.device import get_device

    from faceuv.cli.console import work_on

    monkeypatch.setattr(mmengine.device.utils, "DEVICE", "cuda")
    work_on(None)
    assert get_device() == "cuda"
    work_on("cpu")
    assert get_device() == "cpu"
