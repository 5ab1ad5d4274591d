from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import DiscriminatorFeatures, FrechetDistance, frechet_distance

NETWORK = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 128, "channel_max": 16}


def exact_gaussian(mean, covariance, count=400, seed=0):
    """Samples (count, C) whose sample mean and covariance are exactly these."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, len(mean), generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    whiten = torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (count - 1)))
    return x @ whiten.T @ torch.linalg.cholesky(covariance).T + mean


class TestDistance:
    def test_of_diagonal_gaussians(self):
        zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
        first = exact_gaussian(zero, torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)))
        second = exact_gaussian(one, torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64)), seed=1)
        # ‖μ‖² = 3, and (σ₁ − σ₂)² = 1, 0, 4
        assert frechet_distance(first, second) == pytest.approx(8.0, rel=1e-9)

    def test_of_covariances_that_do_not_commute(self):
        a = torch.tensor([[2.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
        b = torch.tensor([[1.0, -0.6], [-0.6, 3.0]], dtype=torch.float64)
        values = torch.linalg.eigvals(a @ b).real  # of the product itself, by another route
        expected = float(a.trace() + b.trace() - 2 * values.sqrt().sum())
        zero = torch.zeros(2, dtype=torch.float64)
        assert frechet_distance(exact_gaussian(zero, a), exact_gaussian(zero, b, seed=1)) == pytest.approx(expected)

    def test_of_a_set_with_itself_is_zero(self):
        features = torch.randn(50, 80)  # fewer samples than features: a singular covariance
        assert frechet_distance(features, features) == pytest.approx(0, abs=1e-5)

    def test_is_symmetric(self):
        first, second = torch.randn(60, 5), 2 * torch.randn(70, 5) + 1
        assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))

    def test_bad_input(self):
        with pytest.raises(InputError, match="at least two samples, the second set has 1"):
            frechet_distance(torch.zeros(3, 2), torch.zeros(1, 2))
        with pytest.raises(InputError, match=r"second features must have shape \(M, 2\)"):
            frechet_distance(torch.zeros(3, 2), torch.zeros(3, 4))
        with pytest.raises(InputError, match="NaN"):
            frechet_distance(torch.full((3, 2), float("nan")), torch.zeros(3, 2))


class TestFeatures:
    def test_the_seed_is_the_space(self):
        image = torch.rand(2, 3, 16, 16)
        first, again, other = (DiscriminatorFeatures(NETWORK, seed=s)(image) for s in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_the_global_generator_is_left_alone(self):
        before = torch.get_rng_state()
        DiscriminatorFeatures(NETWORK)
        assert torch.equal(before, torch.get_rng_state())

    def test_an_image_does_not_see_its_batch(self):
        features = DiscriminatorFeatures(NETWORK)
        images = torch.rand(4, 3, 16, 16)
        torch.testing.assert_close(features(images)[1:2], features(images[1:2]))

    def test_one_source_of_weights(self):
        with pytest.raises(TypeError, match="network=.* or weights=PATH"):
            DiscriminatorFeatures()


class TestMetric:
    def test_orders_what_is_nearer_first(self):
        generator = torch.Generator().manual_seed(0)
        real = torch.rand(64, 3, 16, 16, generator=generator)
        like = torch.rand(64, 3, 16, 16, generator=generator)
        unlike = like * 0.3
        values = []
        for fake in (like, unlike):
            metric = FrechetDistance({"type": "DiscriminatorFeatures", "network": NETWORK})
            for k in range(0, 64, 16):
                metric.process({}, [{"real": r, "fake": f} for r, f in zip(real[k : k + 16], fake[k : k + 16])])
            values.append(metric.evaluate(64))
        assert values[0]["frechet"] < values[1]["frechet"] / 5
        assert values[0]["frechet_samples"] == 64
