"""The layers of StyleGAN2: equalised linear and convolution, modulated convolution.

Equalised: the stored weight has unit variance and is scaled where it is used, so that Adam moves all layers alike.
Gains of the activation are folded into weights and biases (leaky ReLU commutes with a positive factor), which saves
passes over the activations and changes nothing else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.models.base.weights import normal
from faceuv.models.stylegan2.convolution import convolve
from faceuv.models.stylegan2.filters import blur, downsample

SLOPE = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)  # restores the variance that leaky ReLU takes away


def full_precision(x: Tensor) -> torch.autocast:
    """A context without autocast: styles, colours and statistics are kept in the precision of the parameters."""
    return torch.autocast(x.device.type, enabled=False)


def working_format(x: Tensor) -> Tensor:
    """``x (B, C, H, W)`` in the memory layout that the convolutions run fastest in.

    Channels-last on CPUs, and on GPUs in half precision (tensor cores); later layers inherit the layout.
    """
    half = torch.is_autocast_enabled(x.device.type) or x.dtype in (torch.bfloat16, torch.float16)
    if x.device.type == "cpu" or half:
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous()


def limit(x: Tensor, clamp: float | None, gain: float = 1.0) -> Tensor:
    """Clamp to ±``clamp``·``gain`` (networks trained in float16 have such a limit; ``None``: there is none)."""
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


class EqualizedLinear(nn.Module):
    """``x (…, in)`` → ``(…, out)``: ``act(x·Wᵀ/√in·rate + b·rate)``.

    Args:
        rate: learning-rate multiplier; the stored parameters are larger by its inverse.
        bias: initial value of the (effective) bias.
        activate: leaky ReLU of slope 0.2 and gain √2.
    """

    def __init__(self, inputs: int, outputs: int, *, rate: float = 1.0, bias: float = 0.0, activate: bool = False):
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, over=rate))
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.rate = rate
        self.activate = activate

    def scaled_weight(self) -> Tensor:
        """The matrix ``(out, in)`` that multiplies the input."""
        return self.weight * (self.rate / math.sqrt(self.weight.shape[1]))

    def forward(self, x: Tensor) -> Tensor:
        gain = ACTIVATION_GAIN if self.activate else 1.0
        weight = self.weight * (self.rate * gain / math.sqrt(self.weight.shape[1]))
        y = F.linear(x, weight, self.bias * (self.rate * gain))
        return F.leaky_relu(y, SLOPE) if self.activate else y

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, rate={self.rate}, activate={self.activate}"


class EqualizedConv2d(nn.Module):
    """``(B, in, H, W)`` → ``(B, out, H, W)``, or half the size with ``down``; leaky ReLU of gain √2 if ``activate``.

    Args:
        gain: a further factor on the output, e.g. √½ in a residual sum.
        clamp: limit of the activations, see :func:`limit`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        down: bool = False,
        bias: bool = True,
        activate: bool = True,
        gain: float = 1.0,
        clamp: float | None = None,
    ):
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.down = down
        self.activate = activate
        self.gain = gain
        self.clamp = clamp

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[2]
        gain = self.gain * (ACTIVATION_GAIN if self.activate else 1.0)
        weight = self.weight * (gain / math.sqrt(self.weight[0].numel()))
        bias = None if self.bias is None else self.bias * gain
        if not self.down:
            y = convolve(x, weight, bias, padding=kernel // 2)
        elif kernel == 1:  # reads only every second pixel, so only those are filtered
            y = convolve(downsample(x), weight, bias)
        else:
            y = convolve(blur(x, padding=1 + kernel // 2), weight, bias, stride=2)
        if self.activate:
            y = F.leaky_relu_(y, SLOPE)
        return limit(y, self.clamp, self.gain)

    def extra_repr(self) -> str:
        outputs, inputs, kernel, _ = self.weight.shape
        return f"{inputs}, {outputs}, {kernel}, down={self.down}, activate={self.activate}"


class ModulatedConv2d(nn.Module):
    """A convolution whose weights ``W[o, i]·s[b, i]`` are scaled by a style per sample, and normalised per output.

    ``x (B, in, H, W)``, ``style (B, D)`` → ``(B, out, H, W)``, twice the size with ``up``.

    Scaling the weights of each sample needs a grouped convolution. Scaling the input by ``s`` and the output by the
    demodulation ``d[b, o] = (Σ (W[o, i]·s[b, i])² + 1e-8)^-½`` is the same function with one shared convolution, which
    CPUs run several times faster.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, code_dim: int, *, demodulate: bool = True, up: bool = False
    ):
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, kernel, kernel))
        self.affine = EqualizedLinear(code_dim, inputs, bias=1.0)
        self.demodulate = demodulate
        self.up = up

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor | None]:
        """The convolution of the scaled input, and the factor ``(B, out)`` that its output must still be multiplied
        with (``None`` without demodulation): the caller folds it into its own scaling."""
        weight = self.weight * (1 / math.sqrt(self.weight[0].numel()))
        with full_precision(x):
            scale = self.affine(style.to(self.affine.weight.dtype))
            demodulation = None
            if self.demodulate:
                energy = weight.square().sum((2, 3))
                demodulation = torch.rsqrt(scale.square() @ energy.T + 1e-8)
        x = x * scale.to(x.dtype)[:, :, None, None]
        if self.up:
            y = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            y = blur(y, padding=1, gain=4.0)
        else:
            y = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        return y, demodulation

    def extra_repr(self) -> str:
        outputs, inputs, kernel, _ = self.weight.shape
        return f"{inputs}, {outputs}, {kernel}, demodulate={self.demodulate}, up={self.up}"
