"""``faceuv sample`` in shards, cut and resumed, and what it keeps in memory."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv import Face
from faceuv.cli import sample, sample_folder
from faceuv.cli.main import main
from faceuv.cli.sample_folder import SHEET, Shard, Sheet
from faceuv.models.faces import ProceduralFace

WORDS = ["sample", "--size", "24", "--format", "ply", "--seed", "5"]


@pytest.fixture
def made(monkeypatch):
    """Small faces; the seeds that were made."""
    model = ProceduralFace(rows=49, columns=41, verbose=False)
    seeds = []

    def maker(args):
        def make(seed):
            seeds.append(seed)
            return Face.random(seed, face_model=model)

        return make

    monkeypatch.setattr(sample, "maker", maker)
    return seeds


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("face_*")}


def test_shards_are_the_whole(made, tmp_path):
    assert main([*WORDS, "--num", "5", "--out", str(tmp_path / "whole")]) == 0
    for index in (1, 0):
        assert main([*WORDS, "--num", "5", "--shard", f"{index}/2", "--out", str(tmp_path / "parts")]) == 0
    assert made == [5, 6, 7, 8, 9, 6, 8, 5, 7, 9]
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole") and len(contents(tmp_path / "whole")) == 10
    assert {path.name for path in (tmp_path / "parts").glob("*.png")} == {"sheet_0.png", "sheet_1.png"}


def test_a_cut_run_goes_on(made, tmp_path, capsys):
    words = [*WORDS, "--out", str(tmp_path)]
    assert main([*words, "--num", "4"]) == 0
    sheet, before = np.array(Image.open(tmp_path / "sheet.png")), contents(tmp_path)
    (tmp_path / "face_001.safetensors").unlink()  # cut between the mesh and the state
    (tmp_path / "face_003.ply").unlink()
    made.clear()
    assert main([*words, "--num", "4", "--resume"]) == 0
    assert made == [6, 8] and "4 faces, 2 of them there already" in capsys.readouterr().out
    assert contents(tmp_path) == before
    assert np.abs(np.array(Image.open(tmp_path / "sheet.png")).astype(int) - sheet).max() <= 1
    made.clear()
    assert main([*words, "--num", "6", "--resume"]) == 0  # more of the same
    assert made == [9, 10]
    made.clear()
    assert main([*words, "--num", "2"]) == 0  # without the option everything is made
    assert made == [5, 6]


def test_faces_of_other_settings_are_not_kept(made, tmp_path, capsys):
    words = [*WORDS, "--num", "2", "--out", str(tmp_path)]
    assert main(words) == 0
    assert main([*words, "--resume", "--light", "left"]) == 2
    assert "holds faces of other settings (light); choose another --out" in capsys.readouterr().err
    state = tmp_path / "face_001.safetensors"
    long_ago = state.stat().st_mtime - 1000
    os.utime(state, (long_ago, long_ago))  # as if an earlier run with other settings had left it
    made.clear()
    assert main([*words, "--resume"]) == 0
    assert made == [6]
    (tmp_path / "sample.json").write_text("{")
    assert main([*words, "--resume"]) == 2
    assert "sample.json cannot be read" in capsys.readouterr().err


def test_settings_are_what_faces_depend_on(made, tmp_path):
    assert main([*WORDS, "--num", "1", "--hair", "buzz", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "sample.json").read_text())
    assert found["seed"] == 5 and found["hair"] == "buzz" and found["format"] == "ply"
    assert not {"num", "out", "size", "shard", "resume", "device"} & set(found)


@pytest.mark.parametrize("text", ["2/2", "-1/2", "1", "1/", "a/b", "0/0"])
def test_what_is_no_shard(text, capsys):
    assert main(["sample", f"--shard={text}"]) == 2
    assert "a shard is I/N with 0 ≤ I < N" in capsys.readouterr().err


def test_an_empty_shard(tmp_path, capsys):
    assert main(["sample", "--num", "2", "--shard", "3/4", "--out", str(tmp_path / "x")]) == 2
    assert "shard 3 of 4 is empty" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_names_of_sheets_sort():
    assert [Shard(3, 16).sheet, Shard(12, 16).sheet] == ["sheet_03.png", "sheet_12.png"]


def test_the_sheet_holds_no_more_than_its_faces():
    class Plain:
        def render(self, size, **_):
            return torch.zeros(3, size, size)

    sheet = Sheet(8)
    for k in range(SHEET + 10):
        sheet.add(Plain(), str(k))
    assert sheet.full and len(sheet.pictures) == len(sheet.labels) == SHEET * len(sample_folder.SHEET_YAWS)


@pytest.mark.parametrize("name", ["sheet.png", "face_007.glb", "sample.json", "face_000_lod1.glb"])
def test_files_of_others_are_never_replaced(made, tmp_path, capsys, name):
    (tmp_path / name).write_text("my thesis")
    (tmp_path / "face.glb").write_text("may stay")
    assert main([*WORDS, "--num", "2", "--out", str(tmp_path)]) == 2
    assert f"has a file {name}, which faceuv sample has not written" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "my thesis" and len(list(tmp_path.iterdir())) == 2 and made == []
    (tmp_path / name).unlink()
    for _ in range(2):  # its own files it makes again
        assert main([*WORDS, "--num", "1", "--out", str(tmp_path)]) == 0
