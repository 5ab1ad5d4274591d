"""``faceuv invert`` from files to files: what it writes, what it reports, going on, options that do not fit."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

import faceuv
from faceuv.cli.main import main
from faceuv.export import save_png
from faceuv.models.inversion import InversionGenerator, LocalBranch
from faceuv.models.inversion.encoder import start_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator with an untrained encoder, and pictures: two faces, a grey wall, a broken and a tiny file."""
    work = tmp_path_factory.mktemp("invert")
    q = faceuv.load("quickstart")
    encoder = start_encoder(q.teacher, q.mapper.layout, reader="zoo:regressor/weights.safetensors").eval()
    made = InversionGenerator(
        q.teacher, q.mapper, q.uv_generator, encoder, q.face_model, local=LocalBranch((8,)), stepper=q.stepper,
        directions=q.directions.values(), name="small",
    )  # fmt: skip
    made.save(work / "generator")
    shown = q.image(q.codes([1, 2], truncation=0.7))
    for name, picture in zip("ab", torch.nn.functional.interpolate(shown, scale_factor=2.0, mode="bilinear")):
        save_png(work / "pictures" / f"{name}.png", picture)
    save_png(work / "pictures" / "wall.png", torch.full((3, 128, 128), 0.4))
    (work / "pictures" / "broken.png").write_text("no picture")
    Image.new("L", (20, 20), 90).save(work / "pictures" / "tiny.png")
    return work


def run(folder, out, *options):
    given = ["invert", str(folder / "pictures"), "--out", str(out), "--generator", str(folder / "generator")]
    return main([*given, *options])


def test_what_it_writes_and_what_it_reports(folder, tmp_path, capsys):
    assert run(folder, tmp_path / "out", "--edit", "yaw=1", "--yaws", "20") == 0
    out = tmp_path / "out"
    names = {kind: sorted(p.stem for p in (out / kind).iterdir()) for kind in ("faces", "strips", "meshes", "failures")}
    assert names == {kind: ["a", "b"] for kind in ("faces", "strips", "meshes")} | {
        "failures": ["broken", "tiny", "wall"]
    }
    width, height = Image.open(out / "strips" / "a.png").size
    assert width == 4 * height, "the picture, the face, one view, one edit"
    reasons = {
        name: entry["reason"] for name, entry in json.loads((out / "report.json").read_text())["failures"].items()
    }
    assert "no face was found" in reasons["wall"]
    assert "cannot be read as a picture" in reasons["broken"]
    assert "20 × 20 pixels" in reasons["tiny"]
    assert all("\n" not in reason for reason in reasons.values())
    face = faceuv.load(folder / "generator").load_face(out / "faces" / "a.safetensors")
    assert face.picture.shape == (3, 64, 64)
    assert "inverted 2 of 5 pictures" in capsys.readouterr().out

    stamp = (out / "faces" / "a.safetensors").stat().st_mtime_ns
    assert run(folder, out, "--edit", "yaw=1", "--yaws", "20") == 0
    assert "2 of 5 pictures are inverted already" in capsys.readouterr().out
    assert (out / "faces" / "a.safetensors").stat().st_mtime_ns == stamp
    assert run(folder, out, "--edit", "yaw=2") == 2
    assert "holds inversions of other settings (edit ['yaw=1'] → ['yaw=2']" in capsys.readouterr().err


def test_whole_heads_are_the_default_where_makehuman_is_installed(monkeypatch, capsys):
    from faceuv.cli.invert import default_generator

    monkeypatch.setattr("faceuv.models.faces.makehuman.source.is_installed", lambda: True)
    assert default_generator() == "inversion_heads_64"
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("faceuv.models.faces.makehuman.source.is_installed", lambda: False)
    assert default_generator() == "inversion_64"
    assert "makes masks; for whole heads" in " ".join(capsys.readouterr().out.split())


def test_a_face_that_is_off_the_centre_and_small_is_framed_as_the_generator_draws_it():
    from faceuv.cli.invert import square
    from faceuv.registry import LANDMARK_DETECTORS

    q = faceuv.load("quickstart")
    face = torch.nn.functional.interpolate(q.image(q.codes([3], truncation=0.6)), size=(160, 160), mode="bicubic")[0]
    scene = face[:, :1, :1].expand(3, 240, 320).clone()
    scene[:, 60:220, 130:290] = face.clamp(0, 1)
    detector = LANDMARK_DETECTORS.build("SyntheticLandmarks")

    def eyes_and_mouth(picture):
        points = detector.detect(picture[None], None).points[0] / picture.shape[-1]
        return torch.stack([points[36:42].mean(0), points[42:48].mean(0), points[48:68].mean(0)])

    aligned = {name: square(picture, detector, "align", 128) for name, picture in (("own", face), ("scene", scene))}
    found = {name: eyes_and_mouth(picture) for name, picture in aligned.items()}
    torch.testing.assert_close(found["scene"], found["own"], atol=0.02, rtol=0)
    width = float(found["scene"][1, 0] - found["scene"][0, 0])
    cut = square(scene, detector, "crop", 128)
    assert float(eyes_and_mouth(cut)[1, 0] - eyes_and_mouth(cut)[0, 0]) < 0.8 * width, "the cut alone shows it smaller"


def test_projections_by_name(folder, tmp_path):
    picture = str(folder / "pictures" / "a.png")
    options = ["--generator", "quickstart", "--framing", "crop", "--method", "w+", "--steps", "3", "--no-meshes"]
    assert main(["invert", picture, "--out", str(tmp_path / "w"), *options]) == 0
    assert (tmp_path / "w" / "faces" / "a.safetensors").is_file()
    assert list((tmp_path / "w" / "state").iterdir())
    assert not (tmp_path / "w" / "meshes").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--generator", "quickstart"], "'quickstart' has no encoder"),
        (["--generator", "liftedgan"], "'liftedgan' is a LiftedGANGenerator: choose another --generator"),
        (["--edit", "smile=2"], "no direction of 'small' is called 'smile'; known: yaw"),
        (["--method", "w", "--no-detail"], "--refine and --no-detail belong to --method encoder"),
        (["--steps", "4"], "--steps are those of an optimisation"),
        (["--method", "wplus"], "no inverter is called 'wplus'"),
        (["--detector", "none"], "--framing align lays the square around landmarks"),
    ],
)
def test_options_that_do_not_fit_are_one_line(folder, tmp_path, capsys, options, told):
    assert run(folder, tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_else_is_left_alone(folder, tmp_path, capsys):
    (tmp_path / "faces").mkdir()
    assert run(folder, tmp_path) == 2
    assert "holds faces, which faceuv invert did not write" in capsys.readouterr().err
