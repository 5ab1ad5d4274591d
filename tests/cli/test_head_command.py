"""``faceuv head`` from files to files."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import trimesh
from PIL import Image

from faceuv.cli import head
from faceuv.cli.main import main
from faceuv.errors import InputError
from faceuv.export import save_png
from faceuv.face import Face
from faceuv.files.licences import licence_line
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.photo import making
from faceuv.registry import FACE_MODELS
from faceuv.synthetic import SyntheticFaces


@pytest.fixture(autouse=True, scope="module")
def small_face(folder):  # whose picture is drawn with the usual one
    """The command names a face model; a coarse one of the same name keeps these tests quick."""

    class Small(ProceduralFace):
        """The procedural face on a coarse grid."""

        def __init__(self, rows: int = 65, columns: int = 51) -> None:
            super().__init__(rows, columns, verbose=False)

    Small.__name__ = "ProceduralFace"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FACE_MODELS._module_dict, "ProceduralFace", Small)
        yield


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


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """The folder of its heads, and what was said."""
    out, said = tmp_path_factory.mktemp("heads"), io.StringIO()
    with contextlib.redirect_stdout(said):
        assert _run(folder, out) == 0
    return out, said.getvalue()


def test_a_folder_becomes_heads_and_reasons(made) -> None:
    tmp_path, said = made
    assert "anna" in said and "no face was found" in said and "broken.jpg" in said
    records = json.loads((tmp_path / "report.json").read_text())["photographs"]
    assert [len(record["heads"]) for record in records] == [1, 0, 0]
    assert len(trimesh.load(tmp_path / "anna.glb", force="mesh").vertices) > 1000
    face = Face.load(tmp_path / "anna.safetensors")
    assert face.metadata["photo"]["source"] == "anna.png"
    assert "likeness of a real person" in licence_line(face.metadata["licences"])
    assert (tmp_path / "anna.png").is_file()


def test_an_interrupted_folder_goes_on(folder, made, tmp_path) -> None:
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "anna.glb").stat().st_mtime_ns
    _run(folder, tmp_path)
    assert (tmp_path / "anna.glb").stat().st_mtime_ns == before
    _run(folder, tmp_path, "--lit")  # another setting is another head
    assert (tmp_path / "anna.glb").stat().st_mtime_ns > before


@pytest.fixture
def asked(monkeypatch):
    """The photographs that the maker was given; they are drawn as numbers, two of ``two.png``."""
    asked: list[str] = []
    stop: dict[str, str] = {}

    class Maker:
        remark = ""

        def __init__(self, *args, **options) -> None:
            pass

        def of(self, picture, source: str) -> list[str | int]:
            asked.append(Path(source).name)
            if Path(source).name == stop.get("at"):
                raise KeyboardInterrupt
            if "wall" in source:
                raise InputError(f"{source}: no face was found")
            return [1, 2] if Path(source).name == "two.png" else [1]

    monkeypatch.setattr(making, "PhotoHeads", Maker)

    def save(folder, name: str, made, *, turntable: bool):
        (folder / f"{name}.glb").write_text(name)
        return {"confidence": 1.0, "doubt": "", "seen": 1.0}

    monkeypatch.setattr(head, "_save", save)
    return asked, stop


def _photos(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for k, name in enumerate(names):
        Image.new("RGB", (64, 64), (k, 90, 90)).save(folder / name)
    return folder


def test_an_interruption_loses_the_photograph_at_hand_only(tmp_path, asked) -> None:
    names, stop = asked
    photos, out = _photos(tmp_path / "photos", "a.png", "b_wall.png", "c.png", "d.png"), tmp_path / "out"
    stop["at"] = "c.png"
    assert _run(photos, out) == 130
    assert names == ["a.png", "b_wall.png", "c.png"]
    stop.clear()
    names.clear()
    assert _run(photos, out) == 0
    assert names == ["c.png", "d.png"]
    records = json.loads((out / "report.json").read_text())["photographs"]
    assert [len(record["heads"]) for record in records] == [1, 0, 1, 1]
    assert "no face was found" in records[1]["reasons"][0]
    (out / "a.json").write_text("{")  # cut short
    names.clear()
    _run(photos, out)
    assert names == ["a.png"]


def test_a_damaged_file_does_not_stop_a_folder_and_is_read_again_once_mended(tmp_path, asked, capsys) -> None:
    names, _ = asked
    photos, out = _photos(tmp_path / "photos", "a.png", "b.jpg", "c.png"), tmp_path / "out"
    whole = (photos / "b.jpg").read_bytes()
    (photos / "b.jpg").write_bytes(whole[: len(whole) - 40])
    (photos / "b2.png").write_bytes(b"")
    assert _run(photos, out) == 0
    said = capsys.readouterr().out
    assert names == ["a.png", "c.png"]
    assert "b.jpg cannot be read as a picture" in said.replace("\n", " ") and "b2.png" in said
    (photos / "b.jpg").write_bytes(whole)
    names.clear()
    _run(photos, out)
    assert names == ["b.jpg"]


def test_no_head_takes_the_place_of_another(tmp_path, asked) -> None:
    photos, out = _photos(tmp_path / "photos", "report.png", "two.png", "two_1.png"), tmp_path / "out"
    _run(photos, out)
    assert sorted(p.stem for p in out.glob("*.glb")) == ["report_photo", "two_1", "two_2", "two_face_1"]
    assert "photographs" in json.loads((out / "report.json").read_text())
    names, _ = asked
    names.clear()
    _run(photos, out)
    assert names == []


def test_pictures_without_heads_are_a_failure(folder, tmp_path) -> None:
    assert _run(folder / "wall.png", tmp_path) == 1


@pytest.mark.parametrize(
    ("more", "line"), [(["--texture-size", "4096"], "at most 2,048"), (["--texture-size", "16"], "at least 64")]
)
def test_bad_options_are_one_line(folder, tmp_path, capsys, more, line) -> None:
    assert _run(folder / "anna.png", tmp_path, *more) != 0
    assert line in capsys.readouterr().err


def test_a_photograph_is_never_replaced(tmp_path, asked, capsys) -> None:
    names, _ = asked
    photos = _photos(tmp_path / "photos", "a.png")
    before = (photos / "a.png").read_bytes()
    assert _run(photos / "a.png", photos) == 2  # the picture of the head would be a.png as well
    assert "is the folder that the photographs are in" in capsys.readouterr().err
    assert (photos / "a.png").read_bytes() == before and sorted(photos.iterdir()) == [photos / "a.png"]
    assert names == []


@pytest.mark.parametrize("name", ["report.json", "a.glb", "a_2.safetensors", "a_face_1.png"])
def test_files_of_others_are_never_replaced(tmp_path, asked, capsys, name) -> None:
    names, _ = asked
    photos, out = _photos(tmp_path / "photos", "a.png"), tmp_path / "out"
    out.mkdir()
    (out / name).write_text("my thesis")
    (out / "notes.txt").write_text("may stay")
    assert _run(photos, out) == 2
    assert f"has a file {name}, which faceuv head has not written" in capsys.readouterr().err
    assert (out / name).read_text() == "my thesis" and len(list(out.iterdir())) == 2 and names == []
    (out / name).unlink()
    assert _run(photos, out) == 0


def test_a_folder_of_heads_is_gone_on_with_after_a_sudden_end(tmp_path, asked) -> None:
    names, _ = asked
    photos, out = _photos(tmp_path / "photos", "a.png", "b.png"), tmp_path / "out"
    _run(photos, out)
    (out / "b.json").unlink()  # ended between the files of a head and its record
    (out / "report.json").write_text('{"photographs": []}')
    names.clear()
    assert _run(photos, out) == 0
    assert names == ["b.png"]


def test_photographs_of_one_person_become_one_head(tmp_path, capsys) -> None:
    person = Face.random(11, face_model="ProceduralFace", renderer="torch", texture_size=None)
    photos = tmp_path / "anna"
    photos.mkdir()
    for yaw in (0, 30):
        save_png(photos / f"{yaw}.png", person.with_pose(yaw_deg=yaw).render(160, background=(0.5, 0.5, 0.6)))
    save_png(photos / "wall.png", torch.full((3, 96, 96), 0.5))
    out = tmp_path / "out"
    assert _run(photos, out, "--same-person") == 0
    assert "no face was found" in capsys.readouterr().out
    assert sorted(path.name for path in out.glob("anna.*")) == ["anna.glb", "anna.json", "anna.png", "anna.safetensors"]
    (record,) = json.loads((out / "report.json").read_text())["photographs"]
    assert record["heads"][0]["photographs"] == 2 and len(record["source"]) == 3
    assert set(Face.load(out / "anna.safetensors").metadata["photo"]["sources"]) == {"0.png", "30.png"}
    before = (out / "anna.glb").stat().st_mtime_ns
    _run(photos, out, "--same-person")
    assert (out / "anna.glb").stat().st_mtime_ns == before
    (photos / "wall.png").unlink()  # another set of photographs is another head
    _run(photos, out, "--same-person")
    assert (out / "anna.glb").stat().st_mtime_ns > before


def test_one_person_has_only_so_many_photographs(tmp_path, asked, capsys, monkeypatch) -> None:
    monkeypatch.setattr(head, "_MOST_OF_ONE", 2)
    assert _run(_photos(tmp_path / "photos", "a.png", "b.png", "c.png"), tmp_path / "out", "--same-person") != 0
    assert "at most 2 photographs, got 3" in capsys.readouterr().err


def test_heads_that_a_changed_photograph_no_longer_gives_are_removed(tmp_path, asked) -> None:
    photos, out = _photos(tmp_path / "photos", "two.png", "two_face_1.png"), tmp_path / "out"
    _run(photos, out)
    heads = sorted(path.stem for path in out.glob("*.glb"))
    assert heads == ["two_1", "two_2", "two_face_1"]
    (out / "mine_2.glb").write_text("of the user")
    Image.new("RGB", (64, 64), (9, 9, 9)).save(photos / "one.png")
    (photos / "two.png").unlink()
    (photos / "one.png").rename(photos / "two.png")  # the maker draws two heads of it by its name …
    record = json.loads((out / "two.json").read_text())
    record["heads"].append({"name": "two_3", "confidence": 1.0, "doubt": "", "seen": 1.0})
    record["heads"].append({"name": "../mine_2", "confidence": 1.0, "doubt": "", "seen": 1.0})
    record["heads"].append({"name": "two_face_1", "confidence": 1.0, "doubt": "", "seen": 1.0})
    (out / "two.json").write_text(json.dumps(record))
    (out / "two_3.glb").write_text("of three faces before")  # … and of the photograph before it drew a third
    _run(photos, out)
    assert sorted(path.stem for path in out.glob("*.glb")) == ["mine_2", *heads]


def test_the_head_of_another_photograph_stays(tmp_path, asked, capsys) -> None:
    names, _ = asked
    first, out = _photos(tmp_path / "first", "me.png"), tmp_path / "out"
    second = _photos(tmp_path / "second", "other.png", "me.png")
    assert _run(first, out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert _run(second / "me.png", out) == 2
    assert re.search("holds the head 'me' of .*first.me.png, which that of .* would replace", capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "me.png").write_bytes((first / "me.png").read_bytes())
    names.clear()
    assert _run(tmp_path / "third", out) == 0 and names == []  # the same photograph at another place
    assert _run(second / "me.png", out, "--overwrite") == 0 and names == ["me.png"]


def test_the_head_of_another_person_stays(tmp_path, capsys) -> None:
    photos, out = _photos(tmp_path / "photos", *(f"{k}.png" for k in range(40))), tmp_path / "out"
    assert main(["head", str(photos), "--same-person", "--out", str(out)]) == 2
    assert "photographs, got 40: choose the sharpest" in capsys.readouterr().err and not out.exists()
    out.mkdir()
    record = {"source": ["anna.png"], "sha256": ["0"], "heads": [{"name": "person"}]}
    (out / "person.json").write_text(json.dumps(record))
    pair = [str(photos / "1.png"), str(photos / "2.png")]
    assert main(["head", *pair, "--same-person", "--out", str(out)]) == 2
    assert "holds the head 'person' of anna.png, which that of" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["person.json"]
