"""ArcFace's network from randomly initialised weights in the layout of the published files."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceuv.errors import AssetError, InputError
from faceuv.evaluation import ArcFaceIdentity, identity_similarity
from faceuv.evaluation.arcface import TEMPLATE, align_faces, five_points
from faceuv.evaluation.iresnet import IResNet, iresnet_of
from faceuv.files.artefacts import sha256_of
from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks
from faceuv.registry import LANDMARK_DETECTORS

NARROW = (4, 4, 6, 8, 10)


def layout(blocks, widths=(64, 64, 128, 256, 512), embedding=512):
    """Name → shape of the published state dict, written down independently of the network."""
    found = {}

    def norm(name, width):
        found.update({f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")})
        found[f"{name}.num_batches_tracked"] = ()

    found["conv1.weight"] = (widths[0], 3, 3, 3)
    norm("bn1", widths[0])
    found["prelu.weight"] = (widths[0],)
    for stage in range(1, 5):
        for k in range(blocks[stage - 1]):
            at, before = f"layer{stage}.{k}", widths[stage - 1] if k == 0 else widths[stage]
            norm(f"{at}.bn1", before)
            found[f"{at}.conv1.weight"] = (widths[stage], before, 3, 3)
            norm(f"{at}.bn2", widths[stage])
            found[f"{at}.prelu.weight"] = (widths[stage],)
            found[f"{at}.conv2.weight"] = (widths[stage], widths[stage], 3, 3)
            norm(f"{at}.bn3", widths[stage])
            if k == 0:
                found[f"{at}.downsample.0.weight"] = (widths[stage], before, 1, 1)
                norm(f"{at}.downsample.1", widths[stage])
    norm("bn2", widths[4])
    found["fc.weight"], found["fc.bias"] = (embedding, widths[4] * 49), (embedding,)
    norm("features", embedding)
    return found


def weights(blocks=(2, 1, 1, 1), seed=0):
    """A random state dict in that layout, narrow."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in layout(blocks, NARROW, 12).items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight")):
            state[name] = 0.5 + torch.rand(shape, generator=rng)
        else:
            state[name] = torch.randn(shape, generator=rng) * 0.3
    return state


def by_hand(state, x):
    """The published forward pass, step by step, on [−1, 1]."""

    def norm(x, name):
        part = {p: state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, *part.values(), training=False, eps=1e-5)

    x = F.prelu(norm(F.conv2d(x, state["conv1.weight"], padding=1), "bn1"), state["prelu.weight"])
    for stage in range(1, 5):
        k = 0
        while (at := f"layer{stage}.{k}") + ".conv1.weight" in state:
            stride = 2 if k == 0 else 1
            y = F.conv2d(norm(x, f"{at}.bn1"), state[f"{at}.conv1.weight"], padding=1)
            y = F.prelu(norm(y, f"{at}.bn2"), state[f"{at}.prelu.weight"])
            y = norm(F.conv2d(y, state[f"{at}.conv2.weight"], stride=stride, padding=1), f"{at}.bn3")
            if k == 0:
                x = norm(F.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2), f"{at}.downsample.1")
            x, k = x + y, k + 1
    x = norm(x, "bn2").flatten(1)
    return norm(F.linear(x, state["fc.weight"], state["fc.bias"]), "features")


def faces(count=2, size=112, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def landmarks(count=2, scale=1.0, turn=0.0, shift=(0.0, 0.0)):
    """68 points whose five are the template's, scaled, turned and moved; pixel centres at half integers."""
    points = torch.tensor(TEMPLATE) + 0.5
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    five = scale * points @ rotation.T + torch.tensor(shift)
    found = torch.full((68, 2), 1000.0)  # the others do not count
    for rows, point in zip((slice(36, 42), slice(42, 48), 30, 48, 54), five):
        found[rows] = point
    found[[36, 39]] = five[0] + torch.tensor([[3.0, 0.0], [-3.0, 0.0]])  # an eye is the mean of its points
    return found.expand(count, -1, -1)


class TestLayout:
    @pytest.mark.parametrize(
        ("blocks", "millions"), [((2, 2, 2, 2), 24.03), ((3, 4, 14, 3), 43.59), ((3, 13, 30, 3), 65.16)]
    )
    def test_of_the_published_networks(self, blocks, millions):
        with torch.device("meta"):
            network = IResNet(blocks)
        assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == layout(blocks)
        assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.02)

    def test_the_published_operations(self):
        state, images = weights(), faces() * 2 - 1
        network, name = iresnet_of(state, "a test")
        assert name == "r2-1-1-1"
        torch.testing.assert_close(network(images), by_hand(state, images), rtol=1e-4, atol=1e-4)
        assert not network.training
        assert not any(p.requires_grad for p in network.parameters())

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: s.pop("layer3.0.bn2.bias"), "layer3.0.bn2.bias is missing"),
            (lambda s: s.update({"layer2.0.prelu.weight": torch.zeros(1)}), r"prelu.weight must have shape \(6,\)"),
            (lambda s: s.update({"head.weight": torch.zeros(1)}), r"unknown tensors \['head.weight'\]"),
            (lambda s: s.pop("fc.weight"), "no iresnet of arcface_torch: fc.weight missing"),
        ],
    )
    def test_another_network(self, change, message):
        state = weights()
        change(state)
        with pytest.raises(InputError, match=message):
            iresnet_of(state, "a test")


class TestAlignment:
    def test_an_aligned_face_stays(self):
        images = faces()
        torch.testing.assert_close(align_faces(images, landmarks()), images, rtol=0, atol=1e-4)

    def test_a_shift_by_whole_pixels(self):
        images = F.pad(faces(), (5, 11, 9, 7))
        torch.testing.assert_close(align_faces(images, landmarks(shift=(5, 9))), faces(), rtol=0, atol=1e-4)

    def test_a_quarter_turn(self):
        """The picture and its landmarks turned by 90° clockwise about its centre."""
        images = faces()
        turned = torch.rot90(images, -1, (2, 3))
        found = align_faces(turned, landmarks(turn=math.pi / 2, shift=(112.0, 0.0)))
        torch.testing.assert_close(found, images, rtol=0, atol=1e-3)

    def test_twice_the_size(self):
        images = faces()
        large = F.interpolate(images, scale_factor=2, mode="nearest")
        found = align_faces(large, landmarks(scale=2))
        torch.testing.assert_close(found, images, rtol=0, atol=1e-4)

    def test_five_points_that_no_similarity_brings_there(self):
        """Against the least-squares solution of the linear equations, by its residual's gradient."""
        rng = torch.Generator().manual_seed(3)
        given = landmarks(1) + torch.randn(1, 68, 2, generator=rng) * 4
        ramp = torch.stack(torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")[::-1]) + 0.5
        seen = align_faces(torch.cat([ramp, ramp[:1]])[None] / 200, given)[0, :2] * 200  # where each pixel came from
        five, wanted = five_points(given)[0].double(), torch.tensor(TEMPLATE).double() + 0.5
        rows = torch.cat(
            [
                torch.stack([five[:, 0], -five[:, 1], *torch.eye(2)[:, 0].double()[:, None].expand(2, 5)], 1),
                torch.stack([five[:, 1], five[:, 0], *torch.eye(2)[:, 1].double()[:, None].expand(2, 5)], 1),
            ]
        )
        a, b, p, q = torch.linalg.lstsq(rows, torch.cat([wanted[:, 0], wanted[:, 1]])).solution.tolist()
        x, y = seen[:, 50, 60].double().tolist()
        assert (a * x - b * y + p, b * x + a * y + q) == pytest.approx((60.5, 50.5), abs=1e-2)

    def test_landmarks_in_one_place(self):
        with pytest.raises(InputError, match="landmarks of a face coincide"):
            align_faces(faces(), torch.ones(2, 68, 2))


class Template(LandmarkDetector):
    """Finds a face in every picture but dark ones."""

    def detect(self, images, names=None):
        found = images.mean((1, 2, 3)) > 0.2
        return Landmarks(landmarks(len(images)), found, found.to(images.dtype))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("arcface") / "backbone.pth"
    torch.save(weights(), path)
    return path


class TestIdentity:
    def test_embeddings(self, file):
        judge = ArcFaceIdentity(file, sha256=sha256_of(file)[:10])
        assert judge.name == f"arcface_r2-1-1-1_{sha256_of(file)[:8]}"
        wanted = by_hand(weights(), faces() * 2 - 1)
        torch.testing.assert_close(judge(faces(), landmarks()), wanted, rtol=1e-3, atol=1e-3)

    def test_the_frame_does_not_matter(self, file):
        """The same face elsewhere in a larger picture is the same person; another is another."""
        judge = ArcFaceIdentity(file)
        moved, at = F.pad(faces(), (20, 4, 8, 16)), landmarks(shift=(20, 8))
        same = identity_similarity(judge, faces(), moved, first_landmarks=landmarks(), second_landmarks=at)
        assert same == pytest.approx([1, 1], abs=1e-4)
        other = identity_similarity(
            judge, faces(), faces(seed=1) ** 3, first_landmarks=landmarks(), second_landmarks=landmarks()
        )
        assert bool((other < 0.999).all())

    def test_a_data_parallel_prefix(self, file, tmp_path):
        torch.save({f"module.{name}": value for name, value in weights().items()}, tmp_path / "b.pth")
        images = faces(), landmarks()
        torch.testing.assert_close(ArcFaceIdentity(tmp_path / "b.pth")(*images), ArcFaceIdentity(file)(*images))

    def test_half_precision_weights(self, tmp_path):
        state = {name: v.half() if v.is_floating_point() else v for name, v in weights().items()}
        torch.save(state, tmp_path / "half.pth")
        assert ArcFaceIdentity(tmp_path / "half.pth")(faces(), landmarks()).dtype == torch.float32

    def test_by_a_detector(self, file, monkeypatch):
        monkeypatch.setitem(LANDMARK_DETECTORS._module_dict, "TemplateOfTest", Template)  # for this test alone
        judge = ArcFaceIdentity(file, detector={"type": "TemplateOfTest"})
        images = faces()
        images[1] = 0
        found = judge(images)
        torch.testing.assert_close(found[0], ArcFaceIdentity(file)(faces(), landmarks())[0])
        assert bool(found[1].isnan().all())

    def test_without_landmarks(self, file):
        with pytest.raises(InputError, match=r"give their landmarks \(B, 68, 2\), or a detector"):
            ArcFaceIdentity(file)(faces())


class TestBadFiles:
    def test_none(self, tmp_path):
        with pytest.raises(AssetError, match="does not exist; expected the backbone.pth .*RegressorIdentity"):
            ArcFaceIdentity(tmp_path / "no.pth")

    def test_another_file(self, tmp_path):
        torch.save(weights(), tmp_path / "a.pth")
        with pytest.raises(AssetError, match=r"has SHA-256 [0-9a-f]{12}…, expected '0{10}'"):
            ArcFaceIdentity(tmp_path / "a.pth", sha256="0" * 10)

    def test_code_is_refused(self, tmp_path):
        torch.save(nn.Linear(2, 2), tmp_path / "a.pth")
        digest = sha256_of(tmp_path / "a.pth")[:12]
        with pytest.raises(AssetError, match=rf"SHA-256 {digest}…\) is not a readable .* may hold code"):
            ArcFaceIdentity(tmp_path / "a.pth")

    def test_damaged(self, tmp_path):
        torch.save(weights(), tmp_path / "a.pth")
        (tmp_path / "b.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:1000])
        with pytest.raises(AssetError, match="not a readable PyTorch file"):
            ArcFaceIdentity(tmp_path / "b.pth")

    def test_a_training_checkpoint(self, tmp_path):
        torch.save({"epoch": 3, "state_dict_backbone": weights()}, tmp_path / "a.pth")
        with pytest.raises(AssetError, match="holds no state dict of tensors"):
            ArcFaceIdentity(tmp_path / "a.pth")

    def test_another_layout(self, tmp_path):
        torch.save({"stem.weight": torch.zeros(2)}, tmp_path / "a.pth")
        with pytest.raises(AssetError, match="is no iresnet of arcface_torch: conv1.weight"):
            ArcFaceIdentity(tmp_path / "a.pth")
