"""StyleGAN2 the straightforward way, on the weights of ours: what its speed is compared with.

As in the paper: every sample has its own modulated weights in one grouped convolution, and filters run channel by
channel over explicitly padded, zero-stuffed pictures. The results are those of ours up to rounding.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from faceuv.models.stylegan2.discriminator import HALF, DiscriminatorBlock, minibatch_deviation
from faceuv.models.stylegan2.filters import TAPS
from faceuv.models.stylegan2.layers import ACTIVATION_GAIN, SLOPE, EqualizedConv2d, ModulatedConv2d


def fir(x: Tensor, pad: tuple[int, int], *, up: int = 1, down: int = 1, gain: float = 1.0) -> Tensor:
    """``x (B, C, H, W)`` with ``up − 1`` zeros between pixels, padded, filtered with [1, 3, 3, 1] both ways, every
    ``down``-th pixel."""
    batch, channels, height, width = x.shape
    if up > 1:
        x = F.pad(x.reshape(batch, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(batch, channels, height * up, width * up)
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1])).reshape(batch * channels, 1, *_padded(height, width, up, pad))
    row = torch.tensor(TAPS, device=x.device, dtype=x.dtype) / sum(TAPS)
    y = F.conv2d(x, (torch.outer(row, row) * gain)[None, None])[..., ::down, ::down]
    return y.reshape(batch, channels, *y.shape[2:])


def _padded(height: int, width: int, up: int, pad: tuple[int, int]) -> tuple[int, int]:
    return height * up + sum(pad), width * up + sum(pad)


def modulated(layer: ModulatedConv2d, x: Tensor, style: Tensor) -> Tensor:
    """A convolution with weights of its own for every sample."""
    batch, inputs, height, width = x.shape
    scale = layer.affine(style)
    weight = layer.weight[None] * (scale[:, None, :, None, None] / math.sqrt(layer.weight[0].numel()))
    if layer.demodulate:
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    outputs, kernel = weight.shape[1], weight.shape[3]
    x = x.reshape(1, batch * inputs, height, width)
    if layer.up:
        grouped = weight.transpose(1, 2).reshape(batch * inputs, outputs, kernel, kernel)
        y = F.conv_transpose2d(x, grouped, stride=2, groups=batch)
        return fir(y.reshape(batch, outputs, *y.shape[2:]), (1, 1), gain=4.0)
    y = F.conv2d(x, weight.reshape(batch * outputs, inputs, kernel, kernel), padding=kernel // 2, groups=batch)
    return y.reshape(batch, outputs, *y.shape[2:])


class ReferenceSynthesis(nn.Module):
    """``code (B, L, D)`` → image ``(B, 3, S, S)`` in [0, 1], without noise."""

    def __init__(self, generator: StyleGAN2Generator) -> None:
        super().__init__()
        self.network = generator.synthesis

    def forward(self, code: Tensor) -> Tensor:
        network, head = self.network, self.network.head
        x = network.constant.expand(len(code), -1, -1, -1)
        picture: Tensor | None = None
        for row, layer in enumerate(network.styled):
            x = modulated(layer.conv, x, code[:, row]) + layer.bias[None, :, None, None]
            x = F.leaky_relu(x, SLOPE) * ACTIVATION_GAIN
            if row % 2 == 0:
                colour = head.layers[row // 2]
                assert isinstance(colour, ModulatedConv2d)
                update = modulated(colour, x, code[:, row + 1]) + head.biases[row // 2][None, :, None, None]
                picture = update if picture is None else fir(picture, (2, 1), up=2, gain=4.0) + update
        assert picture is not None
        return picture * 0.5 + 0.5


class ReferenceDiscriminator(nn.Module):
    """Image ``(B, 3, S, S)`` in [0, 1] → scores ``(B, 1)``."""

    def __init__(self, discriminator: StyleGAN2Discriminator) -> None:
        super().__init__()
        self.network = discriminator

    def forward(self, image: Tensor) -> Tensor:
        network = self.network
        x = _conv(network.from_rgb, image * 2 - 1)
        for block in network.blocks:
            assert isinstance(block, DiscriminatorBlock)
            x = (_conv(block.shrink, _conv(block.conv, x)) + _conv(block.skip, x)) * HALF
        x = minibatch_deviation(x, network.group)
        scores: Tensor = network.score(network.final_linear(_conv(network.final_conv, x).flatten(1)))
        return scores


def _conv(layer: EqualizedConv2d, x: Tensor) -> Tensor:
    kernel = layer.weight.shape[2]
    weight = layer.weight / math.sqrt(layer.weight[0].numel())
    if layer.down:
        pad = 1 + kernel // 2
        x = fir(x, (pad, pad), down=2 if kernel == 1 else 1)
        x = F.conv2d(x, weight, layer.bias, stride=1 if kernel == 1 else 2)
    else:
        x = F.conv2d(x, weight, layer.bias, padding=kernel // 2)
    return F.leaky_relu(x, SLOPE) * ACTIVATION_GAIN if layer.activate else x
