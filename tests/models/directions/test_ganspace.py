from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.directions import GANSpaceDirections
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.registry import DIRECTION_FINDERS
from faceuv.synthetic import ProceduralGenerator


def codes(linear, samples, seed=0):
    return linear.mapping(linear.sample_latents(samples, generator=torch.Generator().manual_seed(seed)))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return StyleGAN2Generator(16, 24, mapping_depth=2, channels={4: 8, 8: 8, 16: 8})


class TestOnW:
    def test_is_the_full_pca(self, linear, angle):
        found = GANSpaceDirections(components=16, samples=3000, batch=256).find(linear)
        w = codes(linear, 3000).double()
        _, sizes, axes = torch.linalg.svd(w - w.mean(0), full_matrices=False)
        for k, direction in enumerate(found):
            off = angle(direction.vector[0], axes[k])
            assert min(off, 180 - off) < 0.01
            sigma = float(sizes[k]) / math.sqrt(3000)
            assert direction.metadata["variance"] == pytest.approx(sigma**2, rel=1e-4)
            assert direction.scale == pytest.approx(sigma * 2, rel=1e-4)  # √4 rows that move together
        assert sum(d.metadata["share"] for d in found) == pytest.approx(1)

    def test_planted_axes(self, linear, angle):
        found = GANSpaceDirections(components=2, samples=100_000).find(linear)
        for k in range(2):
            off = angle(found[k].vector[0], linear.axes[k])
            assert min(off, 180 - off) < 3  # neighbours are 2.0, 1.9, …: their mixing is the sample's
        assert [d.name for d in found] == ["ganspace0", "ganspace1"]

    def test_layers(self, linear):
        everywhere, coarse = (
            GANSpaceDirections(components=1, samples=2000, layers=layers).find(linear)[0] for layers in (None, [0, 1])
        )
        assert everywhere.layers == (0, 1, 2, 3)
        assert coarse.layers == (0, 1)
        assert torch.allclose(coarse.vector[0], everywhere.vector[0] * math.sqrt(2))
        # a step of σ moves each row by the same, whatever the number of rows
        assert torch.allclose(coarse.vector[0] * coarse.scale, everywhere.vector[0] * everywhere.scale, rtol=1e-4)

    def test_sign_order_and_seed(self, linear):
        first, again, other = (GANSpaceDirections(4, 2000, seed=seed).find(linear) for seed in (1, 1, 2))
        for a, b in zip(first, again):
            assert torch.equal(a.vector, b.vector)
        assert not torch.equal(first[0].vector, other[0].vector)
        variances = [d.metadata["variance"] for d in first]
        assert variances == sorted(variances, reverse=True)
        for d in first:
            assert float(d.vector[0][d.vector[0].abs().argmax()]) > 0

    def test_procedural_generator(self):
        found = DIRECTION_FINDERS.build(dict(type="ganspace", components=3, samples=600)).find(
            ProceduralGenerator(size=32)
        )
        assert len(found) == 3 and found[0].vector.shape == (8, 512)


class TestOnActivations:
    def test_linear_activations_give_their_own_pca_back(self, linear, angle):
        """Features are M·w: regression of w on their components has a closed form."""
        found = GANSpaceDirections(components=5, samples=4000, batch=500, activations="features").find(linear)
        w = codes(linear, 4000).double()
        w = w - w.mean(0)
        features = w @ linear.features.weight.detach().double().T
        _, sizes, axes = torch.linalg.svd(features, full_matrices=False)
        expected = torch.linalg.lstsq(features @ axes[:5].T, w).solution
        for k, direction in enumerate(found):
            off = angle(direction.vector[0], expected[k])
            assert min(off, 180 - off) < 3  # the incremental PCA forgets a little of each batch
            assert direction.metadata["variance"] == pytest.approx(float(sizes[k]) ** 2 / 4000, rel=0.02)
        code = linear.broadcast(w.float())
        for direction in found:
            assert direction.scale == pytest.approx(float(direction.position(code).std()), rel=0.01)

    def test_step_of_the_published_kind(self, linear):
        (found,) = GANSpaceDirections(1, 2000, batch=500, activations="features").find(linear)
        code = linear.broadcast(linear.offset[None])
        moved = linear.features(found.move(code, found.metadata["activation_step"]).mean(1)) - linear.features(
            code.mean(1)
        )
        # one σ of the activations, as far as w can say: all of it, since they are linear in w
        assert float(moved.detach().norm()) == pytest.approx(math.sqrt(found.metadata["variance"]), rel=0.1)

    def test_short_last_batch(self, linear):
        found = GANSpaceDirections(4, 1003, batch=500, activations="features").find(linear)
        assert len(found) == 4

    def test_a_layer_of_stylegan2(self, small):
        finder = GANSpaceDirections(3, 200, batch=100, activations="synthesis.layers.1", layers=[0, 1])
        found, again = finder.find(small), finder.find(small)
        assert all(torch.equal(a.vector, b.vector) for a, b in zip(found, again))
        assert found[0].layers == (0, 1)
        assert not small.synthesis.layers[1]._forward_hooks
        # it changes that layer's activations more than a random direction of the same size does
        code = small.sample_codes(8, generator=torch.Generator().manual_seed(5))
        noise = torch.randn(24, generator=torch.Generator().manual_seed(6))
        other = torch.zeros_like(found[0].vector)
        other[:2] = noise / noise.norm() / math.sqrt(2)

        def change(step):
            features = [list(small.synthesis.iterate(c))[1] for c in (code, code + step)]
            return float((features[1] - features[0]).square().mean())

        with torch.no_grad():
            assert change(found[0].scale * found[0].vector) > 2 * change(found[0].scale * other)

    def test_unknown_layer(self, small):
        with pytest.raises(InputError, match="has no layer 'conv3'; it has synthesis, synthesis.layers"):
            GANSpaceDirections(3, 200, batch=100, activations="conv3").find(small)

    def test_a_layer_that_does_not_speak(self, small):
        with pytest.raises(InputError, match=r"'mapping.layers.0' must give one tensor row per code .* gave nothing"):
            GANSpaceDirections(3, 200, batch=100, activations="mapping.layers.0").find(small)


class TestBadInput:
    def test_more_components_than_width(self, linear):
        with pytest.raises(InputError, match="width 16 have no 17 components"):
            GANSpaceDirections(17, 1000).find(linear)

    def test_codes_that_do_not_vary(self, linear):
        with pytest.raises(InputError, match="w vary in fewer than 2 directions"):
            GANSpaceDirections(2, 100, truncation=0.0).find(linear)

    def test_too_few_samples(self):
        with pytest.raises(InputError, match="samples must be a whole number of at least 40, got 30"):
            GANSpaceDirections(20, 30)

    def test_small_batch(self):
        with pytest.raises(InputError, match="components ≤ batch ≤ samples, got 20, 10 and 1000"):
            GANSpaceDirections(20, 1000, batch=10, activations="features")
