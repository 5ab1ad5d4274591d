"""``--device``: every command that computes takes it; one that is not there is a line, before anything is written."""

from __future__ import annotations

import pytest
import torch

from faceuv.cli.console import checked_device, work_on
from faceuv.cli.main import main
from faceuv.errors import InputError

COMMANDS = {
    "sample": ["sample", "--num", "1", "--out", "{out}"],
    "render": ["render", "--mean", "--out", "{out}/a.png"],
    "generate": ["generate", "yaw", "--out", "{out}"],
    "fit": ["fit", "{picture}", "--out", "{out}"],
    "head": ["head", "{picture}", "--out", "{out}"],
    "train": ["train", "mapper_64", "--work-dir", "{out}"],
    "test": ["test", "mapper_64", "{picture}", "--work-dir", "{out}"],
    "page": ["page", "--seeds", "1", "--out", "{out}/page.html"],
    "studio": ["studio", "--no-browser", "--port", "0"],
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

    monkeypatch.setattr(mmengine.device.utils, "DEVICE", "cuda")
    work_on(None)
    assert get_device() == "cuda"
    work_on("cpu")
    assert get_device() == "cpu"


@pytest.mark.parametrize("name", ["meta", "vulkan", "hpu", "cuda:-1", "gpu", "", "cuda:7", "mps:9"])
def test_what_cannot_be_computed_on(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match=f"--device {name} cannot be used here: ") as caught:
        checked_device(name)
    assert "\n" not in str(caught.value)


def test_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(checked_device(name)) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda:1"]
