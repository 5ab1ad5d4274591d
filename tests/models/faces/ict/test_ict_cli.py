"""``faceuv convert ict`` writes the file that ICTFaceKit reads."""

from __future__ import annotations

import argparse

import pytest

from faceuv.cli import convert as command
from faceuv.errors import AssetError
from faceuv.models.faces.ict import ICTFaceKit
from tests.support.ict import ict_model, tiny, write_folder


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["convert", "ict", *map(str, words)])
    return args.run(args)


def test_a_wrong_folder_writes_nothing(tmp_path):
    out = tmp_path / "out.safetensors"
    folder = write_folder(tmp_path / "FaceXModel", tiny()[0])  # 2 identities of 100
    with pytest.raises(AssetError, match=r"lacks identity002.obj, identity003.obj, identity004.obj and \d+ more"):
        run(folder, "--out", out)
    assert not out.exists()


def test_the_output_is_where_the_model_looks(tmp_path, monkeypatch, capsys):
    model, read = ict_model(), []

    def from_folder(folder, progress):
        read.append(folder)
        progress("identity000.obj")
        return model

    monkeypatch.setattr(ICTFaceKit, "from_folder", from_folder)
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    assert run(tmp_path / "clone") == 0
    assert read == [tmp_path / "clone"]
    printed = capsys.readouterr().out
    assert "29,128 vertices" in printed and "100 + 57 +" in printed and "MIT licence" in printed
    assert ICTFaceKit().mean.shape == (29128, 3)
