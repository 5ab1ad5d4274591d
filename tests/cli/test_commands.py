from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
import trimesh
from installed import needs_heads
from PIL import Image

from faceuv import Face
from faceuv.cli.main import main
from faceuv.cli.render import parse_amounts
from faceuv.errors import InputError
from faceuv.models.faces.everyday import faint_smile
from faceuv.models.faces.makehuman import source
from faceuv.registry import FACE_MODELS


@pytest.fixture(autouse=True)
def small_face(monkeypatch):
    """The commands name a face model; a coarse one of the same name keeps these tests quick."""
    real = FACE_MODELS.get("ProceduralFace")

    class ProceduralFace(real):
        """The procedural face on a coarse grid."""

        def __init__(self, rows: int = 81, columns: int = 65) -> None:
            super().__init__(rows, columns)

    class MakeHuman(FACE_MODELS.get("MakeHuman")):
        """MakeHuman's heads without subdivision."""

        def __init__(self, subdivisions: int = 0) -> None:
            super().__init__(subdivisions)

    monkeypatch.setitem(FACE_MODELS._module_dict, "ProceduralFace", ProceduralFace)
    monkeypatch.setitem(FACE_MODELS._module_dict, "MakeHuman", MakeHuman)
    monkeypatch.setattr(source, "is_installed", lambda: False)  # the command's default, unless a test says otherwise


def test_sample_writes_meshes_states_and_a_sheet(tmp_path, capsys):
    assert main(["sample", "--num", "2", "--seed", "5", "--out", str(tmp_path), "--size", "48"]) == 0
    names = sorted(os.listdir(tmp_path))
    assert names == [f"face_{k:03d}.{s}" for k in (0, 1) for s in ("glb", "safetensors")] + ["sample.json", "sheet.png"]
    assert len(trimesh.load(tmp_path / "face_000.glb", force="mesh").vertices) == 81 * 65
    assert Image.open(tmp_path / "sheet.png").width > 6 * 48
    assert "contact sheet" in capsys.readouterr().out


def test_people_smile_faintly_unless_told(tmp_path):
    def expression(*words):
        out = tmp_path / "_".join(words or "-")
        assert main(["sample", "--num", "1", "--seed", "4", "--out", str(out), "--size", "24", *words]) == 0
        face = Face.load(out / "face_000.safetensors")
        return face, dict(zip(face.face_model.mode_names["expression"], face.coefficients.expression[0].tolist()))

    face, smiling = expression()
    moved = {name for name, amount in smiling.items() if amount}
    columns = {*face.face_model.movement("smile"), *face.face_model.movement("cheek_raise")}
    assert moved == {face.face_model.mode_names["expression"][k] for k in columns}
    assert smiling == expression("--expression", "smile")[1]
    amount = smiling["smile_left"] / face.face_model.movement("smile_left").popitem()[1]
    assert 0.2 < amount < 0.5 and faint_smile(4)["smile"] == pytest.approx(amount) != faint_smile(5)["smile"]
    assert not any(expression("--expression", "rest")[1].values())
    drawn = Face.random(4, face_model=face.face_model).coefficients.expression[0]
    assert list(expression("--expression", "random")[1].values()) == drawn.tolist()


def test_sample_without_heads_says_so_in_a_line(tmp_path, capsys):
    assert main(["sample", "--num", "1", "--out", str(tmp_path / "a"), "--size", "32"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "anny" in line]
    assert "not installed" in line and "ProceduralFace" in line and "pip install 'faceuv[heads]'" in line
    main(["sample", "--num", "1", "--out", str(tmp_path / "b"), "--size", "32", "--face-model", "ProceduralFace"])
    assert "anny" not in capsys.readouterr().out


@needs_heads
def test_sample_makes_people_of_makehuman_where_it_is_installed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(source, "is_installed", lambda: True)
    words = ["--age", "7", "--gender", "female", "--ethnicity", "asian=1", "caucasian=3", "--weight", "0.8"]
    drawn = ["sample", "--num", "1", "--seed", "4", "--texture-size", "64", "--size", "32", "--expression", "random"]
    assert main([*drawn, *words, "--out", str(tmp_path)]) == 0
    assert "anny" not in capsys.readouterr().out
    traits = {"age": 7.0, "gender": "female", "ethnicity": {"asian": 1.0, "caucasian": 3.0}, "weight": 0.8}
    wanted = Face.random(4, face_model="MakeHuman", texture_size=64, **traits)
    saved = Face.load(tmp_path / "face_000.safetensors")
    assert saved.metadata["face_model"] == {"type": "MakeHuman"}
    torch.testing.assert_close(saved.coefficients.data, wanted.coefficients.data)
    torch.testing.assert_close(saved.maps.diffuse, wanted.maps.diffuse, rtol=0, atol=3e-4)  # kept in half precision


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--age", "40"], "--age is a trait that ProceduralFace does not know (it knows: none)"),
        (["--gender", "male", "--face-model", "ProceduralFace"], "after pip install 'faceuv[heads]'"),
        (["--age", "40", "--generator", "quickstart"], "leave out one of --generator"),
        (["--age", "old"], "--age: expected a number, got 'old'"),
        (["--ethnicity", "asian", "african"], "shares by name such as asian=0.5 caucasian=0.5; got asian african"),
    ],
)
def test_traits_that_nobody_knows(words, message, tmp_path, capsys):
    assert main(["sample", "--num", "1", "--out", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@needs_heads
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--age", "2"], "age must"),
        (["--age", "200"], "age must"),
        (["--gender", "both"], "gender must be 'female', 'male' or a number"),
        (["--gender", "nan"], "gender must"),
        (["--gender", "1.5"], "gender must"),
        (["--ethnicity", "martian"], "ethnicity must be one of african, asian, caucasian"),
        (["--ethnicity", "asian=-1"], "the share asian must"),
        (["--ethnicity", "asian=0"], "share"),
        (["--weight", "-1"], "weight must"),
        (["--weight", "inf"], "must lie in"),
    ],
)
def test_traits_out_of_range(words, message, tmp_path, capsys):
    assert main(["sample", "--num", "1", "--face-model", "MakeHuman", "--out", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_sample_is_deterministic(tmp_path):
    for folder in ("a", "b"):
        main(["sample", "--num", "1", "--seed", "3", "--out", str(tmp_path / folder), "--size", "32"])
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_render_a_saved_face(tmp_path):
    main(["sample", "--num", "1", "--out", str(tmp_path), "--size", "32"])
    out = tmp_path / "picture.png"
    words = ["--yaw-deg", "20", "--light", "left", "--expression", "smile=0.7", "--size", "40", "60", "--out", str(out)]
    assert main(["render", str(tmp_path / "face_000.safetensors"), *words]) == 0
    assert Image.open(out).size == (60, 40)


def test_render_a_turntable(tmp_path):
    out = tmp_path / "t.gif"
    assert main(["render", "--seed", "1", "--size", "32", "--frames", "3", "--out", str(out)]) == 0
    assert Image.open(out).n_frames == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "--num", "0"], "--num must be at least 1, got 0"),
        (["render", "nobody.safetensors"], "nobody.safetensors does not exist"),
        (["render", "--mean", "--out", "x.jpg"], "must end in .png, .gif or .mp4"),
        (["render", "--mean", "--light", "moon"], "no light is called 'moon'; known: studio"),
        (["render", "--mean", "--renderer", "opengl"], "no renderer is called 'opengl'; known: drtk"),
        (["render", "--mean", "--expression", "smile"], "such as smile=0.8; got 'smile'"),
        (["render", "face.glb"], "face.glb is a mesh, and what is read here is a .safetensors file of faceuv"),
        (["list", "colours"], "no kind of component is called 'colours'; known: renderers"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(words, message, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_debug_shows_the_traceback():
    with pytest.raises(InputError):
        main(["--debug", "sample", "--num", "0"])


def test_an_unwritable_folder_is_explained(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["sample", "--num", "1", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "choose a folder you may write to" in capsys.readouterr().err


def test_list_shows_every_backend(capsys):
    assert main(["list", "renderers"]) == 0
    out = capsys.readouterr().out
    for name in ("torch", "pytorch3d", "nvdiffrast", "drtk", "warp"):
        assert name in out


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "bfm2009" in out
    assert "faces.dmi.unibas.ch" in out


def test_opencv_that_does_not_start_is_a_line_with_the_remedy(tmp_path):
    """Slim systems lack a library that OpenCV's usual wheel loads; MMEngine's hooks import OpenCV."""
    (tmp_path / "cv2.py").write_text("raise ImportError('libxcb.so.1: cannot open shared object file')")
    settings = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}

    def faceuv(*words):
        return subprocess.run([sys.executable, "-m", "faceuv", *words], env=settings, capture_output=True, text=True)

    train = faceuv("train", "stylegan2_synthetic", "--work-dir", str(tmp_path / "run"))
    (line,) = train.stderr.splitlines()
    assert train.returncode == 2 and "libxcb.so.1" in line and "opencv-python-headless" in line
    doctor = faceuv("doctor")
    assert doctor.returncode == 1 and "does not start" in doctor.stdout


def test_usage_errors_are_one_line_and_exit_with_2(capsys):
    assert main(["sample", "--nmu", "1"]) == 2
    error = capsys.readouterr().err
    assert "unrecognized arguments: --nmu" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("word", ["smile", "=1", "smile=much"])
def test_amounts_must_be_name_equals_number(word):
    with pytest.raises(InputError, match="name=amount"):
        parse_amounts([word])


def test_render_shows_the_whole_head_unless_told(tmp_path):
    import numpy as np

    edges = {}
    for framing in ("head", "camera"):
        out = tmp_path / f"{framing}.png"
        assert main(["render", "--mean", "--size", "48", "--framing", framing, "--out", str(out)]) == 0
        top = np.asarray(Image.open(out))[0].astype(int)
        edges[framing] = int(np.abs(top - top[0]).max())
    assert edges["head"] == 0 < edges["camera"]


def test_list_names_the_extra_in_brackets(capsys):
    assert main(["list", "landmark_detectors"]) == 0
    assert 'pip install "faceuv[landmarks]"' in capsys.readouterr().out


class TestHair:
    def sampled(self, folder, *words):
        command = ["sample", "--num", "1", "--seed", "4", "--size", "32", "--texture-size", "64", "--out", str(folder)]
        assert main([*command, *words]) == 0
        return Face.load(folder / "face_000.safetensors")

    def test_by_style_and_colour(self, tmp_path):
        hair = self.sampled(tmp_path, "--face-model", "ProceduralFace", "--hair", "buzz", "--hair-colour", "red").hair
        assert (hair.style, hair.colour, hair.seed) == ("buzz", "red", 4)

    def test_the_procedural_face_has_none_unless_asked(self, tmp_path):
        assert self.sampled(tmp_path, "--face-model", "ProceduralFace").hair is None

    @needs_heads
    def test_people_have_hair_unless_they_are_to_be_bald(self, tmp_path):
        woman = ("--face-model", "MakeHuman", "--gender", "female", "--age", "30")
        assert self.sampled(tmp_path / "a", *woman).hair is not None
        assert self.sampled(tmp_path / "b", *woman, "--hair", "bald").hair is None

    def test_an_unknown_style_is_named_before_work_begins(self, tmp_path, capsys):
        assert main(["sample", "--num", "1", "--hair", "afor", "--out", str(tmp_path / "out")]) == 2
        assert "afro" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
