from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from faceuv.models.stylegan2.filters import blur, downsample, upsample
from faceuv.models.stylegan2.layers import EqualizedConv2d, EqualizedLinear, ModulatedConv2d


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def naive(x, *, up=1, pad=(0, 0), down=1, gain=1.0):
    """Zero insertion, padding, filtering and decimation, one step after the other."""
    b, c, h, w = x.shape
    y = x.new_zeros(b, c, h * up, w * up)
    y[:, :, ::up, ::up] = x
    y = F.pad(y, (*pad, *pad))
    row = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype)
    kernel = torch.outer(row, row) / 64 * gain
    out = x.new_zeros(b, c, y.shape[2] - 3, y.shape[3] - 3)
    for i in range(4):
        for j in range(4):
            out += kernel[i, j] * y[:, :, i : i + out.shape[2], j : j + out.shape[3]]
    return out[:, :, ::down, ::down]


class TestFilters:
    def test_values(self):
        x = double(2, 3, 6, 8)
        torch.testing.assert_close(upsample(x), naive(x, up=2, pad=(2, 1), gain=4.0))
        torch.testing.assert_close(downsample(x), naive(x, pad=(1, 1), down=2))
        torch.testing.assert_close(blur(x, padding=2, gain=4.0), naive(x, pad=(2, 2), gain=4.0))

    def test_up_and_down_are_adjoint(self):
        x, y = double(1, 2, 4, 4), double(1, 2, 8, 8)
        assert float((upsample(x) * y).sum()) == pytest.approx(float((x * downsample(y)).sum()) * 4)

    def test_a_constant_stays_constant_inside(self):
        x = torch.full((1, 1, 8, 8), 0.7)
        torch.testing.assert_close(upsample(x)[:, :, 1:-1, 1:-1], torch.full((1, 1, 14, 14), 0.7))
        torch.testing.assert_close(downsample(x)[:, :, 1:-1, 1:-1], torch.full((1, 1, 2, 2), 0.7))

    @pytest.mark.parametrize("operation", [upsample, downsample, lambda x: blur(x, padding=1)])
    def test_gradients(self, operation):
        x = double(1, 2, 4, 4).requires_grad_()
        assert gradcheck(operation, x)
        assert gradgradcheck(operation, x)

    def test_kernels_made_without_gradients_serve_training(self):
        with torch.inference_mode():
            blur(torch.zeros(1, 1, 4, 4), padding=1, gain=1.25)
        x = torch.zeros(1, 1, 4, 4, requires_grad=True)
        blur(x, padding=1, gain=1.25).sum().backward()
        assert x.grad is not None


class TestEqualizedLinear:
    def test_values(self):
        layer = EqualizedLinear(6, 4, rate=0.01, bias=2.0, activate=True).double()
        x = double(3, 6)
        y = x @ layer.weight.T * 0.01 / math.sqrt(6) + 2.0
        torch.testing.assert_close(layer(x), F.leaky_relu(y, 0.2) * math.sqrt(2))

    def test_unit_variance_is_kept(self):
        torch.manual_seed(0)
        y = EqualizedLinear(256, 256)(torch.randn(256, 256))
        assert float(y.detach().std()) == pytest.approx(1, abs=0.05)


class TestEqualizedConv2d:
    @pytest.mark.parametrize(("kernel", "down"), [(1, False), (3, False), (3, True), (1, True)])
    def test_values(self, kernel, down):
        layer = EqualizedConv2d(3, 5, kernel, down=down, gain=0.5).double()
        torch.nn.init.normal_(layer.bias)
        x = double(2, 3, 8, 8)
        if down:
            pad = 1 + kernel // 2
            y = F.conv2d(naive(x, pad=(pad, pad)), layer.weight, stride=2)
        else:
            y = F.conv2d(x, layer.weight, padding=kernel // 2)
        y = y / math.sqrt(3 * kernel**2) + layer.bias[:, None, None]
        torch.testing.assert_close(layer(x), F.leaky_relu(y, 0.2) * math.sqrt(2) * 0.5)

    def test_clamp(self):
        layer = EqualizedConv2d(2, 2, 1, gain=0.5, clamp=3.0)
        assert float(layer(torch.full((1, 2, 4, 4), 1e4)).abs().max()) <= 1.5

    def test_gradients(self):
        layer = EqualizedConv2d(2, 2, 3, down=True).double()
        x = double(1, 2, 4, 4).requires_grad_()
        assert gradcheck(lambda x, w: torch.func.functional_call(layer, {"weight": w}, (x,)), (x, layer.weight))
        assert gradgradcheck(lambda x, w: torch.func.functional_call(layer, {"weight": w}, (x,)), (x, layer.weight))


class TestModulatedConv2d:
    @staticmethod
    def apply(layer, x, style):
        y, demodulation = layer(x, style)
        return y if demodulation is None else y * demodulation[:, :, None, None]

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("demodulate", [False, True])
    def test_is_a_convolution_with_weights_of_each_sample(self, up, demodulate):
        layer = ModulatedConv2d(3, 4, 3, 5, demodulate=demodulate, up=up).double()
        x, style = double(2, 3, 4, 4), double(2, 5)
        result = self.apply(layer, x, style)
        for index in range(2):
            weight = layer.weight / math.sqrt(27) * layer.affine(style)[index][None, :, None, None]
            if demodulate:
                weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
            one = x[index : index + 1]
            if up:
                y = naive(F.conv_transpose2d(one, weight.transpose(0, 1), stride=2), pad=(1, 1), gain=4.0)
            else:
                y = F.conv2d(one, weight, padding=1)
            torch.testing.assert_close(result[index : index + 1], y)

    def test_demodulation_gives_unit_variance(self):
        torch.manual_seed(0)
        layer = ModulatedConv2d(64, 64, 3, 8)
        y = self.apply(layer, torch.randn(4, 64, 16, 16), torch.randn(4, 8) * 5)
        assert float(y[:, :, 1:-1, 1:-1].std()) == pytest.approx(1, abs=0.05)

    @pytest.mark.parametrize("up", [False, True])
    def test_gradients(self, up):
        layer = ModulatedConv2d(2, 2, 3, 3, up=up).double()
        x, style = double(2, 2, 3, 3).requires_grad_(), double(2, 3).requires_grad_()

        def run(x, style, weight, affine):
            y, d = torch.func.functional_call(layer, {"weight": weight, "affine.weight": affine}, (x, style))
            return y * d[:, :, None, None]

        assert gradcheck(run, (x, style, layer.weight, layer.affine.weight))
        assert gradgradcheck(run, (x, style, layer.weight, layer.affine.weight))


def test_a_new_layer_modulates_around_one():
    """Without style weights every input counts once: the convolution is that of its normalised weights."""
    layer = ModulatedConv2d(3, 4, 3, 5)
    with torch.no_grad():
        layer.affine.weight.zero_()
        x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
        y, demodulation = layer(x, torch.randn(2, 5))
        weight = layer.weight / layer.weight.square().sum((1, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(y * demodulation[:, :, None, None], F.conv2d(x, weight, padding=1))
