"""StyleRig's generator of faces, its subject, its figures, and the stage that draws its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import faceuv
from faceuv.cli.main import main
from faceuv.data.drawn import DrawnCodes
from faceuv.engine.stages.base import StageContext
from faceuv.engine.stages.pictures import PicturesStage
from faceuv.errors import AssetError, InputError
from faceuv.figures import FigureStyle
from faceuv.figures.rig_sheets import rig_mixing_grid, transfer_grid
from faceuv.models.base.face_generator import FaceGenerator
from faceuv.models.stylefaceuv import CoefficientMapper, UVGenerator
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.models.stylerig import RigNet, RigTurner, StyleRigGenerator
from faceuv.models.stylerig.rignet import fingerprint_of

L, D = 6, 8
COARSE = {"type": "ProceduralFace", "rows": 49, "columns": 41, "verbose": False}


def build(*, maps: bool = False, controls: tuple[str, ...] = ("pose", "expression", "light")) -> StyleRigGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher = StyleGAN2Generator(16, D, channel_base=64, channel_max=8, mapping_depth=2)
        mapper = CoefficientMapper(L, D, widths=(16,))
        mapper.deviation.fill_(0.05)
        rig = RigNet(L, D, mapper.layout, encoding=4, controls=controls, trained_for=fingerprint_of(mapper))
        for parameter in rig.decode.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        uv = UVGenerator.from_teacher(teacher) if maps else None
        return StyleRigGenerator(teacher, mapper, rig, COARSE, "torch", uv_generator=uv, name="tiny")


@pytest.fixture(scope="module")
def faces() -> StyleRigGenerator:
    return build(maps=True)


class TestGenerator:
    def test_saved_and_loaded_it_gives_the_same_pictures(self, faces: StyleRigGenerator, tmp_path: Path) -> None:
        found = faceuv.load(faces.save(tmp_path / "tiny", half=False))
        assert isinstance(found, StyleRigGenerator) and found.controls == ("pose", "expression", "light")
        code = faces.codes([1, 2])
        for changes in (
            {},
            {"yaw_deg": 20.0, "pitch_deg": [5.0, -5.0]},
            {"light": "left", "expression": {"smile": 1.0}},
        ):
            assert torch.equal(found.generate(code, **changes), faces.generate(code, **changes))
        assert found.sample(3).render(16).shape == (3, 16, 16)

    def test_half_precision_keeps_the_mapper_of_the_training(self, faces: StyleRigGenerator, tmp_path: Path) -> None:
        assert isinstance(faceuv.load(faces.save(tmp_path / "half", half=True)), StyleRigGenerator)

    def test_another_mapper_does_not_fit(self, faces: StyleRigGenerator, tmp_path: Path) -> None:
        folder = faces.save(tmp_path / "tiny")
        from faceuv.files.networks import save_network
        from faceuv.models.base.manifest import Manifest

        torch.manual_seed(5)
        save_network(folder / "mapper.safetensors", CoefficientMapper(L, D, widths=(16,)))
        manifest = Manifest.read(folder / "generator.json")
        manifest.checksums.clear()
        manifest.write(folder)
        with pytest.raises(AssetError, match="was trained with the mapper"):
            faceuv.load(folder)

    def test_pictures_are_the_teacher_s_of_moved_codes(self, faces: StyleRigGenerator) -> None:
        code = faces.codes([1])
        assert torch.equal(faces.generate(code), faces.image(code))
        moved = faces.rig.slide(code, yaw_deg=30.0, face_model=faces.face_model)
        assert torch.equal(faces.generate(code, yaw_deg=30.0), faces.image(moved))
        assert not torch.equal(faces.image(moved), faces.image(code))
        assert isinstance(faces.editor, RigTurner)
        assert torch.allclose(faces.turn(code, 30.0), moved, atol=1e-5)

    def test_maps_follow_the_edited_code(self, faces: StyleRigGenerator) -> None:
        a, b = faces.codes([1, 2]).split(1)
        moved = faces.transfer(a, b, "expression")
        maps = faces.face(moved).maps
        assert faces.uv_generator is not None and maps is not None and maps.diffuse is not None
        assert torch.equal(maps.diffuse, faces.uv_generator(moved).diffuse)
        assert not torch.equal(maps.diffuse, faces.uv_generator(a).diffuse)

    def test_conditional_generation(self, faces: StyleRigGenerator) -> None:
        like = faces.codes([1])
        codes = faces.conditional(like, 3, seed=7)
        sampled = faces.codes([7000, 7001, 7002])
        own, wanted = faces.coefficients(sampled), faces.coefficients(like)
        asked = own.replace(rotation=wanted.rotation, expression=wanted.expression, lighting=wanted.lighting)
        assert torch.allclose(codes, faces.rig.move(sampled, asked))
        with pytest.raises(InputError, match="count"):
            faces.conditional(like, 0)

    def test_a_rig_of_the_light_alone_does_not_turn(self) -> None:
        faces = build(controls=("light",))
        assert not faces.turns and faces.controls == ("light",)
        with pytest.raises(InputError, match="trained to edit light, not pose"):
            faces.generate(faces.codes([1]), yaw_deg=10.0)
        assert faces.generate(faces.codes([1]), light="left").shape == (1, 3, 16, 16)

    def test_bad_angles(self, faces: StyleRigGenerator) -> None:
        with pytest.raises(InputError, match="yaw_deg must lie in"):
            faces.generate(faces.codes([1]), yaw_deg=120.0)


class TestFigures:
    def test_both_figures(self, faces: StyleRigGenerator) -> None:
        told: list[tuple[int, int]] = []
        style = FigureStyle(size=16)
        mixing = rig_mixing_grid(faces, [1, 2], [4], style=style, progress=lambda *at: told.append(at))
        assert mixing.ndim == 3 and told[-1][0] == told[-1][1] == 2 + 1 + 6 * 2
        told.clear()
        transfer = transfer_grid(faces, [1, 2], [4, 5], style=style, progress=lambda *at: told.append(at))
        assert transfer.ndim == 3 and told[-1][0] == told[-1][1] == 2 * 6
        with pytest.raises(InputError, match="seed 2 is a target and a source"):
            rig_mixing_grid(faces, [1, 2], [2], style=style)
        with pytest.raises(InputError, match="every target has a source"):
            transfer_grid(faces, [1, 2], [4], style=style)

    def test_the_command(self, faces: StyleRigGenerator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = faces.save(tmp_path / "tiny")
        words = ["--generator", str(folder), "--size", "16", "--out", str(tmp_path), "--seeds", "1", "2"]
        assert main(["generate", "rig", *words, "--sources", "4"]) == 0
        assert main(["generate", "transfer", *words, "--sources", "4", "5"]) == 0
        assert {path.name for path in tmp_path.glob("*.png")} == {"rig.png", "transfer.png"}
        assert main(["generate", "transfer", *words, "--sources", "4"]) == 2
        assert main(["generate", "rig", *words, "--sources", "1"]) == 2
        assert main(["generate", "rig", "--out", str(tmp_path), "--size", "16"]) == 2  # the quickstart has no rig
        assert "needs a generator with a rig" in " ".join(capsys.readouterr().err.split())


class TestPicturesStage:
    def test_what_it_leaves(self, tmp_path: Path) -> None:
        settings = dict(generator=dict(type="ProceduralGenerator", size=64), detector=dict(type="SyntheticLandmarks"))
        stage = PicturesStage(**settings, count=5, shard=3, batch=2)  # type: ignore[arg-type]
        result = stage.run(StageContext("pictures", tmp_path, "print", 0))
        assert list(result.outputs) == ["drawn_000000.safetensors", "drawn_000001.safetensors"]
        data = DrawnCodes(tmp_path)
        assert len(data) >= 4 and data.size == 64
        whole = torch.stack([item["image"] for item in data])
        generator = stage_generator()
        drawn = generator.synthesis(data.codes).clamp(0, 1)
        assert float((whole / 255 - drawn).abs().max()) < 0.01
        shares = torch.stack([item["mask"] for item in data]).float().mean((1, 2, 3))
        assert 0.05 < float(shares.min()) < float(shares.max()) < 0.6
        before = (tmp_path / "drawn_000000.safetensors").stat().st_mtime_ns
        stage.run(StageContext("pictures", tmp_path, "print", 0))
        assert (tmp_path / "drawn_000000.safetensors").stat().st_mtime_ns == before  # nothing is drawn twice

    def test_bad_counts(self) -> None:
        with pytest.raises(InputError, match="most must be a whole number"):
            PicturesStage(dict(type="ProceduralGenerator"), "SyntheticLandmarks", most=0)


def stage_generator() -> torch.nn.Module:
    from faceuv.synthetic.generator import ProceduralGenerator

    return ProceduralGenerator(64)


def test_only_generators_with_a_rig_are_rigged(tmp_path: Path) -> None:
    from faceuv.figures.rig_sheets import rig_of

    with pytest.raises(InputError, match="needs a generator with a rig"):
        rig_of(FaceGenerator.load("quickstart"))
