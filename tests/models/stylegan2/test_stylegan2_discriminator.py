from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.stylegan2 import StyleGAN2Discriminator
from faceuv.models.stylegan2.discriminator import DiscriminatorBlock, minibatch_deviation
from faceuv.models.stylegan2.layers import EqualizedConv2d
from faceuv.registry import MODELS


class TestMinibatchDeviation:
    def test_values(self):
        x = torch.randn(8, 3, 4, 4, dtype=torch.float64)
        y = minibatch_deviation(x, 4)
        assert y.shape == (8, 4, 4, 4)
        for index in range(8):
            group = x[index % 2 :: 2]
            expected = (group.var(0, unbiased=False) + 1e-8).sqrt().mean()
            torch.testing.assert_close(y[index, 3], expected.expand(4, 4))

    @pytest.mark.parametrize(("batch", "group", "used"), [(6, 4, 3), (2, 4, 2), (5, 4, 1), (6, None, 6)])
    def test_group_divides_the_batch(self, batch, group, used):
        x = torch.randn(batch, 2, 4, 4)
        torch.testing.assert_close(minibatch_deviation(x, group), minibatch_deviation(x, used))

    def test_equal_images_have_none(self):
        assert float(minibatch_deviation(torch.ones(4, 2, 4, 4), 4)[:, 2].abs().max()) < 1e-3


class TestDiscriminator:
    def test_shapes(self, small_discriminator):
        image = torch.rand(4, 3, 16, 16)
        assert small_discriminator(image).shape == (4, 1)
        assert [tuple(f.shape) for f in small_discriminator.features(image)] == [(4, 8, r, r) for r in (16, 8, 4)]

    def test_raw(self, small_discriminator):
        image = torch.rand(4, 3, 16, 16)
        torch.testing.assert_close(small_discriminator(image), small_discriminator(image * 2 - 1, raw=True))

    def test_scores_of_a_group_of_one_do_not_depend_on_the_batch(self):
        torch.manual_seed(0)
        d = StyleGAN2Discriminator(8, channel_base=32, group=1)
        image = torch.rand(3, 3, 8, 8)
        torch.testing.assert_close(d(image)[1:2], d(image[1:2]), atol=1e-5, rtol=1e-4)

    def test_r1_penalty_has_gradients_that_finite_differences_confirm(self):
        torch.manual_seed(0)
        d = StyleGAN2Discriminator(8, channels={4: 3, 8: 2}).double()
        image = torch.rand(2, 3, 8, 8, dtype=torch.float64)

        def penalty():
            x = image.clone().requires_grad_()
            (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
            return slope.square().sum((1, 2, 3)).mean()

        penalty().backward()
        for weight in (d.blocks[0].shrink.weight, d.from_rgb.weight, d.final_linear.weight, d.blocks[0].skip.weight):
            step = torch.zeros_like(weight).flatten()
            step[1] = 1e-6
            with torch.no_grad():
                weight += step.view_as(weight)
            up = penalty().detach()
            with torch.no_grad():
                weight -= 2 * step.view_as(weight)
            down = penalty().detach()
            with torch.no_grad():
                weight += step.view_as(weight)
            assert float((up - down) / 2e-6) == pytest.approx(float(weight.grad.flatten()[1]), rel=1e-4, abs=1e-9)

    def test_r1_in_image_units_is_four_times_the_papers(self, small_discriminator):
        def penalty(image, raw):
            x = image.requires_grad_()
            (slope,) = torch.autograd.grad(small_discriminator(x, raw=raw).sum(), x)
            return float(slope.square().sum())

        image = torch.rand(2, 3, 16, 16)
        assert penalty(image.clone(), False) == pytest.approx(4 * penalty(image * 2 - 1, True), rel=1e-4)

    def test_bfloat16(self, small_discriminator):
        image = torch.rand(4, 3, 16, 16, requires_grad=True)
        exact = small_discriminator(image).detach()
        with torch.autocast("cpu", torch.bfloat16):
            scores = small_discriminator(image)
            (slope,) = torch.autograd.grad(scores.sum(), image, create_graph=True)
        slope.square().sum().backward()
        assert scores.dtype == torch.float32
        assert float((scores.detach() - exact).abs().max()) < 0.05
        assert all(p.grad is not None for n, p in small_discriminator.named_parameters() if "bias" not in n)

    @pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 16, 16), (3, 16, 16)])
    def test_wrong_images(self, small_discriminator, shape):
        with pytest.raises(InputError, match=r"images must have shape \(B, 3, 16, 16\)"):
            small_discriminator(torch.zeros(shape))

    def test_wrong_dtype_and_group(self, small_discriminator):
        with pytest.raises(InputError, match="floating point"):
            small_discriminator(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
        with pytest.raises(InputError, match="group must be"):
            StyleGAN2Discriminator(16, group=0)


def test_is_a_registered_model():
    built = MODELS.build(dict(type="StyleGAN2Discriminator", size=8, channel_base=32))
    assert isinstance(built, StyleGAN2Discriminator)
    rebuilt = StyleGAN2Discriminator(**built.settings())
    rebuilt.load_state_dict(built.state_dict())


def test_a_block_keeps_the_variance_of_its_two_paths():
    block, x = DiscriminatorBlock(3, 4), torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    shrink = EqualizedConv2d(3, 4, 3, down=True)
    skip = EqualizedConv2d(3, 4, 1, down=True, bias=False, activate=False)
    shrink.load_state_dict(block.shrink.state_dict())
    skip.load_state_dict(block.skip.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(block(x), (shrink(block.conv(x)) + skip(x)) / 2**0.5)
