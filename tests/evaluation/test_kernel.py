from __future__ import annotations

import numpy as np
import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import KernelDistance, kernel_distance, kernel_distance_of
from faceuv.evaluation.kernel import squared_mmd

NETWORK = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 128, "channel_max": 16}
FEATURES = {"type": "DiscriminatorFeatures", "network": NETWORK}
NAME = "kernel_random_discriminator_seed0"


def features(count, dimensions=6, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64) + shift


def pair_by_pair(x, y):
    """The definition: means of k over the pairs of different samples, in three double loops."""

    def k(a, b):
        return (float(np.dot(a, b)) / len(a) + 1) ** 3

    def within(z):
        return np.mean([k(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j])

    x, y = x.numpy(), y.numpy()
    return within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])


class TestSquaredMMD:
    def test_known_answer(self):
        # k = 8 between ones, 1 between a one and a zero, 1 between zeros
        one, zero = torch.ones(3, 1, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
        assert float(squared_mmd(one, zero)) == pytest.approx(8 + 1 - 2)

    def test_is_its_definition(self):
        first, second = features(9), features(7, seed=1, shift=0.4)
        assert float(squared_mmd(first, second)) == pytest.approx(pair_by_pair(first, second), rel=1e-12)

    def test_has_no_bias(self):
        values = torch.stack([squared_mmd(features(12, seed=2 * k), features(15, seed=2 * k + 1)) for k in range(400)])
        assert abs(float(values.mean())) < 3 * float(values.std()) / 20
        assert float(values.min()) < 0


class TestDistance:
    def test_against_torch_fidelity(self):
        theirs = pytest.importorskip("torch_fidelity.metric_kid", reason='needs the extra "fid"')
        first, second = features(80, 32), features(80, 32, seed=1, shift=0.1)
        expected = theirs.kid_features_to_metric(first, second, kid_subsets=2, kid_subset_size=80, verbose=False)
        mean, deviation = kernel_distance(first, second, subsets=2, subset_size=80)  # the whole sets, in some order
        assert mean == pytest.approx(expected[theirs.KEY_METRIC_KID_MEAN], rel=1e-9)
        assert deviation == pytest.approx(expected[theirs.KEY_METRIC_KID_STD], abs=1e-12)

    def test_subsets_scatter_as_torch_fidelitys_do(self):
        theirs = pytest.importorskip("torch_fidelity.metric_kid", reason='needs the extra "fid"')
        first, second = features(300, 8), features(200, 8, seed=1, shift=0.2)
        drawn = {"kid_subsets": 300, "kid_subset_size": 40}
        expected = theirs.kid_features_to_metric(first, second, **drawn, verbose=False, rng_seed=1)
        mean, deviation = kernel_distance(first, second, subsets=300, subset_size=40)
        spread = expected[theirs.KEY_METRIC_KID_STD]
        assert deviation == pytest.approx(spread, rel=0.2)
        assert mean == pytest.approx(expected[theirs.KEY_METRIC_KID_MEAN], abs=4 * spread / 300**0.5)

    def test_subsets_estimate_the_whole(self):
        first, second = features(300), features(200, seed=1, shift=0.5)
        mean, deviation = kernel_distance(first, second, subsets=200, subset_size=50)
        assert deviation > 0
        assert mean == pytest.approx(float(squared_mmd(first, second)), abs=4 * deviation / 200**0.5)

    def test_the_seed_decides(self):
        first, second = features(50), features(50, seed=1)
        runs = [kernel_distance(first, second, subsets=3, subset_size=10, seed=seed) for seed in (1, 1, 2)]
        assert runs[0] == runs[1] != runs[2]

    def test_the_global_generator_is_left_alone(self):
        before = torch.get_rng_state()
        kernel_distance(features(9), features(9), subsets=1, subset_size=4)
        assert torch.equal(before, torch.get_rng_state())

    def test_bad_input(self):
        with pytest.raises(InputError, match="subsets of 1000 samples cannot be drawn from 5"):
            kernel_distance(features(5), features(2000))
        with pytest.raises(InputError, match="subset_size ≥ 2, got 1 and 1"):
            kernel_distance(features(5), features(5), subsets=1, subset_size=1)
        with pytest.raises(InputError, match=r"second features must have shape \(M, 6\)"):
            kernel_distance(features(5), features(5, 7), subset_size=2)


def test_streams_of_images_are_what_their_features_are():
    class Channels(torch.nn.Module):
        def forward(self, images):
            return images.mean((2, 3))

    first, second = features(30, 3), features(25, 3, seed=1, shift=0.5)
    images = [side[:, :, None, None].expand(-1, -1, 4, 4) for side in (first, second)]
    settings = {"subsets": 4, "subset_size": 10}
    found = kernel_distance_of(images[0].split(7), iter(images[1].split(25)), Channels(), **settings)
    assert found == pytest.approx(kernel_distance(first, second, **settings), rel=1e-6)
    assert found[0] > 0.1


def evaluated(count=12, batch=5, **settings):
    metric = KernelDistance(FEATURES, **{"subsets": 4, "subset_size": 6, **settings})
    generator = torch.Generator().manual_seed(0)
    sides = {side: torch.rand(count, 3, 16, 16, generator=generator) for side in ("real", "fake")}
    for k in range(0, count, batch):
        metric.process({}, [{side: x[i] for side, x in sides.items()} for i in range(k, min(k + batch, count))])
    return metric.evaluate(count), [metric.features(x) for x in sides.values()]


class TestMetric:
    def test_is_the_distance_of_all_features_at_once(self):
        results, sides = evaluated(seed=3)
        mean, deviation = kernel_distance(*sides, subsets=4, subset_size=6, seed=3)
        assert results == pytest.approx({NAME: mean, f"{NAME}_std": deviation, f"{NAME}_samples": 12}, rel=1e-5)

    def test_what_is_beyond_the_limit_is_left_out_and_said(self, monkeypatch):
        said = []
        monkeypatch.setattr("faceuv.evaluation.kernel.print_log", lambda message, **_: said.append(message))
        results, sides = evaluated(limit=8)
        mean, _ = kernel_distance(*(side[:8] for side in sides), subsets=4, subset_size=6)
        assert results[NAME] == pytest.approx(mean, rel=1e-5)
        assert results[f"{NAME}_samples"] == 8
        assert said == [f"{NAME} rests on the first 8 of 12 samples (KernelDistance, limit=8)"]

    def test_memory_is_bounded(self):
        metric = KernelDistance(FEATURES, subset_size=2, limit=4)
        kept = None
        for _ in range(5):
            kept = metric.add(kept, torch.zeros(3, 7))
        assert sum(map(len, kept)) == 4

    def test_bad_settings(self):
        with pytest.raises(InputError, match="limit must be at least subset_size, got 10 and 1000"):
            KernelDistance(FEATURES, limit=10)
        with pytest.raises(InputError, match="subsets must be ≥ 1"):
            KernelDistance(FEATURES, subsets=0)
