"""``faceuv head`` from files to files."""

from __future__ import annotations

import json

import pytest
import torch
import trimesh

from faceuv.cli.main import main
from faceuv.export import save_png
from faceuv.face import Face
from faceuv.files.licences import licence_line
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.registry import FACE_MODELS
from faceuv.synthetic import SyntheticFaces


@pytest.fixture(autouse=True)
def small_face(monkeypatch):
    """The command names a face model; a coarse one of the same name keeps these tests quick."""

    class Small(ProceduralFace):
        """The procedural face on a coarse grid."""

        def __init__(self, rows: int = 65, columns: int = 51) -> None:
            super().__init__(rows, columns, verbose=False)

    Small.__name__ = "ProceduralFace"
    monkeypatch.setitem(FACE_MODELS._module_dict, "ProceduralFace", Small)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A portrait, a wall and a file that is no picture."""
    path = tmp_path_factory.mktemp("photos")
    save_png(path / "anna.png", SyntheticFaces(size=160, seed=4)[0]["image"])
    save_png(path / "wall.png", torch.full((3, 96, 96), 0.5))
    (path / "broken.jpg").write_bytes(b"no picture")
    return path


def _run(folder, out, *more: str) -> int:
    options = ["--face-model", "ProceduralFace", "--texture-size", "64", "--no-turntable", *more]
    return main(["head", str(folder), "--out", str(out), *options])


def test_a_folder_becomes_heads_and_reasons(folder, tmp_path, capsys) -> None:
    assert _run(folder, tmp_path) == 0
    said = capsys.readouterr().out
    assert "anna" in said and "no face was found" in said and "broken.jpg" in said
    records = json.loads((tmp_path / "report.json").read_text())["photographs"]
    assert [len(record["heads"]) for record in records] == [1, 0, 0]
    assert len(trimesh.load(tmp_path / "anna.glb", force="mesh").vertices) > 1000
    face = Face.load(tmp_path / "anna.safetensors")
    assert face.metadata["photo"]["source"] == "anna.png"
    assert "likeness of a real person" in licence_line(face.metadata["licences"])
    assert (tmp_path / "anna.png").is_file()


def test_an_interrupted_folder_goes_on(folder, tmp_path) -> None:
    _run(folder, tmp_path)
    before = (tmp_path / "anna.glb").stat().st_mtime_ns
    _run(folder, tmp_path)
    assert (tmp_path / "anna.glb").stat().st_mtime_ns == before
    _run(folder, tmp_path, "--lit")  # another setting is another head
    assert (tmp_path / "anna.glb").stat().st_mtime_ns > before


def test_pictures_without_heads_are_a_failure(folder, tmp_path) -> None:
    assert _run(folder / "wall.png", tmp_path) == 1


@pytest.mark.parametrize(("more", "line"), [(["--texture-size", "4096"], "2048")])
def test_bad_options_are_one_line(folder, tmp_path, capsys, more, line) -> None:
    assert _run(folder / "anna.png", tmp_path, *more) != 0
    assert line in capsys.readouterr().err
