from __future__ import annotations

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import save_tensors
from faceuv.files.networks import save_network
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor, resample
from faceuv.registry import MODELS
from faceuv.structures import CoefficientLayout

SMALL = {"size": 16, "stem": 4, "channels": (8,), "depths": (2,), "hidden": (4, 16)}


def small(seed=0, **changes):
    torch.manual_seed(seed)
    return CoefficientRegressor(**{**SMALL, **changes})


def trained(seed=0):
    """With weights and statistics that are not those of a new one."""
    regressor = small(seed)
    with torch.no_grad():
        for value in regressor.state_dict().values():
            if value.is_floating_point():
                value.add_(0.1 * torch.rand_like(value))
    return regressor.eval()


class TestNetwork:
    def test_answers_in_coefficients(self):
        found = small().eval()(torch.rand(3, 3, 16, 16))
        assert found.data.shape == (3, 257)
        assert found.layout == CoefficientLayout()

    def test_the_first_answer_is_the_mean(self):
        regressor = small()
        population = torch.randn(50, 257) * 3 + 2
        regressor.set_statistics(population)
        found = regressor.eval()(torch.rand(2, 3, 16, 16)).data
        torch.testing.assert_close(found, population.mean(0).expand(2, -1))
        torch.testing.assert_close(regressor.standardised(population).std(0), torch.ones(257))

    def test_a_coefficient_that_never_changes(self):
        regressor = small()
        regressor.set_statistics(torch.ones(10, 257))
        assert bool(torch.isfinite(regressor.standardised(torch.ones(1, 257))).all())

    def test_an_image_does_not_see_its_batch(self):
        regressor = trained()
        images = torch.rand(4, 3, 16, 16)
        torch.testing.assert_close(regressor(images).data[2:3], regressor(images[2:3]).data, atol=1e-5, rtol=1e-5)

    def test_any_size_shows_the_same(self):
        regressor = trained()
        small_images = torch.rand(2, 3, 16, 16)
        large = small_images.repeat_interleave(4, 2).repeat_interleave(4, 3)
        torch.testing.assert_close(regressor(large).data, regressor(small_images).data, atol=1e-5, rtol=1e-5)

    def test_differentiable_in_the_picture(self):
        images = torch.rand(1, 3, 20, 20, requires_grad=True)
        trained()(images).data.square().sum().backward()
        assert images.grad is not None
        assert float(images.grad.abs().sum()) > 0

    def test_another_layout(self):
        layout = CoefficientLayout(identity=5, expression=6, albedo=7)
        assert small(layout=layout).eval()(torch.rand(1, 3, 16, 16)).layout == layout
        built = MODELS.build({"type": "CoefficientRegressor", **SMALL, "layout": {"identity": 5}})
        assert built.layout == CoefficientLayout(identity=5)

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"images must have shape \(B, 3, S, S\), got \(1, 1, 16, 16\)"):
            small()(torch.rand(1, 1, 16, 16))
        with pytest.raises(InputError, match="floating point"):
            small()(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
        with pytest.raises(InputError, match="2 stages read pictures of side 32, got size=16"):
            small(channels=(8, 8), depths=(1, 1))
        with pytest.raises(InputError, match="as many channels as depths"):
            small(depths=(1, 1))
        with pytest.raises(InputError, match="at least 2 rows"):
            small().set_statistics(torch.zeros(1, 257))


class TestResample:
    @pytest.mark.parametrize("side", [16, 24, 32, 50])
    def test_a_ramp_stays_in_its_place(self, side):
        """Pixel centres (i + ½)/S: a picture that says where it is says the same at any size."""
        ramp = ((torch.arange(side) + 0.5) / side).expand(1, 3, side, side)
        expected = ((torch.arange(16) + 0.5) / 16).expand(1, 3, 16, 16)
        torch.testing.assert_close(resample(ramp, 16)[..., 2:-2], expected[..., 2:-2], atol=3e-3, rtol=0)


class TestFiles:
    def test_there_and_back(self, tmp_path):
        regressor, images = trained(), torch.rand(2, 3, 16, 16)
        path = save_network(tmp_path / "weights.safetensors", regressor, metadata={"data": "noise"})
        loaded = load_regressor(path)
        torch.testing.assert_close(loaded(images).data, regressor(images).data)
        assert not loaded.training
        assert not any(p.requires_grad for p in loaded.parameters())

    def test_half_the_size(self, tmp_path):
        regressor, images = trained(), torch.rand(2, 3, 16, 16)
        full = save_network(tmp_path / "full.safetensors", regressor)
        half = save_network(tmp_path / "half.safetensors", regressor, dtype=torch.float16)
        assert half.stat().st_size < 0.8 * full.stat().st_size
        torch.testing.assert_close(load_regressor(half)(images).data, regressor(images).data, atol=0.02, rtol=0.02)
        assert torch.equal(load_regressor(half).mean, regressor.mean)  # statistics are kept exactly

    def test_bad_files(self, tmp_path):
        regressor = trained()
        with pytest.raises(AssetError, match="expected 'coefficient_regressor'"):
            load_regressor(save_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"kind": "mapper"}))
        settings = {"kind": "coefficient_regressor", "settings": regressor.settings()}
        tensors = {name: value.contiguous() for name, value in regressor.state_dict().items()}
        partial = {name: value for name, value in tensors.items() if name != "mean"}
        with pytest.raises(AssetError, match="the tensor mean is missing"):
            load_regressor(save_tensors(tmp_path / "partial.safetensors", partial, settings))
        wrong = {**tensors, "mean": torch.zeros(3)}
        with pytest.raises(AssetError, match=r"mean must have shape \(257,\), found \(3,\)"):
            load_regressor(save_tensors(tmp_path / "wrong.safetensors", wrong, settings))
        with torch.no_grad():
            regressor.head[-1].bias[0] = float("nan")
        with pytest.raises(AssetError, match=r"not written: head.5.bias holds NaN"):
            save_network(tmp_path / "nan.safetensors", regressor)


def test_scores_are_in_standard_deviations_of_the_population():
    regressor = trained()
    population = torch.randn(60, 257, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.1, 5, 257) + 2
    regressor.set_statistics(population)
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        scores, found = regressor.scores(images), regressor(images).data
    torch.testing.assert_close(found, population.mean(0) + population.std(0) * scores)
    torch.testing.assert_close(regressor.standardised(found), scores, atol=1e-4, rtol=1e-4)
