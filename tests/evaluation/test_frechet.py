from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.evaluation import FrechetDistance, feature_moments, frechet_distance, frechet_distance_of
from faceuv.evaluation.moments import Moments

NETWORK = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 128, "channel_max": 16}
# samples of the first set, of the second, dimensions: full covariances, and singular ones on either side or on both
SHAPES = {
    "full": (300, 260, 40),
    "both singular": (30, 45, 90),
    "one singular": (30, 400, 60),
    "two samples": (2, 2, 8),
}


def exact_gaussian(mean, covariance, count=400, seed=0):
    """Samples (count, C) whose sample mean and covariance are exactly these."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, len(mean), generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    whiten = torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (count - 1)))
    return x @ whiten.T @ torch.linalg.cholesky(covariance).T + mean


def correlated(count, dimensions, seed, shift=0.0):
    """Features (count, C) with covariances that do not commute between seeds and fall over four decades."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, dimensions, generator=generator, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64))[0]
    return x * torch.logspace(0, -2, dimensions, dtype=torch.float64) @ turn + shift


def pair(kind):
    first, second, dimensions = SHAPES[kind]
    return correlated(first, dimensions, 0), correlated(second, dimensions, 1, shift=0.05)


def published_formula(first, second, trace_of_root):
    """The distance as the literature computes it: a matrix square root of the product of the covariances."""
    (mean1, cov1), (mean2, cov2) = ((x.mean(0), np.cov(x, rowvar=False)) for x in (first.numpy(), second.numpy()))
    return np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * trace_of_root(cov1 @ cov2)


class TestDistance:
    def test_of_diagonal_gaussians(self):
        zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
        first = exact_gaussian(zero, torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)))
        second = exact_gaussian(one, torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64)), seed=1)
        # ‖μ‖² = 3, and (σ₁ − σ₂)² = 1, 0, 4
        assert frechet_distance(first, second) == pytest.approx(8.0, rel=1e-9)

    def test_against_scipys_square_root(self):
        first, second = pair("full")
        expected = published_formula(first, second, lambda m: np.trace(scipy.linalg.sqrtm(m)).real)
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("kind", SHAPES)
    def test_against_scipys_eigenvalues(self, kind):
        def trace_of_root(product):
            return np.sqrt(scipy.linalg.eigvals(product).astype(complex)).real.sum()

        first, second = pair(kind)
        expected = published_formula(first, second, trace_of_root)
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("kind", SHAPES)
    def test_against_torch_fidelity(self, kind):
        theirs = pytest.importorskip("torch_fidelity.metric_fid", reason='needs the extra "fid"')
        first, second = pair(kind)
        statistics = [theirs.fid_features_to_statistics(x) for x in (first, second)]
        expected = theirs.fid_statistics_to_metric(*statistics, verbose=False)[theirs.KEY_METRIC_FID]
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("kind", SHAPES)
    def test_against_the_singular_values_of_the_samples(self, kind):
        # Σ₁ = AᵀA and Σ₂ = BᵀB of the centred samples themselves: no square root of a rounded zero anywhere.
        first, second = pair(kind)
        a, b = ((x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (first, second))
        cross = torch.linalg.svdvals(a @ b.T).sum()
        expected = (first.mean(0) - second.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * cross
        assert frechet_distance(first, second) == pytest.approx(float(expected), rel=1e-10)

    def test_of_a_set_with_itself_is_zero(self):
        features = torch.randn(50, 80)  # fewer samples than features: a singular covariance
        assert frechet_distance(features, features) == pytest.approx(0, abs=1e-11)

    def test_is_symmetric(self):
        first, second = pair("one singular")
        assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first), rel=1e-10)

    def test_does_not_mind_dead_features(self):
        first, second = pair("full")
        dead = [torch.cat([x, torch.zeros(len(x), 5, dtype=x.dtype)], 1) for x in (first, second)]
        assert frechet_distance(*dead) == pytest.approx(frechet_distance(first, second), rel=1e-10)

    def test_bad_input(self):
        with pytest.raises(InputError, match="at least two samples, the second set has 1"):
            frechet_distance(torch.zeros(3, 2), torch.zeros(1, 2))
        with pytest.raises(InputError, match=r"second features must have shape \(M, 2\)"):
            frechet_distance(torch.zeros(3, 2), torch.zeros(3, 4))
        with pytest.raises(InputError, match=r"first features hold NaN or infinity in row\(s\) \[1\]"):
            frechet_distance(torch.tensor([[0.0, 1], [float("nan"), 0], [1, 1]]), torch.zeros(3, 2))
        with pytest.raises(InputError, match="second features must be floating point"):
            frechet_distance(torch.zeros(3, 2), torch.zeros(3, 2, dtype=torch.int64))


class TestMoments:
    @settings(deadline=None, max_examples=40)
    @given(
        sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
        dimensions=st.integers(1, 5),
        offset=st.sampled_from([0.0, 1.0, 1e5]),
        seed=st.integers(0, 2**31),
    )
    def test_parts_add_up(self, sizes, dimensions, offset, seed):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(sum(sizes), dimensions, generator=generator, dtype=torch.float64) + offset
        parts = [Moments.of(part) for part in x.split(sizes)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        whole = Moments.of(x)
        assert total.count == whole.count == len(x)
        torch.testing.assert_close(total.mean, whole.mean, rtol=1e-12, atol=1e-12)
        # Σx² − N·μ² would be off by 1e10 · 1e-16 per sample here
        torch.testing.assert_close(total.scatter, whole.scatter, rtol=1e-9, atol=1e-9)

    def test_the_covariance_is_numpys(self):
        x = correlated(50, 7, 0)
        moments = Moments.of(x[:20]) + Moments.of(x[20:])
        np.testing.assert_allclose(moments.covariance.numpy(), np.cov(x.numpy(), rowvar=False), rtol=1e-10, atol=1e-15)
        assert moments.rank == 7
        assert Moments.of(x[:4]).rank == 3

    def test_single_precision_is_summed_in_double(self):
        x = torch.full((1000, 1), 0.1) + 1e4 * torch.arange(1000)[:, None]
        assert Moments.of(x).mean.dtype == torch.float64
        assert float(Moments.of(x).mean) == float(x.double().mean())


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
        name = "frechet_random_discriminator_seed0"
        assert values[0][name] < values[1][name] / 5
        assert values[0][f"{name}_samples"] == 64

    def test_is_the_distance_of_all_features_at_once(self):
        metric = FrechetDistance({"type": "DiscriminatorFeatures", "network": NETWORK})
        generator = torch.Generator().manual_seed(0)
        sides = {side: torch.rand(23, 3, 16, 16, generator=generator) for side in ("real", "fake")}
        for k in range(0, 23, 5):
            metric.process({}, [{side: x[i] for side, x in sides.items()} for i in range(k, min(k + 5, 23))])
        (value, count) = metric.evaluate(23).values()
        expected = frechet_distance(*(metric.features(x) for x in sides.values()))
        assert value == pytest.approx(expected, rel=1e-6)
        assert count == 23


class Channels(torch.nn.Module):
    """Means of the channels."""

    space = "channels"

    def forward(self, images):
        return images.mean((2, 3))


def flat_pictures(count, seed, shift=0.0):
    colours = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift
    return colours[:, :, None, None].expand(-1, -1, 4, 4)


class TestStreams:
    def test_are_what_the_features_are(self):
        first, second = flat_pictures(40, 0), flat_pictures(30, 1, shift=0.3)
        wanted = frechet_distance(first[..., 0, 0], second[..., 0, 0])
        assert wanted > 0.2
        for batch in (1, 7, 40):
            found = frechet_distance_of(iter(first.split(batch)), iter(second.split(batch)), Channels())
            assert found == pytest.approx(wanted, rel=1e-9)

    def test_a_set_that_was_seen_before(self):
        real = feature_moments(iter(flat_pictures(40, 0).split(8)), Channels())
        assert frechet_distance_of(real, flat_pictures(40, 0).split(8), Channels()) == pytest.approx(0, abs=1e-9)
        shifted = flat_pictures(40, 0, shift=0.1).split(8)
        assert frechet_distance_of(real, shifted, Channels()) == pytest.approx(0.03, abs=1e-9)  # 3 · 0.1²

    def test_nothing_came(self):
        with pytest.raises(InputError, match="no images whose features"):
            frechet_distance_of(iter([]), flat_pictures(4, 0).split(2), Channels())

    def test_an_image_that_diverged(self):
        images = flat_pictures(6, 0).clone()
        images[4] = torch.nan
        with pytest.raises(InputError, match=r"features of the images 3 … hold NaN or infinity in row\(s\) \[1\]"):
            feature_moments(images.split(3), Channels())
