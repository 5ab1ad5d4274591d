"""Faces, generators and the command line with the topology of another face model."""

from __future__ import annotations

import pytest
import torch

from faceuv import Face, UVMaps, load
from faceuv.cli.main import main
from faceuv.errors import InputError
from faceuv.face import build_face_model, to_face_model
from faceuv.models.faces import ProceduralFace
from faceuv.registry import FACE_MODELS

SOURCE = {"type": "ProceduralFace", "rows": 65, "columns": 45}


class OtherFace(ProceduralFace):
    """The procedural face in another resolution, with its chart turned."""

    def __init__(self, rows: int = 81, columns: int = 65) -> None:
        super().__init__(rows, columns, verbose=False)
        self.uv = self.uv.flip(1).contiguous()


@pytest.fixture
def other():
    FACE_MODELS.register_module(name="OtherFace", module=OtherFace, force=True)
    return "OtherFace"


@pytest.fixture(scope="module")
def face():
    made = Face.random(3, face_model=SOURCE).with_pose(yaw_deg=20).with_expression(smile=0.8)
    return made.with_metadata(note="kept")


@pytest.fixture(scope="module")
def moved(face):
    """The face on a model that is given, with maps of the usual size: what takes long is their filling."""
    return face.to(OtherFace())


class TestFace:
    def test_by_name_config_or_model(self, face, other, moved):
        named = face.to_model(other, texture_size=64)
        assert isinstance(named.face_model, OtherFace) and named.face_model is not moved.face_model
        assert named.metadata["transferred_from"] == "ProceduralFace" and named.metadata["note"] == "kept"
        assert named.metadata["face_model"] == "OtherFace"
        model = moved.face_model
        assert face.to_model(model, texture_size=64).face_model is model
        assert torch.allclose(moved.coefficients.data, named.coefficients.data)
        by_config = face.to_model({"type": other}, texture_size=64)
        assert torch.allclose(by_config.maps.diffuse, named.maps.diffuse) and by_config.face_model is not model
        assert moved.maps.diffuse.shape == (1, 3, 1024, 1024)

    def test_to_is_to_model(self, face, other, monkeypatch):
        """A name, a config and a model go the same way."""
        asked = []
        monkeypatch.setattr(Face, "to_model", lambda self, model: asked.append(model))
        wanted = [other, {"type": other}, face.face_model]
        for model in wanted:
            face.to(model)
        assert asked == wanted

    def test_the_picture_stays(self, face, moved):
        made = moved
        before, after = face.render_full(128), made.render_full(128)
        both = (before.mask > 0.99) & (after.mask > 0.99)
        assert float((before.mask - after.mask).abs().mean()) < 0.02
        gap = (before.image - after.image).abs().mean(1, keepdim=True)[both]
        assert float(gap.mean()) < 0.02 and float(gap.quantile(0.95)) < 0.08
        turned = made.with_pose(yaw_deg=-20).render_full(128)
        wrong = (before.image - turned.image).abs().mean(1, keepdim=True)[both]
        assert float(wrong.mean()) > 2 * float(gap.mean())

    def test_devices_are_devices(self, face):
        assert face.to("cpu").face_model is face.face_model
        assert face.to(torch.device("cpu")).face_model is face.face_model

    def test_its_own_model_changes_nothing(self, face):
        assert face.to(face.face_model) is face

    def test_a_name_that_is_neither(self, face):
        with pytest.raises(InputError, match=r"device \(cpu.*face model.*ProceduralFac"):
            face.to("ProceduralFac")

    def test_a_face_without_coefficients(self, face):
        with pytest.raises(InputError, match="transfer to another face model needs the coefficients"):
            Face.of_surface(face.surface).to_model(SOURCE)

    def test_many_are_as_one(self, face, other):
        model = build_face_model(other)
        second = Face.random(4, face_model=face.face_model)
        textured = face.with_maps(UVMaps(torch.rand(1, 3, 64, 64), 0.01 * torch.rand(1, 3, 64, 64)))
        made = to_face_model([face, second, textured], model, texture_size=64)
        for alone, together in zip((face, second, textured), made):
            single = alone.to_model(model, texture_size=64)
            assert torch.allclose(single.coefficients.data, together.coefficients.data, atol=1e-5)
            assert torch.allclose(single.maps.diffuse, together.maps.diffuse, atol=1e-5)
        assert made[0].maps.displacement is None and made[2].maps.displacement.abs().max() > 0.005


class TestCommand:
    def test_files(self, face, other, tmp_path, capsys):
        face.save(tmp_path / "face.safetensors")
        for name in ("made.safetensors", "made.glb"):
            arguments = ["--to", other, "--out", str(tmp_path / name), "--size", "64"]
            assert main(["transfer", str(tmp_path / "face.safetensors"), *arguments]) == 0
        assert "mm" in capsys.readouterr().out
        made = Face.load(tmp_path / "made.safetensors")
        assert isinstance(made.face_model, OtherFace) and made.maps.diffuse.shape[-1] == 64
        assert torch.allclose(made.coefficients.data, face.to_model(other, texture_size=64).coefficients.data)
        assert (tmp_path / "made.glb").stat().st_size > 10_000

    def test_a_sheet(self, face, other, tmp_path):
        face.save(tmp_path / "face.safetensors")
        sheet = tmp_path / "sheet.png"
        arguments = ["--to", other, "--out", str(tmp_path / "made.obj"), "--size", "64", "--sheet", str(sheet)]
        assert main(["transfer", str(tmp_path / "face.safetensors"), *arguments]) == 0
        assert sheet.stat().st_size > 1000

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--to", "OtherFac", "--out", "x.glb"], "OtherFac"),
            (["--to", "ProceduralFace", "--out", "x.fbx"], "--out must end with"),
            (["--to", "ProceduralFace", "--out", "x.glb", "--size", "0"], "--size must be at least 1"),
        ],
    )
    def test_bad_input_is_one_line(self, face, tmp_path, capsys, arguments, told):
        face.save(tmp_path / "face.safetensors")
        assert main(["transfer", str(tmp_path / "face.safetensors"), *arguments]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1

    def test_a_surface_without_coefficients(self, face, tmp_path, capsys):
        Face.of_surface(face.surface).save(tmp_path / "face.safetensors")
        arguments = ["--to", "ProceduralFace", "--out", str(tmp_path / "x.glb")]
        assert main(["transfer", str(tmp_path / "face.safetensors"), *arguments]) == 2
        assert "needs the coefficients" in capsys.readouterr().err


class TestGenerator:
    def test_generated_faces_with_another_topology(self, other):
        generator = load("quickstart")
        model = build_face_model(other)
        codes = generator.codes([1, 2])
        plain, made = generator.faces(codes), generator.faces(codes, face_model=model)
        for before, after in zip(plain, made):
            assert after.face_model is model and after.metadata["generator"] == before.metadata["generator"]
            one, two = before.render_full(96), after.render_full(96)
            both = (one.mask > 0.99) & (two.mask > 0.99)
            assert float((one.image - two.image).abs().mean(1, keepdim=True)[both].mean()) < 0.03
        single = generator.sample(2, face_model=model)
        assert torch.allclose(single.coefficients.data, made[1].coefficients.data, atol=1e-4)
        assert single.metadata["seed"] == 2

    def test_the_command(self, other, tmp_path, capsys):
        arguments = ["--generator", "quickstart", "--face-model", other, "--num", "1", "--size", "48"]
        assert main(["sample", *arguments, "--out", str(tmp_path), "--format", "obj"]) == 0
        assert isinstance(Face.load(tmp_path / "face_000.safetensors").face_model, OtherFace)
