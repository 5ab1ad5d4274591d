"""Faces from codes: pictures, surfaces, style mixing, M as an editor, files, the subject, errors against the truth."""

import math

import numpy as np
import pytest
import torch
from installed import needs_heads

import faceuv
from faceuv.errors import AssetError, InputError
from faceuv.evaluation.lifted_errors import lifted_errors, truth_of_latents, view_errors_deg
from faceuv.files.locate import locate
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.base.subject import Setting
from faceuv.models.liftedgan import LiftedGANGenerator, LiftingNetworks, raw_light
from faceuv.models.liftedgan.generator import harmonic_light
from faceuv.models.liftedgan.parameters import parsed_light
from faceuv.models.readers.regressor import load_regressor
from faceuv.registry import GENERATORS, MODELS, SUBJECTS
from faceuv.synthetic.studio import Studio

SPACE = dict(fov_deg=12.1449128144154)


@pytest.fixture(scope="module")
def cats():
    return GENERATORS.build(dict(type="CatHeads", size=32))


@pytest.fixture(scope="module")
def generator(cats):
    """Untrained networks, whose depth is a dome."""
    torch.manual_seed(0)
    networks = LiftingNetworks(32, cats.num_layers, 36, 0, centred=True, dome=1.5)
    with torch.no_grad():
        networks.light.mlp[-2].bias.copy_(torch.tensor([0.2, 0.5, 0.5, 0.2]))
    return LiftedGANGenerator(cats, networks, space=SPACE, name="dome", teacher_config=dict(type="CatHeads", size=32))


class TestPictures:
    def test_angles_light_and_size(self, generator):
        code = generator.codes([1, 2])
        own = generator.generate(code)
        assert own.shape == (2, 3, 32, 32) and 0 <= own.min() and own.max() <= 1
        turned = generator.generate(code, yaw_deg=[30.0, -30.0], pitch_deg=5, roll_deg=3, size=48)
        assert turned.shape == (2, 3, 48, 48)
        left, right = (generator.generate(code, light=name) for name in ("left", "right"))
        middle = slice(8, 24)
        lean = (left - right)[..., middle, 4:16].mean() - (left - right)[..., middle, 16:28].mean()
        assert lean > 0.02  # the left half is brighter in the light from the left
        with pytest.raises(InputError, match="expressions"):
            generator.generate(code, expression={"smile": 1.0})
        with pytest.raises(InputError, match="90"):
            generator.generate(code, yaw_deg=120)

    def test_its_own_lights(self, generator):
        lifted = generator.lifted(generator.codes([1]))
        sides = []
        for x in (-0.9, 0.9):
            light = raw_light(*(torch.tensor([v]) for v in (0.3, 0.7, x, 0.0)))
            image = generator.pictures(lifted.replace(light=light))
            sides.append(image[..., 4:16].mean() - image[..., 16:28].mean())
        assert sides[0] > sides[1] + 0.02

    def test_style_mixing_keeps_pose_light_and_shape(self, generator):
        a, b = generator.codes([3]), generator.codes([4])
        mixed, own = generator.lifted(generator.mix(a, b, 3)), generator.lifted(a)
        for name in ("depth", "view", "light", "transformation"):
            assert torch.allclose(getattr(mixed, name), getattr(own, name), atol=1e-5), name
        assert not torch.allclose(mixed.neutral, own.neutral, atol=1e-3)

    def test_interpolation_goes_through_codes(self, generator):
        a, b = generator.codes([3]), generator.codes([4])
        ends = generator.generate(generator.interpolate(a, b, [0.0, 1.0]))
        assert torch.allclose(ends, torch.cat([generator.generate(a), generator.generate(b)]), atol=1e-4)

    def test_m_turns_codes(self, generator):
        code = generator.codes([3])
        moved = generator.turn(code, 20.0)
        assert moved.shape == code.shape and not torch.equal(moved, code)
        expected = generator.lifting.decompose(code[:, 0])[1].clone()
        expected[:, 1] = 20 / 60
        light = generator.lifting.decompose(code[:, 0])[0]
        assert torch.allclose(moved[:, 0], generator.lifting.compose(code[:, 0], light, expected), atol=1e-5)


class TestFaces:
    def test_a_face_has_no_background_and_no_jumps(self, generator):
        face = generator.sample(seed=3)
        mesh = face.surface.mesh
        assert 50 < mesh.vertices.shape[1] < 32 * 32  # the background is cut off
        assert mesh.vertices[..., 2].min() > -0.41
        corners = mesh.vertices[0][mesh.faces][..., 2]
        assert (corners.amax(1) - corners.amin(1)).max() <= 0.15 + 1e-5
        assert mesh.faces.max() == mesh.vertices.shape[1] - 1 and mesh.uv.shape == (mesh.vertices.shape[1], 2)
        assert face.metadata["generator"] == "dome"

    def test_a_face_looks_like_the_picture(self, generator):
        code = generator.codes([3])
        face = generator.face(code)
        drawn = face.render_full(32, background=None)
        picture = generator.generate(code)
        inside = (drawn.mask > 0.99).to(picture)
        away = ((drawn.image - picture).abs() * inside).sum() / (3 * inside.sum())
        assert away < 0.05  # nine bands of light are not Lambert's

    def test_light_as_harmonics(self):
        from faceuv.geometry.lighting import sh_irradiance

        light = torch.tensor([[0.2, 0.4, 0.5, -0.3]])
        rotation = torch.tensor([[0.1, 0.5, -0.2]])
        ambient, diffuse, toward = parsed_light(light)
        toward = rotate(toward[:, None], euler_to_matrix(rotation))
        found = sh_irradiance(toward, harmonic_light(light, rotation))[0, 0]
        assert torch.allclose(found, torch.ones(3), atol=0.08)  # full light on what faces the lamp
        behind = sh_irradiance(-toward, harmonic_light(light, rotation))[0, 0]
        assert torch.allclose(behind, (ambient / (ambient + diffuse))[0].expand(3), atol=0.1)

    def test_glb(self, generator, tmp_path):
        trimesh = pytest.importorskip("trimesh")
        path = generator.sample(seed=3).save(tmp_path / "cat.glb")
        mesh = trimesh.load(path, force="mesh")
        assert len(mesh.faces) == len(generator.sample(seed=3).surface.mesh.faces)
        assert np.isfinite(mesh.vertices).all()

    def test_a_code_without_foreground(self, cats):
        networks = LiftingNetworks(32, cats.num_layers, 36, 0)
        with torch.no_grad():  # everywhere at the middle of the range, behind a border that lies before it
            networks.shape.head[-1].weight.zero_()
        empty = LiftedGANGenerator(cats, networks, space=dict(SPACE, border=-0.5))
        with pytest.raises(InputError, match="no foreground"):
            empty.sample(seed=0)


class TestFiles:
    def test_save_and_load(self, generator, tmp_path):
        """The teacher has no weights: it is built from the config that the files keep."""
        again = faceuv.load(generator.save(tmp_path / "saved"))
        assert again.space == generator.space and sorted(p.name for p in (tmp_path / "saved").iterdir()) == [
            "generator.json",
            "lifting.safetensors",
        ]
        code = generator.codes([5])
        assert torch.allclose(again.generate(code, yaw_deg=20), generator.generate(code, yaw_deg=20), atol=1e-5)

    def test_a_face_model_is_refused(self, build, teacher, tmp_path):
        from faceuv.files.networks import save_network

        path = save_network(tmp_path / "teacher.safetensors", teacher)
        method, _ = build(teacher=dict(type="PretrainedGenerator", path=str(path)))
        folder = tmp_path / "work" / "lift"
        folder.mkdir(parents=True)
        method.export(folder)
        with pytest.raises(AssetError, match="no face model"):
            faceuv.load(folder, face_model="ProceduralFace")
        generator = faceuv.load(folder)
        again = faceuv.load(generator.save(tmp_path / "again"))
        code = generator.codes([1])
        assert torch.allclose(again.generate(code), generator.generate(code), atol=1e-5)


class TestMeasures:
    def test_the_subject_turns_its_surface(self, generator, cats, tmp_path):
        from faceuv.files.networks import save_network

        path = save_network(tmp_path / "lifting.safetensors", generator.lifting)
        subject = SUBJECTS.build(dict(type="lifted", path=str(path), space=SPACE), setting=Setting(cats), name="ours")
        codes = cats.sample_codes(2, generator=torch.Generator().manual_seed(0))
        view = subject.views(codes)
        assert view.mask is None and view.capabilities == frozenset(["surface"])
        yaw = torch.tensor([[-0.5, -0.5], [0.0, 0.0], [0.5, 0.5]])
        turned = subject.views(codes, yaw)
        assert turned.image.shape == (6, 3, 32, 32)
        lean = turned.render.depth[..., 4:16].mean((1, 2, 3)) - turned.render.depth[..., 16:28].mean((1, 2, 3))
        assert (lean[:2] > 0.02).all() and (lean[4:] < -0.02).all()  # turned to the right, the left side comes nearer
        length = turned.render.normal.norm(dim=1)
        assert torch.allclose(length, torch.ones_like(length), atol=1e-4)

    def test_the_report_s_protocol_measures_it(self, generator, cats, tmp_path):
        """Without mapper and stepper: what turns by itself is turned, what needs coefficients is left out."""
        from faceuv.evaluation.measures import Instruments
        from faceuv.evaluation.protocol import Protocol, evaluate
        from faceuv.files.networks import save_network

        path = save_network(tmp_path / "lifting.safetensors", generator.lifting)
        subject = SUBJECTS.build(dict(type="lifted", path=str(path), space=SPACE), setting=Setting(cats), name="ours")
        network = dict(type="StyleGAN2Discriminator", size=32, channel_base=128, channel_max=8)
        instruments = Instruments(
            identity=MODELS.build("RegressorIdentity"),
            regressor=MODELS.build(dict(type="CoefficientRegressor", size=64)),
            features=MODELS.build(dict(type="DiscriminatorFeatures", network=network)),
        )
        scores = evaluate(
            [subject], instruments, Protocol(pictures=4, curve=2, truth=0, yaws_deg=(-40, 0, 40), far_deg=40)
        )
        found = scores.subjects["ours"]
        assert found.curves["identity_kept"].shape == (3, 2) and found.features["original"].shape[0] == 4
        assert "texels" not in found.curves and "needs" in found.skipped["texels"]

    def test_errors_of_views_ignore_a_constant(self):
        truth = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
        errors = view_errors_deg(truth + torch.tensor([0.1, 0.2, 0.3]), truth)
        assert max(float(value.max()) for value in errors.values()) < 1e-3
        half = view_errors_deg(truth * torch.tensor([1.0, 0.5, 1.0]), truth)
        spread = (truth - truth.mean(0))[:, 1].abs().mean()
        assert float(half["yaw"].mean()) == pytest.approx(math.degrees(float(spread)) / 2, rel=1e-4)

    def test_the_truth_of_cats_changes_its_light_alone(self, cats):
        latents = cats.sample_latents(3, generator=torch.Generator().manual_seed(0))
        truth = truth_of_latents(cats, latents)
        assert torch.allclose(truth.image, cats.synthesis(cats.mapping(latents)), atol=1e-5)
        beside = (truth.mask == 0).expand(-1, 3, -1, -1)
        assert torch.allclose(truth.relit[beside], truth.image[beside], atol=1e-4)
        assert (truth.relit - truth.image).abs().mean() > 0.01

    def test_errors_against_the_truth(self, generator):
        network = dict(type="StyleGAN2Discriminator", size=32, channel_base=128, channel_max=8)
        features = MODELS.build(dict(type="DiscriminatorFeatures", network=network))
        found = lifted_errors(generator, features, count=12, batch=6)
        assert 0.5 < found["depth"] < math.sqrt(2)  # an untrained dome has little in common with a head with ears
        assert 0 < found["yaw"] and found["yaw"] == pytest.approx(found["still_yaw"], rel=0.3)  # untrained
        assert all(math.isfinite(value) for value in found.values())
        with pytest.raises(InputError, match="at least 4"):
            lifted_errors(generator, features, count=2)


class TestZoo:
    def test_the_cats_know_where_they_look(self):
        """Errors against the truth of other codes than those of the card."""
        found = faceuv.load("lifted_cats")
        network = dict(type="StyleGAN2Discriminator", size=32, channel_base=128, channel_max=8)
        features = MODELS.build(dict(type="DiscriminatorFeatures", network=network))
        errors = lifted_errors(found, features, count=48, first=7_000_000)
        assert errors["yaw"] < 0.7 * errors["still_yaw"]
        assert errors["depth_mm"] < errors["flat_mm"] and errors["depth"] < 0.9

    def test_the_faces_know_where_they_look(self):
        """Against the scenes that the teacher was trained on: pose, and colours without their light."""
        found = faceuv.load("liftedgan")
        features = MODELS.build(dict(type="DiscriminatorFeatures", zoo="teacher_64"))
        errors = lifted_errors(found, features, count=16, first=7_000_000)
        assert errors["yaw"] < 0.6 * errors["still_yaw"]
        assert errors["albedo"] < errors["picture_albedo"] and errors["l1"] < 0.1

    @needs_heads
    def test_the_heads_know_where_they_look(self):
        """Against MakeHuman's scenes: pose, depth, and light that is another one's."""
        found = faceuv.load("liftedgan_heads_64")
        features = MODELS.build(dict(type="DiscriminatorFeatures", zoo="teacher_heads_64"))
        studio = Studio(size=64, face_model=dict(type="MakeHuman", verbose=False), world="calm")
        errors = lifted_errors(found, features, count=16, first=7_000_000, studio=studio)
        assert errors["yaw"] < 0.3 * errors["still_yaw"] and errors["depth_mm"] < errors["flat_mm"]
        assert errors["albedo"] < errors["picture_albedo"] and errors["relit"] < errors["not_relit"]

    def test_heads_turn_as_asked(self):
        """As the regressor of heads reads their pictures."""
        found = faceuv.load("liftedgan_heads_64")
        regressor = load_regressor(locate("zoo:regressor_heads_64/weights.safetensors"))
        code = found.codes(range(50, 58), truncation=0.7)
        with torch.no_grad():
            read = [regressor(found.generate(code, yaw_deg=yaw)).rotation[:, 1].rad2deg() for yaw in (-25.0, 0.0, 25.0)]
        for yaw, angles in zip((-25.0, 0.0, 25.0), read):
            assert abs(float(angles.mean()) - yaw) < 8

    @pytest.mark.parametrize("name", ["lifted_cats", "liftedgan", "liftedgan_heads_64"])
    def test_its_faces(self, name, tmp_path):
        found = faceuv.load(name)
        face = found.sample(seed=1)
        assert face.render(64, yaw_deg=20).shape == (3, 64, 64)
        assert face.save(tmp_path / "cat.glb").stat().st_size > 1000
        again = faceuv.load(found.save(tmp_path / "again"))
        code = found.codes([1])
        assert torch.allclose(again.generate(code), found.generate(code), atol=1e-5)
