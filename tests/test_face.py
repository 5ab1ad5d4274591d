from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import trimesh
from toy_head import toy_head

from faceuv import Coefficients, Face, UVMaps
from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.face import build_face_model, build_renderer

MODEL = {"type": "ProceduralFace", "rows": 81, "columns": 65}


@pytest.fixture(scope="module")
def model():
    return build_face_model(MODEL)


@pytest.fixture(scope="module")
def face(model):
    return Face.random(7, face_model=model)


def bumps(model, size=64, height=0.03):
    """A displacement map of waves along +z."""
    v, u = torch.meshgrid(torch.linspace(0, 40, size), torch.linspace(0, 40, size), indexing="ij")
    displacement = torch.zeros(1, 3, size, size)
    displacement[0, 2] = height * u.sin() * v.sin()
    return displacement


class TestRandom:
    def test_the_seed_is_the_face(self, model, face):
        assert torch.equal(Face.random(7, face_model=model).coefficients.data, face.coefficients.data)
        assert not torch.equal(Face.random(8, face_model=model).coefficients.data, face.coefficients.data)

    def test_the_global_generator_is_left_alone(self, model):
        torch.manual_seed(0)
        before = torch.get_rng_state()
        Face.random(1, face_model=model)
        assert torch.equal(torch.get_rng_state(), before)


class TestChanging:
    def test_pose_in_degrees(self, face):
        turned = face.with_pose(yaw_deg=30, roll_deg=-10)
        assert torch.allclose(turned.coefficients.rotation, torch.tensor([[0.0, math.pi / 6, -math.pi / 18]]))
        assert float(face.coefficients.rotation.abs().max()) == 0  # nothing mutates

    def test_expression_by_name_drives_both_sides(self, face, model):
        smiling = face.with_expression(smile=0.5)
        columns = [model.mode_index("expression", f"smile_{side}") for side in ("left", "right")]
        full = model.metadata["full_expression"]
        for column, side in zip(columns, ("left", "right")):
            assert float(smiling.coefficients.expression[0, column]) == pytest.approx(0.5 * full[f"smile_{side}"])
        others = [k for k in range(model.layout.expression) if k not in columns]
        assert torch.equal(smiling.coefficients.expression[:, others], face.coefficients.expression[:, others])

    def test_an_amount_of_zero_relaxes_the_movement(self, face, model):
        relaxed = face.with_expression(smile=0.5).with_expression(smile=0.0)
        assert float(relaxed.coefficients.expression[0, model.mode_index("expression", "smile_left")]) == 0

    def test_unknown_expression_lists_the_known(self, face):
        with pytest.raises(
            InputError, match=r"no movement is called 'smiel'\. Did you mean 'smile'\? Known: .{20,250}in all"
        ):
            face.with_expression(smiel=1.0)

    def test_light_by_name_and_by_value(self, face):
        warm = face.with_lighting("warm")
        assert torch.equal(face.with_lighting(warm.coefficients.lighting[0]).coefficients.data, warm.coefficients.data)
        with pytest.raises(InputError, match="no light is called 'moon'"):
            face.with_lighting("moon")

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
    def test_angles_must_be_finite(self, face, wrong):
        with pytest.raises(InputError, match="finite number"):
            face.with_pose(yaw_deg=wrong)


class TestRendering:
    def test_a_picture(self, face):
        image = face.render(64)
        assert image.shape == (3, 64, 64)
        assert float(image.min()) >= 0
        assert float(image.max()) <= 1
        centre, corner = image[:, 24:40, 24:40].mean((1, 2)), image[:, :4, :4].mean((1, 2))
        assert float((centre - corner).abs().max()) > 0.05  # a face on a wall

    def test_any_shape_of_picture(self, face):
        assert face.render((40, 70)).shape == (3, 40, 70)

    def test_yaw_turns_to_the_viewers_right(self, face, model):
        nose = int(model.landmarks[30])
        full = [face.with_pose(yaw_deg=yaw) for yaw in (-30, 30)]
        x = [float(f.renderer.camera.focal * posed_x(f, nose)) for f in full]
        assert x[0] < 0 < x[1]

    def test_shape_only_is_grey(self, face):
        picture = face.with_lighting("front").render_full(48, shape_only=True).image[0]
        assert float((picture[0] - picture[1]).abs().max()) < 0.02

    def test_a_turntable_is_a_loop_that_starts_at_the_front(self, face):
        frames = list(face.turntable(4, 32, yaw_deg=40))
        assert torch.equal(frames[0], face.render(32, yaw_deg=0))
        assert torch.allclose(frames[2], frames[0], atol=1e-5)
        assert not torch.allclose(frames[1], frames[3])

    @pytest.mark.parametrize(("frames", "drawn"), [(1, 1), (2, 1), (6, 3), (7, 7), (12, 7)])
    def test_a_turntable_draws_every_angle_once(self, face, monkeypatch, frames, drawn):
        angles = []

        def render(self, size, *, yaw_deg):
            angles.append(yaw_deg)
            return torch.tensor([yaw_deg])

        monkeypatch.setattr(type(face), "render", render)
        shown = torch.cat(list(face.turntable(frames, 32, yaw_deg=50)))
        wanted = 50 * torch.sin(2 * torch.pi * torch.arange(frames) / frames)
        assert torch.allclose(shown, wanted, atol=1e-4) and len(angles) == drawn

    def test_turntable_file(self, face, tmp_path):
        path = face.save_turntable(tmp_path / "t.gif", frames=3, size=24)
        assert path.read_bytes()[:6] == b"GIF89a"


def posed_x(face, vertex):
    from faceuv.geometry import pose

    c = face.coefficients
    return pose(face.vertices()[None], c.rotation, c.translation)[0, vertex, 0]


class TestFiles:
    @pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
    def test_meshes_open_elsewhere(self, face, tmp_path, suffix):
        path = face.save(tmp_path / f"face{suffix}")
        mesh = trimesh.load(path, force="mesh", process=False)
        expected = face.vertices().numpy() * 0.1  # files are in metres
        assert mesh.vertices.shape[0] >= len(expected)
        assert mesh.bounds[1] - mesh.bounds[0] == pytest.approx(expected.max(0) - expected.min(0), rel=1e-4)
        assert 0.15 < mesh.extents[1] < 0.45  # a head in metres, upright
        assert abs(len(mesh.faces) - len(face.face_model.faces)) == 0

    def test_glb_carries_the_albedo_and_the_seed(self, face, tmp_path):
        scene = trimesh.load(face.save(tmp_path / "face.glb"))
        mesh = next(iter(scene.geometry.values()))
        picture = mesh.visual.material.baseColorTexture
        assert picture.size == (1024, 1024)
        assert mesh.visual.material.metallicFactor == 0

    def test_displacement_moves_vertices_and_gives_a_normal_map(self, face, model, tmp_path):
        displaced = face.with_maps(UVMaps(displacement=bumps(model)))
        moved = displaced.vertices() - face.vertices()
        assert 0.01 < float(moved[:, 2].abs().max()) <= 0.031
        assert displaced.mesh_file().normal_map is not None
        assert face.mesh_file().normal_map is None
        mesh = next(iter(trimesh.load(displaced.save(tmp_path / "face.glb")).geometry.values()))
        assert mesh.visual.material.normalTexture is not None

    def test_blend_shapes(self, face, model):
        shapes = face.mesh_file().morph_targets  # on by default
        assert {"jawOpen", "mouthSmileLeft", "eyeBlinkRight", "nostril_flare_left"} <= set(shapes)
        assert not face.mesh_file(blend_shapes=False).morph_targets
        opened = face.with_expression(torch.zeros(64)).with_expression(jaw_open=1.0).vertices()
        rest = face.with_expression(torch.zeros(64)).vertices()
        assert torch.allclose(torch.as_tensor(shapes["jawOpen"]), opened - rest, atol=1e-6)

    def test_the_weights_of_the_file_give_the_expression(self, face):
        smiling = face.with_arkit(mouthSmileLeft=0.8, jawOpen=0.3)
        mesh = smiling.mesh_file()
        assert mesh.morph_weights["mouthSmileLeft"] == pytest.approx(0.8, abs=0.05)
        shown = mesh.vertices + sum(w * mesh.morph_targets[name] for name, w in mesh.morph_weights.items())
        assert torch.allclose(torch.as_tensor(shown), smiling.vertices(), atol=1e-6)
        assert not torch.allclose(torch.as_tensor(mesh.vertices), smiling.vertices(), atol=0.01)

    def test_a_saved_face_is_the_same_face(self, face, model, tmp_path):
        maps = UVMaps(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), bumps(model, 32))
        saved = face.with_maps(maps).with_pose(yaw_deg=20)
        again = Face.load(saved.save(tmp_path / "face.safetensors"), face_model=model)
        assert torch.equal(again.render(48), saved.render(48))
        assert again.metadata["seed"] == 7

    def test_maps_in_half_precision(self, face, model, tmp_path):
        maps = UVMaps(torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)), bumps(model, 128))
        saved = face.with_maps(maps)
        whole, half = saved.save(tmp_path / "whole.safetensors"), saved.save(tmp_path / "a.safetensors", quantised=True)
        assert half.stat().st_size < 0.51 * whole.stat().st_size
        again = Face.load(half, face_model=model)
        assert again.maps.diffuse.dtype == torch.float32
        assert torch.equal(again.coefficients.data, saved.coefficients.data)
        assert (again.maps.diffuse - maps.diffuse).abs().max() < 3e-4
        assert (again.maps.displacement - maps.displacement).abs().max() < 1e-5  # a micrometre
        huge = face.with_maps(UVMaps(torch.full((1, 3, 8, 8), 7e4)))  # beyond half precision: kept whole
        kept = Face.load(huge.save(tmp_path / "b.safetensors", quantised=True), face_model=model)
        assert torch.equal(kept.maps.diffuse, huge.maps.diffuse)

    def test_unknown_suffix(self, face, tmp_path):
        with pytest.raises(InputError, match=r"known: \.glb, \.obj, \.ply"):
            face.save(tmp_path / "face.fbx")

    def test_load_what_is_not_there(self, tmp_path):
        with pytest.raises(AssetError, match="does not exist; expected a faceuv face file"):
            Face.load(tmp_path / "nobody.safetensors")


class TestBadInput:
    def test_one_person_at_a_time(self, model):
        with pytest.raises(InputError, match="one person, got coefficients of 2"):
            Face(Coefficients.zeros(2), model, build_renderer(None))

    def test_nan_coefficients(self, model):
        data = torch.zeros(1, 257)
        data[0, 3] = float("nan")
        with pytest.raises(InputError, match="NaN or infinity"):
            Face(Coefficients(data), model, build_renderer(None))

    def test_unknown_backend_and_model(self):
        with pytest.raises(UnknownName, match="no renderer is called 'pytorch4d'.*Did you mean 'pytorch3d'"):
            build_renderer("pytorch4d")
        with pytest.raises(UnknownName, match="no face model is called 'flame2023'; known: .*ProceduralFace"):
            build_face_model("flame2023")


@pytest.mark.parametrize("yaw", [-60.0, 0.0, 45.0])
def test_a_centred_picture_shows_the_whole_head(face, yaw):
    def border(centred):
        picture = face.render(48, yaw_deg=yaw, background=(1.0, 0.0, 1.0), centred=centred)
        edge = torch.cat([picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]], 1)
        return (edge - torch.tensor([1.0, 0.0, 1.0])[:, None]).abs().amax(0) > 1e-3

    assert not border(centred=True).any()
    assert border(centred=False).any()  # the papers' camera cuts the crown off


class TestWholeHeads:
    """A head with a neck is shown whole, whoever it is; who was placed stays."""

    @pytest.fixture
    def head(self):
        return Face.mean(face_model=toy_head())

    def border(self, picture):
        edge = torch.cat([picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]], 1)
        return bool(((edge - torch.tensor([1.0, 0.0, 1.0])[:, None]).abs().amax(0) > 1e-3).any())

    def test_centred_unless_told_or_placed(self, head, face):
        assert torch.equal(head.render(32), head.render(32, centred=True))
        assert not torch.equal(head.render(32), head.render(32, centred=False))
        placed = head.placed(torch.tensor([[0.1, 0.0, 0.0]]))
        assert torch.equal(placed.render(32), placed.render(32, centred=False))
        assert torch.equal(face.render(32), face.render(32, centred=False))  # a mask: as the papers' camera sees it

    @pytest.mark.parametrize("yaw", [-90.0, -40.0, 0.0, 60.0])
    def test_somebody_large_is_whole_too(self, head, yaw):
        large = torch.zeros_like(head.coefficients.identity)
        large[0, 0] = _sigma_of_twice_the_size(head)
        someone = replace(head, coefficients=head.coefficients.replace(identity=large))
        assert _height(someone) > 1.5 * _height(head)
        assert not self.border(someone.render(64, yaw_deg=yaw, background=(1.0, 0.0, 1.0)))


def _height(face):
    vertical = face.vertices()[:, 1]
    return float(vertical.max() - vertical.min())


def _sigma_of_twice_the_size(face):
    """The coefficient of the first identity mode at which somebody is about twice as high."""
    model = face.face_model
    unit = torch.zeros(1, model.layout.identity)
    unit[0, 0] = 1.0
    moved = model.shape(unit, torch.zeros(1, model.layout.expression))[0, :, 1] - model.mean[:, 1]
    return _height(face) / float(moved.max() - moved.min())
