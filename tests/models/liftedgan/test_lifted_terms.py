"""The terms of the objective: values worked out by hand, gradients, and inputs that cannot be."""

import math

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.files.artefacts import sha256_of
from faceuv.models.liftedgan import (
    AlbedoRank,
    CodePrior,
    IdentityDistance,
    ImageDistance,
    LiftedImages,
    SquaredDifference,
    VGGMaps,
    ViewRange,
)
from faceuv.models.liftedgan.objective import Perturbation
from faceuv.registry import LOSSES, MODELS


@MODELS.register_module(name="mean_colour_of_lifted_tests", force=True)
class MeanColour(nn.Module):
    """The mean colour of an image, as an embedder."""

    def forward(self, images):
        return images.mean((2, 3))


class TestTerms:
    def test_prior(self):
        code, mean = torch.tensor([[1.0, 3.0], [1.0, 1.0]]), torch.tensor([1.0, 1.0])
        found = CodePrior()({"code": code}, {"mean": mean, "deviation": torch.tensor(0.5)})
        assert math.isclose(float(found), 4 / 4 * 0.5 / 0.25)

    def test_columns(self):
        pred, target = {"view": torch.tensor([[1.0, 2.0, 0.0, 9.0]])}, {"view": torch.zeros(1, 4)}
        assert float(SquaredDifference("view", columns=3)(pred, target)) == pytest.approx(5 / 3)
        assert float(SquaredDifference("view")(pred, target)) == pytest.approx(86 / 4)

    def test_identity_counts_small_yaws_only(self):
        red, green = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
        red[:, 0], green[:, 1] = 0.5, 0.2
        image = torch.stack([red[0], green[0]]).requires_grad_()
        loss = LOSSES.build(dict(type="IdentityDistance", features="mean_colour_of_lifted_tests", max_yaw_deg=25.0))
        yaw = torch.tensor([0.5, 0.4])  # 29°, 23°
        found = loss({"image": image, "yaw": yaw}, {"image": red})
        assert float(found.detach()) == pytest.approx(2.0)  # of orthogonal unit vectors; the same colour would give 0
        found.backward()
        assert image.grad[0].abs().sum() == 0 and image.grad[1].abs().sum() > 0
        assert isinstance(loss, IdentityDistance)
        assert float(loss({"image": image, "yaw": torch.tensor([0.5, -0.6])}, {"image": red})) == 0

    def test_the_rank_of_albedos(self):
        rng = torch.Generator().manual_seed(0)
        one = torch.rand(1, 3, 16, 16, generator=rng)
        inside = torch.ones(4, 16, 16)
        loss = AlbedoRank(pool=2)
        alike = loss({"albedo": one.expand(4, -1, -1, -1), "foreground": inside}, {})
        other = loss({"albedo": torch.rand(4, 3, 16, 16, generator=rng), "foreground": inside}, {})
        single = loss({"albedo": one, "foreground": inside[:1]}, {})
        assert float(alike) == pytest.approx(2 * float(single), rel=1e-2)  # √4 times one row
        assert other > 1.5 * alike  # four different rows
        assert float(loss({"albedo": one, "foreground": 0 * inside[:1]}, {})) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("kind", ["gaussian", "laplacian"])
    @pytest.mark.parametrize("batch", [1, 3])
    def test_a_constant_albedo_has_a_finite_gradient(self, kind, batch):
        albedo = torch.full((batch, 3, 16, 16), 0.4, requires_grad=True)
        value = AlbedoRank(kind)({"albedo": albedo, "foreground": torch.ones(batch, 16, 16)}, {})
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(albedo.grad).all() and albedo.grad.abs().max() < 1e-2

    def test_gradcheck(self):
        rng = torch.Generator().manual_seed(0)
        albedo = torch.rand(2, 3, 32, 32, generator=rng, dtype=torch.float64, requires_grad=True)
        inside = torch.ones(2, 32, 32, dtype=torch.float64)
        for kind in ("gaussian", "laplacian"):
            loss = AlbedoRank(kind, pool=2)
            # the singular values are computed in 32 bits
            (found,) = torch.autograd.grad(loss({"albedo": albedo, "foreground": inside}, {}), albedo)
            step = torch.randn(albedo.shape, generator=rng, dtype=torch.float64)
            ends = [loss({"albedo": albedo + sign * 1e-3 * step, "foreground": inside}, {}) for sign in (1, -1)]
            assert float((ends[0] - ends[1]) / 2e-3) == pytest.approx(float((found * step).sum()), rel=1e-2)

    @pytest.mark.parametrize(
        ("config", "text"),
        [
            (dict(type="LiftedImages", pair="mirror"), "pairs rec, flip"),
            (dict(type="AlbedoRank", kind="sobel"), "gaussian"),
            (dict(type="AlbedoRank", pool=0), "pool"),
        ],
    )
    def test_settings(self, config, text):
        with pytest.raises(InputError, match=text):
            LOSSES.build(config)
        assert LiftedImages("rec").pair == "rec"


class TestDistance:
    def test_the_mean_difference_under_a_mask(self):
        a, b = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
        a[:, :, :4] = 0.5
        a[1] += 0.1
        mask = torch.zeros(2, 1, 8, 8)
        mask[:, :, :2] = 1
        distance = ImageDistance()
        assert torch.allclose(distance(distance.seen(a), distance.seen(b)), torch.tensor([0.25, 0.35]))
        assert torch.allclose(distance(distance.seen(a), distance.seen(b), mask), torch.tensor([0.5, 0.6]))
        assert torch.equal(distance(distance.seen(a), distance.seen(b), 0 * mask), torch.zeros(2))

    def test_rows_of_a_batch_are_those_of_its_parts(self):
        network = dict(type="StyleGAN2Discriminator", size=16, channel_base=64, channel_max=8)
        distance = ImageDistance(perceptual=dict(type="DiscriminatorMaps", network=network))
        images = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        first, second = distance.seen(images).chunk(2)
        apart = distance(distance.seen(images[:3]), distance.seen(images[3:]))
        assert torch.allclose(distance(first, second), apart, atol=1e-5)
        assert distance(first, first).abs().max() == 0 and (apart > 0).all()

    def test_vgg_of_a_file(self, tmp_path):
        """Random weights in torchvision's layout; the layers are those of torchvision's own network."""
        torchvision = pytest.importorskip("torchvision")
        torch.manual_seed(0)
        whole = torchvision.models.vgg16(weights=None, init_weights=False)
        path = tmp_path / "vgg.pth"
        torch.save({k: v for k, v in whole.state_dict().items() if k.startswith("features")}, path)
        maps = VGGMaps(path, sha256=sha256_of(path), scales=2)
        image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        found = maps(image)
        assert [x.shape[1] for x in found] == [128, 256, 512] * 2 and found[3].shape[-1] == 8
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = whole.features[:16]((image - mean[:, None, None]) / deviation[:, None, None])  # relu3_3
        assert torch.allclose(found[1], x / x.norm(dim=1, keepdim=True).clamp_min(1e-8), atol=1e-5)


class TestPerturbation:
    def test_views_lie_in_the_range(self):
        view = Perturbation().view(4000, ViewRange(), torch.Generator().manual_seed(0))
        degrees = view[:, :3] * 60
        assert 44 < degrees[:, 1].abs().max() <= 45 and 14.5 < degrees[:, 0].abs().max() <= 15
        assert (view[:, [2, 4, 5]] == 0).all()
        assert torch.allclose(view[:, 3], -0.2 * (degrees[:, 1].deg2rad()).sin(), atol=1e-6)

    def test_a_zoom_brings_turned_faces_nearer(self):
        """Toward +z, where the camera is, and not at all from the front."""
        views = ViewRange(translation=(1.0, 1.0, 1.0))
        view = Perturbation(zoom=2.0).view(200, views, torch.Generator().manual_seed(0))
        rotation, translation = views.pose(view)
        assert torch.allclose(translation[:, 2], 2 * (1 - rotation[:, 1].cos()), atol=1e-6)
        assert translation[:, 2].max() > 0.5

    def test_lights_are_shuffled_in_two_parts(self):
        light = torch.arange(8.0)[:, None] + torch.tensor([0.0, 0.1, 0.2, 0.3])
        mixed = Perturbation.light(light, torch.Generator().manual_seed(0))
        for columns in (slice(0, 2), slice(2, 4)):
            rows = mixed[:, columns].floor()[:, 0]
            assert sorted(rows.tolist()) == list(range(8)) and not torch.equal(rows, torch.arange(8.0))
        assert not torch.equal(mixed[:, 0].floor(), mixed[:, 2].floor())

    def test_yaw_beyond_90(self):
        with pytest.raises(InputError, match="90"):
            Perturbation(yaw_deg=100)
