"""Bad input to the commands that make, move, show and convert people: one line, exit code 2, nothing written or lost.

A row is what is typed in a folder that holds a face, an animation, two pictures and damaged files; and words of the
answer. What configs and older commands refuse is in ``test_bad_commands.py``.
"""

from __future__ import annotations

import re

import pytest
from PIL import Image

from faceuv import Face
from faceuv.cli.main import main

BIG = str(10**30)
P = ["--face-model", "ProceduralFace"]


@pytest.fixture(scope="module")
def face():
    return Face.random(1)


@pytest.fixture
def folder(tmp_path, face, monkeypatch):
    face.save(tmp_path / "f.safetensors")
    (tmp_path / "talk.csv").write_text("jawOpen,mouthPucker\n0,0\n0.5,0\n")
    Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / "wall.png")
    for name in ("bad.safetensors", "bad.glb", "bad.csv", "file"):
        (tmp_path / name).write_bytes(bytes(range(128, 256)))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def check(folder, capsys, words, message):
    before = contents(folder)
    assert main([str(word) for word in words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("faceuv: error: ") and error.count("\n") == 1 and len(error) < 1500, error
    assert re.search(message, error), error
    assert contents(folder) == before


TO = ["transfer", "f.safetensors", "--to", "ICTFaceKit", "--out"]
MOVE = ["animate", "3", "talk.csv", "--out", "x.gif"]
HEAD = ["head", "wall.png", *P]
SAMPLE = ["sample", *P]
STUDIO = ["studio", *P, "--no-browser", "--port", "0"]
INVERT = ["invert", "wall.png"]
ROWS = [
    # transfer: nothing is computed before it is known that the result can be written
    (["transfer", "f.safetensors", "--to", "Nobody", "--out", "x.glb"], "no face model is called 'Nobody'"),
    (["transfer", "f.safetensors", "--to", "os.system", "--out", "x.glb"], "A dotted name is not imported"),
    (["transfer", "f.safetensors", "--to", "[/b]", "--out", "x.glb"], r"no face model is called '\[/b\]'"),
    ([*TO, "x"], "--out must end with"),
    ([*TO, "x.fbx"], "--out must end with"),
    ([*TO, "file/x.glb"], "cannot write file/"),
    ([*TO, "x\0y.glb"], "printable line"),
    ([*TO, "x\ny.glb"], "printable line"),
    ([*TO, "f.safetensors"], "is the face that is read"),
    ([*TO, "./empty/../f.safetensors"], "is the face that is read"),
    ([*TO, "x.glb", "--sheet", "x.txt"], "--sheet must end with .png"),
    ([*TO, "x.glb", "--sheet", "file/x.png"], "cannot write file/"),
    ([*TO, "x.glb", "--size", BIG], "--size must be at most 8,192"),
    ([*TO, "x.glb", "--size", "nan"], "expected a whole number, got 'nan'"),
    ([*TO, "x.glb", "--device", "cuda:99"], "--device cuda:99 cannot be used here"),
    (["transfer", "gone.safetensors", *TO[2:], "x.glb"], "gone.safetensors does not exist"),
    (["transfer", "bad.safetensors", *TO[2:], "x.glb"], "not a readable safetensors file"),
    (["transfer", "", *TO[2:], "x.glb"], "does not exist"),
    (["transfer", "~nobodyatall/x.safetensors", *TO[2:], "x.glb"], "does not exist"),
    # animate
    (["animate", BIG, *MOVE[2:]], "a seed must be at most"),
    (["animate", "-1", *MOVE[2:]], "'-1' is neither a face generator"),
    (["animate", "nan", *MOVE[2:]], "'nan' is neither a face generator"),
    (["animate", "²", *MOVE[2:]], "'²' is neither a face generator"),
    (["animate", "empty", *MOVE[2:]], "empty holds no generator.json"),
    (["animate", "bad.safetensors", *MOVE[2:]], "not a readable safetensors file"),
    (["animate", "3", "gone.csv"], "gone.csv: no such file"),
    (["animate", "3", "bad.csv"], "not a readable CSV"),
    (["animate", "3", "wall.png"], "an animation ends in .csv"),
    ([*MOVE[:-1], "x"], "--out must end in .mp4, .gif, .glb"),
    ([*MOVE[:-1], "file/x.gif"], "cannot write file/"),
    ([*MOVE, "--seed", BIG], "--seed must be at most"),
    ([*MOVE, "--size", BIG], "--size must be at most 8,192"),
    ([*MOVE, "--size", "0"], "--size must be at least 1"),
    ([*MOVE, "--fps", "nan"], "--fps must lie in"),
    ([*MOVE, "--fps", "0.001"], "--fps must lie in"),
    ([*MOVE, "--source-fps", "inf"], "--source-fps must lie in"),
    ([*MOVE, "--yaw-deg", "inf"], "--yaw-deg must lie in"),
    ([*MOVE, "--light", "nolight"], "no light is called 'nolight'"),
    ([*MOVE, "--renderer", "opengl"], "no renderer is called 'opengl'"),
    # page
    (["page"], "a page needs faces"),
    (["page", "gone.safetensors"], "gone.safetensors does not exist"),
    (["page", "gone[/b].glb"], r"gone\[/b\].glb does not exist"),
    (["page", "~nobodyatall/f.glb"], "does not exist"),
    (["page", "f\0.glb"], "."),
    (["page", "bad.safetensors"], "not a readable safetensors file"),
    (["page", "bad.glb"], "do not begin as one"),
    (["page", "empty"], "the folder empty holds no face"),
    (["page", "wall.png"], "a face is a .safetensors or .glb file"),
    (["page", "--seeds", BIG], "--seeds must be at most"),
    (["page", "--seeds", "-1"], "--seeds must be at least 0"),
    (["page", "--seeds", "1", "--face-model", "Nobody"], "no face model is called 'Nobody'"),
    (["page", "--seeds", "1", *P, "--texture-size", BIG], "--texture-size must be at most"),
    (["page", "--seeds", "1", *P, "--out", "x.png"], "a page is written to a .html file"),
    (["page", "--seeds", "1", *P, "--out", "file/x.html"], "cannot write file/"),
    (["page", "f.safetensors", "--out", "f.safetensors"], "a page is written to a .html file"),
    # head
    (["head", "gone.png"], "gone.png"),
    (["head", "empty"], "empty"),
    (["head", "a\0.png"], "."),
    (["head", "wall.png", "--face-model", "Nobody"], "no face model is called 'Nobody'"),
    (["head", "wall.png", "--face-model", "os.system"], "A dotted name is not imported"),
    ([*HEAD, "--detector", "gone.safetensors"], "no landmark detector is called"),
    ([*HEAD, "--texture-size", "0"], "--texture-size must be at least 64"),
    ([*HEAD, "--texture-size", "4096"], "--texture-size must be at most 2,048"),
    ([*HEAD, "--texture-size", "nan"], "expected a whole number"),
    ([*HEAD, "--every", "0"], "--every must be at least 1"),
    ([*HEAD, "--every", BIG], "--every must be at most"),
    ([*HEAD, "--out", "file"], "cannot write file/"),
    ([*HEAD, "--out", "x\0y"], "zero byte"),
    ([*HEAD, "--out", "."], "is the folder that the photographs are in"),
    # sample
    ([*SAMPLE, "--seed", BIG], "--seed must be at most"),
    ([*SAMPLE, "--seed", str(2**63 - 1), "--num", "2"], "needs seeds beyond 9,223,372,036,854,775,807"),
    ([*SAMPLE, "--shard", f"0/{BIG}"], "a shard is I/N"),
    ([*SAMPLE, "--shard", "٣/٤"], "a shard is I/N"),
    ([*SAMPLE, "--shard", "²/4"], "a shard is I/N"),
    ([*SAMPLE, "--light", "nolight"], "no light is called 'nolight'"),
    ([*SAMPLE, "--hair", "nostyle"], "nostyle"),
    ([*SAMPLE, "--hair-colour", "nocolour"], "nocolour"),
    ([*SAMPLE, "--age", "nan"], "--age must lie in"),
    ([*SAMPLE, "--age", "30"], "is a trait that ProceduralFace does not know"),
    ([*SAMPLE, "--ethnicity", "asian=nan"], "the amount of 'asian' must be a finite number|--ethnicity is one name"),
    ([*SAMPLE, "--format", "fbx"], "invalid choice: 'fbx'"),
    ([*SAMPLE, "--lod", "9"], "--lod must be at most 4"),
    ([*SAMPLE, "--out", "file"], "cannot write file/"),
    (["sample", "--generator", "empty"], "empty holds no generator.json"),
    (["sample", "--generator", "a\0b"], "."),
    # studio
    (["studio", "gone"], "gone"),
    (["studio", "empty"], "empty"),
    (["studio", "[/b]"], r"\[/b\]"),
    (["studio", "bad.safetensors"], "not a readable safetensors file"),
    (["studio", "--compare", "quickstart"], "--compare stands other generators beside a generator"),
    (["studio", "--port", "70000"], "--port must be at most 65,535"),
    (["studio", "--port", "nan"], "expected a whole number"),
    ([*STUDIO, "--seed", BIG], "--seed must be at most"),
    ([*STUDIO, "--host", "a\0b"], "the studio cannot listen at"),
    ([*STUDIO, "--host", "a" * 300], "the studio cannot listen at"),
    ([*STUDIO, "--host", "999.1.1.1"], "the studio cannot listen at 999.1.1.1"),
    # convert
    (["convert", "ict", "gone"], "gone"),
    (["convert", "ict", "file"], "file"),
    (["convert", "ict", "a\0b"], "."),
    (["convert", "bfm"], "required"),
    (["convert", "bfm", "--front", "gone.mat", "--uv", "cylindrical"], "gone.mat"),
    (["convert", "bfm", "--front", "wall.png", "--uv", "cylindrical", "--out", "x"], "wall.png"),
    (["convert", "flame", "gone.pkl", "--landmarks", "gone", "--uv", "cylindrical", "--out", "x"], "gone"),
    (["convert", "flame", "wall.png", "--landmarks", "wall.png", "--uv", "cylindrical", "--out", "x"], "wall.png"),
    (["convert", "martian"], "invalid choice: 'martian'"),
    # invert
    (["invert", "gone.png"], "gone.png"),
    ([*INVERT, "--generator", "gone"], "'gone' is neither a face generator"),
    ([*INVERT, "--edit", "smile"], "name=amount"),
    ([*INVERT, "--edit", "smile=nan"], "the amount of 'smile' must be a finite number, got 'nan'"),
    ([*INVERT, "--edit", "smile=1e400"], "must be a finite number, got '1e400'"),
    ([*INVERT, "--edit", "nobody=1"], "nobody"),
    ([*INVERT, "--yaws", "nan"], "--yaws must lie in"),
    ([*INVERT, "--steps", BIG], "--steps must be at most"),
    ([*INVERT, "--batch-size", "0"], "--batch-size must be at least 1"),
    ([*INVERT, "--out", "file"], "--out file is a file"),
    (["render", "f.safetensors", "--expression", "smile=inf"], "must be a finite number, got 'inf'"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), ROWS)
def test_what_is_typed(folder, capsys, words, message):
    check(folder, capsys, words, message)


SETTINGS = ["{", "5", "null", "[" * 100_000, '{"seed": NaN}', "1" * 5000]


@pytest.mark.parametrize("text", SETTINGS, ids=lambda text: text[:9])
def test_settings_of_a_sample_that_are_none(folder, capsys, text):
    (folder / "out").mkdir()
    (folder / "out" / "sample.json").write_text(text)
    check(folder, capsys, [*SAMPLE, "--resume", "--out", "out"], "cannot be read|holds faces of other settings")


NUMBERS = ["1" + "0" * 5000, "1e999", "NaN", "[[", "-" * 9]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: text[:9])
def test_animations_with_numbers_that_are_none(folder, capsys, number):
    (folder / "talk.json").write_text('{"exportFps": 30, "facsNames": ["jawOpen"], "weightMat": [[' + number + "]]}")
    check(folder, capsys, ["animate", "3", "talk.json"], "talk.json: ")
