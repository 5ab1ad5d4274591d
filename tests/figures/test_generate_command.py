"""`faceuv generate`: from words to files; what cannot be made is reported before anything is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image

from faceuv import Face
from faceuv.cli import generate, generate_options
from faceuv.cli.main import main
from faceuv.figures import EXPRESSIONS, LIGHTS, OVER, SIGMAS, YAWS
from faceuv.models.base.face_generator import FaceGenerator
from faceuv.models.directions import save_directions
from faceuv.renderers.pasting import SEAMS

FEW = ["--yaws", "-30", "0", "--lights", "left", "--expressions", "smile=1", "--fine", "3", "--sigmas", "0", "1",
       "--frames", "2", "--steps", "2"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(faces, tmp_path_factory):
    return faces.save(tmp_path_factory.mktemp("generator") / "tiny")


@pytest.fixture
def command(faces, monkeypatch, tmp_path):
    """Run the command on the tiny generator, without the time that reading it takes; its exit code."""
    monkeypatch.setattr(FaceGenerator, "load", lambda *source, **parts: faces)

    def run(*words):
        return main(["generate", *words, "--size", "16", "--out", str(tmp_path)])

    return run


def test_all_figures_and_files(folder, tmp_path, capsys):
    words = ["--generator", str(folder), "--seeds", "1", "2", "--size", "16", "--out", str(tmp_path)]
    assert main(["generate", "all", *words, *FEW]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "yaw.png", "interpolation_1_2.png", "lights.png", "expressions.png", "mixing.png", "edits_tall.png",
        "edits_wide.png", "turntable.gif", "face_0001.glb", "face_0001.safetensors", "face_0002.glb",
        "face_0002.safetensors",
    }  # fmt: skip
    printed = capsys.readouterr().out
    for name in written:
        assert f"wrote {tmp_path / name}" in printed
    assert Image.open(tmp_path / "turntable.gif").size == (32, 16)
    assert Image.open(tmp_path / "yaw.png").width > 3 * 16


def test_files_of_faces_keep_light_and_expression(faces, command, tmp_path):
    assert command("faces", "--seeds", "7", "--light", "left", "--expression", "smile=0.5", "--mesh", "ply") == 0
    assert (tmp_path / "face_0007.ply").exists()
    wanted = faces.sample(7).with_lighting("left").with_expression(smile=0.5)
    kept = Face.load(tmp_path / "face_0007.safetensors", face_model=faces.face_model)
    assert torch.equal(kept.coefficients.data, wanted.coefficients.data)
    assert kept.metadata["seed"] == 7


def test_directions_of_files(faces, command, tmp_path):
    tall, wide = (faces.directions[name] for name in ("tall", "wide"))
    several = save_directions(tmp_path / "several.safetensors", [wide, wide, tall])
    assert command("edits", "--direction", "tall", str(several), "--seeds", "1", "--sigmas", "1") == 0
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["edits_tall_0.png", "edits_tall_3.png", "edits_wide_1.png", "edits_wide_2.png"]


def test_names_of_directions_stay_in_the_folder(faces, command, tmp_path):
    """A name in a file of directions is data: it makes a file name, never a path."""
    (tmp_path / "keep.png").write_bytes(b"a picture of the user's")
    climbing = [
        replace(faces.directions["tall"], name=name) for name in ("/../../keep", "/../../keep.png", "a/b", "a:b")
    ]
    file = save_directions(tmp_path / "climbing.safetensors", climbing)
    assert command("edits", "--direction", str(file), "--seeds", "1", "--sigmas", "1") == 0
    assert (tmp_path / "keep.png").read_bytes() == b"a picture of the user's"
    made = sorted(path.name for path in tmp_path.glob("edits*.png"))
    assert made == ["edits__.._.._keep.png", "edits__.._.._keep.png.png", "edits_a_b.png", "edits_a_b_2.png"]


def test_a_generator_without_f_yaw_turns_heads_in_the_studio(faces, command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(faces, "editor", None)
    assert command("yaw", "--seeds", "1", "--yaws", "30") == 2
    assert (
        "has no editor that turns codes (F_yaw), so the teacher shows no other yaw: --over studio"
        in capsys.readouterr().err
    )
    assert command("yaw", "--seeds", "1", "--yaws", "30", "--over", "studio") == 0
    assert command("turntable", "--seeds", "1", "--frames", "1") == 0
    assert command("turntable", "--seeds", "1", "--frames", "1", "--over", "teacher") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("yaw --seeds -1", "--seeds must be at least 0, got -1"),
        ("yaw --yaws 0 120", "--yaws must lie in -90 … 90 degrees, got 120"),
        ("yaw --light moon", "no light is called 'moon'; known: studio"),
        ("lights --lights left moon", "no light is called 'moon'; known: studio"),
        ("expressions --expressions smile=1+smirk=1", "no movement is called 'smirk'. Did you mean 'smile'?"),
        ("expressions --expressions smile", "name=amount, such as smile=0.8; got 'smile'"),
        ("interpolation --seeds 4", "--seeds needs two or more, got 4"),
        ("interpolation --steps 1", "--steps must be at least 2, the two ends, got 1"),
        ("mixing --layer 7", "--layer must lie in 0 … 6"),
        ("mixing --fine -3", "--fine must be at least 0, got -3"),
        (
            "edits --direction tal",
            "no direction is called 'tal'; this generator knows: tall, wide. Did you mean 'tall'",
        ),
        ("edits --direction nowhere.safetensors", "nowhere.safetensors does not exist"),
        ("edits --direction zoo:direction_yaw_64", "moves codes (B, "),
        ("edits --direction zoo:nobody", "the zoo has no entry 'nobody'"),
        ("turntable --frames 0", "--frames must be at least 1, got 0"),
        ("turntable --swing-deg 100", "--swing-deg must lie in -90 … 90 degrees, got 100"),
        ("turntable --fps 80", "at most 50 frames per second, got fps=80"),
        ("all --fps 0", "--fps must lie in 0.1 … 1000"),
    ],
)
def test_what_cannot_be_made_is_told_first(words, message, command, tmp_path, capsys):
    assert command(*words.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_generator_is_told(tmp_path, capsys):
    assert main(["generate", "yaw", "--generator", "quikstart", "--out", str(tmp_path)]) == 2
    assert "'quikstart'" in capsys.readouterr().err


def test_the_options_are_those_of_the_library():
    """They are spelt out in the command, because --help loads no torch."""
    import argparse

    parser = argparse.ArgumentParser()
    generate.add_parser(parser.add_subparsers())
    args = parser.parse_args(["generate", "all"])
    assert tuple(args.yaws) == YAWS
    assert tuple(args.lights) == LIGHTS
    assert tuple(args.sigmas) == SIGMAS
    assert tuple(generate.amounts(words) for words in args.expressions) == EXPRESSIONS
    assert generate_options.SEAMS == SEAMS
    assert generate_options.OVER == OVER


def test_all_figures_of_one_seed_leave_the_interpolation_out(command, tmp_path, capsys):
    assert command("all", "--seeds", "4", "--frames", "2", "--steps", "2") == 0
    assert "left out interpolation: it goes from one seed to another" in capsys.readouterr().out
    files = {path.name for path in tmp_path.iterdir()}
    assert {"yaw.png", "lights.png", "mixing.png"} <= files
    assert not any("interpolation" in name for name in files)
