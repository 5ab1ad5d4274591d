"""``faceuv convert bfm`` writes the file that BFM2009 reads."""

from __future__ import annotations

import argparse
from functools import partial

import pytest
import torch

from faceuv.cli import convert as command
from faceuv.errors import AssetError
from faceuv.models.faces.bfm2009 import BFM2009


@pytest.fixture
def small(monkeypatch, files):
    """The command knows only BFM's own sizes; here it meets the small head."""
    monkeypatch.setattr(BFM2009, "from_files", partial(BFM2009.from_files, sizes=files.small))
    return files


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["convert", "bfm", *map(str, words)])
    return args.run(args)


def test_front_and_raw_write_the_same_model(tmp_path, small, head, capsys):
    uv = small.write_uv(tmp_path / "BFM_UV.mat", head.uv)
    front, raw = small.write_front(tmp_path, head), small.write_raw(tmp_path, head)
    assert run("--front", front, "--uv", uv, "--out", tmp_path / "a.safetensors") == 0
    assert run("--raw", raw, "--uv", uv, "--out", tmp_path / "b.safetensors") == 0
    assert "1,681 vertices, 3,200 faces, 5 + 4 + 6 modes" in capsys.readouterr().out
    a, b = (BFM2009(tmp_path / name).arrays() for name in ("a.safetensors", "b.safetensors"))
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=2e-6, rtol=0)


def test_default_output_is_where_the_model_looks(tmp_path, small, head, monkeypatch):
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    run("--front", small.write_front(tmp_path, head), "--uv", "cylindrical")
    assert BFM2009().metadata["uv"] == "cylindrical"


def test_a_folded_chart_is_said(tmp_path, small, head, capsys):
    mirrored_half = head.uv.copy()
    right = mirrored_half[:, 0] > 0.5
    mirrored_half[right, 0] = 1 - mirrored_half[right, 0]
    uv = small.write_uv(tmp_path / "BFM_UV.mat", mirrored_half)
    run("--front", small.write_front(tmp_path, head), "--uv", uv, "--out", tmp_path / "a.safetensors")
    assert "note: 1,600 faces turn over in the UV chart" in capsys.readouterr().out


def test_a_failed_conversion_leaves_the_old_file(tmp_path, small, head):
    out = tmp_path / "out" / "model.safetensors"
    out.parent.mkdir()
    out.write_bytes(b"old")
    front = small.write_front(tmp_path, head, tri=None)
    with pytest.raises(AssetError, match="tri are missing"):
        run("--front", front, "--uv", "cylindrical", "--out", out)
    assert out.read_bytes() == b"old"
    assert [path.name for path in out.parent.iterdir()] == ["model.safetensors"]


def test_an_unwritable_folder(tmp_path, small, head):
    (tmp_path / "taken").write_text("a file, not a folder")
    out, front = tmp_path / "taken" / "x.safetensors", small.write_front(tmp_path, head)
    with pytest.raises(AssetError, match=r"cannot write .*taken.*choose a folder you may write to"):
        run("--front", front, "--uv", "cylindrical", "--out", out)


@pytest.mark.parametrize("words", [[], ["--front", "a.mat", "--raw", "b"]])
def test_one_layout_at_a_time(words, capsys):
    with pytest.raises(SystemExit):
        run(*words)
    assert "--front" in capsys.readouterr().err
