"""Perceptual losses: known values, masks, and the files that LPIPS needs."""

from __future__ import annotations

import functools

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import sha256_of
from faceuv.files.networks import save_network
from faceuv.losses import LPIPS, DiscriminatorPerceptual
from faceuv.losses.perceptual import find_vgg
from faceuv.models.stylegan2 import StyleGAN2Discriminator
from faceuv.registry import LOSSES

NETWORK = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 64, "channel_max": 6}


def pictures(count=2, size=16, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def sides(size=16):
    return {"image": pictures(size=size)}, {"image": pictures(size=size, seed=1)}


class TestDiscriminatorPerceptual:
    def test_values(self):
        loss = LOSSES.build({"type": "DiscriminatorPerceptual", "network": NETWORK, "seed": 3})
        assert loss.space == "random_discriminator_seed3"
        pred, target = sides()
        assert not loss.per_image(pred, pred).any()
        found = loss.per_image(pred, target)
        assert found.shape == (2,)
        torch.testing.assert_close(loss(pred, target), found.mean())
        network = loss.network.network
        expected = torch.zeros(2)
        for a, b in zip(network.features(pred["image"])[:2], network.features(target["image"])[:2]):  # 16² and 8²
            cosine = torch.nn.functional.cosine_similarity(a, b, dim=1)
            expected += (2 - 2 * cosine).mean((1, 2)) / 2
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)

    def test_the_seed_decides(self):
        losses = [DiscriminatorPerceptual(NETWORK, seed=seed)(*sides()) for seed in (0, 0, 1)]
        assert losses[0] == losses[1] != losses[2]

    def test_masks_hide_and_get_no_gradient(self):
        loss = DiscriminatorPerceptual(NETWORK)
        mask = torch.zeros(2, 1, 16, 16)
        mask[..., :8] = 1
        pred, target = sides()
        pred["image"].requires_grad_()
        coverage = torch.ones(2, 1, 16, 16, requires_grad=True)
        value = loss({**pred, "mask": coverage}, {**target, "mask": mask})
        value.backward()
        assert not pred["image"].grad[..., 8:].any()
        assert float(pred["image"].grad[..., :8].abs().max()) > 0
        assert coverage.grad is None
        changed = pred["image"].detach().clone()
        changed[..., 8:] = 0.3
        torch.testing.assert_close(loss({"image": changed, "mask": mask}, target), value.detach())

    def test_the_weights_of_pixels_can_be_left_out(self):
        """``mask="coverage"``: only where the render is, however little a pixel weighs."""
        image, truth = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
        covered = (torch.rand(2, 1, 16, 16) < 0.7).float()
        weights = torch.rand(2, 1, 16, 16)
        network = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 64, "channel_max": 6}
        both, coverage = (DiscriminatorPerceptual(network, mask=mask) for mask in ("weights", "coverage"))
        sides = {"image": image, "mask": covered}, {"image": truth, "mask": weights}
        torch.testing.assert_close(coverage(*sides), coverage.distance(image * covered, truth * covered).mean())
        m = covered * weights
        torch.testing.assert_close(both(*sides), both.distance(image * m, truth * m).mean())
        assert float(both(*sides)) != float(coverage(*sides))
        with pytest.raises(InputError, match="mask must be 'weights' or 'coverage', got 'all'"):
            DiscriminatorPerceptual(network, mask="all")

    def test_nothing_of_it_is_trained_or_saved(self):
        loss = DiscriminatorPerceptual(NETWORK)
        assert not loss.state_dict()
        assert not list(loss.parameters())
        assert loss.double().network.network.score.weight.dtype == torch.float64
        assert not loss.train().network.network.training

    def test_gradients_stay_finite_where_features_vanish(self):
        loss = DiscriminatorPerceptual(NETWORK)
        grey = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)  # raw 0: no bias, no features at all
        loss({"image": grey}, {"image": pictures(1)}).backward()
        assert bool(torch.isfinite(grey.grad).all())

    def test_sources(self, tmp_path):
        torch.manual_seed(0)
        network = StyleGAN2Discriminator(16, channel_base=64, channel_max=6)
        path = save_network(tmp_path / "d.safetensors", network)
        assert DiscriminatorPerceptual(weights=path).space == f"discriminator_{sha256_of(path)[:8]}"
        with pytest.raises(TypeError, match="DiscriminatorPerceptual takes network=.*one of the three"):
            DiscriminatorPerceptual()
        with pytest.raises(AssetError, match="does not exist"):
            DiscriminatorPerceptual(weights=tmp_path / "none.safetensors")


class TestLPIPSFile:
    def test_a_missing_file_names_places_and_source(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
        with pytest.raises(AssetError, match="assets.*data.*hub.*download.pytorch.org.*DiscriminatorPerceptual"):
            LPIPS()
        (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
        file = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
        file.write_bytes(b"half a download")
        assert find_vgg() == file  # what torchvision has fetched before is used
        with pytest.raises(AssetError, match="truncated or another file"):
            LPIPS()

    def test_wrong_contents(self, tmp_path):
        path = tmp_path / "other.pth"
        torch.save({"weight": torch.zeros(2)}, path)
        with pytest.raises(AssetError, match="does not hold a VGG-16"):
            LPIPS(path, sha256=sha256_of(path))
        path.write_bytes(b"not a checkpoint")
        with pytest.raises(AssetError, match="not a readable PyTorch file"):
            LPIPS(path, sha256=sha256_of(path))
        with pytest.raises(AssetError, match="does not exist"):
            LPIPS(tmp_path / "none.pth")


@pytest.fixture(scope="module")
def lpips_loss(tmp_path_factory):
    """LPIPS with a VGG of random weights, as a file of torchvision's; no download can happen."""
    torchvision = pytest.importorskip("torchvision")
    with pytest.MonkeyPatch.context() as patch:
        plain = torchvision.models.vgg16
        patch.setattr(torchvision.models, "vgg16", functools.partial(plain, init_weights=False))
        patch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("a download"))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            features = plain(init_weights=False).features
        state = {f"features.{name}": value.half().float() for name, value in features.state_dict().items()}
        path = tmp_path_factory.mktemp("vgg") / "vgg.pth"
        torch.save(state, path)
        return LPIPS(path, sha256=sha256_of(path)), state


class TestLPIPS:
    def test_the_package_s_own_value(self, lpips_loss):
        loss, state = lpips_loss
        pred, target = sides(32)
        found = loss.per_image(pred, target)
        network = loss.network.network
        with torch.no_grad():
            wanted = network(pred["image"], target["image"], normalize=True).flatten()
        torch.testing.assert_close(found, wanted)
        assert not loss.per_image(pred, pred).any()
        assert torch.equal(network.net.slice5[-2].weight, state["features.28.weight"])

    def test_nothing_of_it_is_saved(self, lpips_loss):
        loss = lpips_loss[0]
        assert not loss.state_dict()
        assert not list(loss.parameters())
        image = pictures(1, 32).requires_grad_()
        loss({"image": image}, {"image": pictures(1, 32, seed=1)}).backward()
        assert bool(torch.isfinite(image.grad).all())
        assert float(image.grad.abs().max()) > 0
