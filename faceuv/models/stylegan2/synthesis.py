"""The synthesis network of StyleGAN2, skip architecture: code → image, with the features of every layer at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.weights import normal
from faceuv.models.stylegan2.channels import channel_table, resolutions, style_layers
from faceuv.models.stylegan2.filters import upsample
from faceuv.models.stylegan2.layers import (
    ACTIVATION_GAIN,
    SLOPE,
    ModulatedConv2d,
    full_precision,
    limit,
    working_format,
)

Noise = Literal["fixed", "random", "none"] | Sequence[Tensor]


class SynthesisOutput(NamedTuple):
    """An image ``(B, 3, S, S)`` and the activations of the L − 1 styled convolutions ``(B, C, R, R)``, coarse to fine;
    ``features[i]`` is the output of the layer that reads row ``i`` of the code."""

    image: Tensor
    features: tuple[Tensor, ...]


class StyledConv(nn.Module):
    """Modulated 3×3 convolution, noise, bias, leaky ReLU: ``(B, in, R, R)`` → ``(B, out, R, R)`` or twice the size.

    ``noise (1, 1, R, R)`` is a buffer: the pattern that is used when an image must be a function of its code.
    """

    noise: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        code_dim: int,
        resolution: int,
        *,
        up: bool = False,
        clamp: float | None = None,
    ):
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, code_dim, up=up)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.zeros(1, 1, resolution, resolution))
        self.clamp = clamp

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        y, demodulation = self.conv(x, style)
        assert demodulation is not None  # styled convolutions always demodulate
        scale = (demodulation * ACTIVATION_GAIN).to(y.dtype)[:, :, None, None]
        offset = (self.bias * ACTIVATION_GAIN).to(y.dtype)[None, :, None, None]
        y = torch.addcmul(offset, y, scale)
        if noise is not None:
            y = y + (noise * (self.noise_strength * ACTIVATION_GAIN)).to(y.dtype)
        return limit(F.leaky_relu_(y, SLOPE), self.clamp)


class SkipHead(nn.Module):
    """Features of every resolution → one image ``(B, out, S, S)`` of unbounded values.

    At each resolution a modulated 1×1 convolution adds to the upsampled image of the resolution before. A network
    with several outputs (colours, displacement) has several heads on the same features; ``start`` > 4 makes a head
    that looks at the fine resolutions only.
    """

    def __init__(
        self,
        channels: dict[int, int],
        code_dim: int,
        *,
        outputs: int = 3,
        start: int = 4,
        clamp: float | None = None,
    ):
        super().__init__()
        self.resolutions = [r for r in channels if r >= start]
        if not self.resolutions:
            raise InputError(f"a head that starts at {start}² has no features to read; resolutions: {list(channels)}")
        self.layers = nn.ModuleList(
            ModulatedConv2d(channels[r], outputs, 1, code_dim, demodulate=False) for r in self.resolutions
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(outputs)) for _ in self.resolutions)
        self.clamp = clamp

    def step(self, features: Tensor, code: Tensor, picture: Tensor | None) -> Tensor | None:
        """Add what ``features`` of one resolution (after its last convolution) show to the ``picture`` so far."""
        resolution = features.shape[-1]
        if resolution not in self.resolutions:
            return picture
        index = self.resolutions.index(resolution)
        row = 2 * resolution.bit_length() - 5  # the one after the last convolution's: 1 at 4², 3 at 8², …
        update, _ = self.layers[index](features, code[:, row])
        with full_precision(update):  # the picture is a sum over resolutions: kept in full precision
            bias = self.biases[index]
            update = limit(update.to(bias.dtype) + bias[None, :, None, None], self.clamp)
            return update if picture is None else upsample(picture) + update

    def forward(self, features: Sequence[Tensor], code: Tensor) -> Tensor:
        """The image from the ``features`` of :class:`SynthesisOutput` and the code ``(B, L, D)``."""
        picture: Tensor | None = None
        for index in range(0, len(features), 2):  # the last convolution of each resolution
            picture = self.step(features[index], code, picture)
        if picture is None:
            raise InputError(f"no features of the resolutions {self.resolutions} were given")
        return picture


class SynthesisNetwork(nn.Module):
    """``code (B, L, D)`` or ``(B, D)`` → image ``(B, 3, S, S)``, RGB in [0, 1] and a little beyond (not clamped).

    ``layers[i]`` is the styled convolution that reads row ``i`` of the code, L − 1 of them; ``head`` makes the colours.

    Args:
        size: S, a power of two ≥ 8.
        code_dim: D.
        channels: resolution → number of channels, see :func:`channel_table`.
        noise_seed: draws the fixed noise patterns.
        clamp: limit of the activations, for weights that were trained with one (in float16).
    """

    def __init__(
        self,
        size: int,
        code_dim: int = 512,
        *,
        channels: dict[int, int] | None = None,
        noise_seed: int = 0,
        clamp: float | None = None,
    ):
        super().__init__()
        self.size = size
        self.code_dim = code_dim
        self.num_layers = style_layers(size)
        self.channels = channel_table(size, channels=channels)
        self.constant = nn.Parameter(normal(1, self.channels[4], 4, 4))
        layers: list[StyledConv] = []
        for resolution in resolutions(size):
            outputs = self.channels[resolution]
            if resolution > 4:
                inputs = self.channels[resolution // 2]
                layers.append(StyledConv(inputs, outputs, code_dim, resolution, up=True, clamp=clamp))
            layers.append(StyledConv(outputs, outputs, code_dim, resolution, clamp=clamp))
        self.layers = nn.ModuleList(layers)
        self.head = SkipHead(self.channels, code_dim, clamp=clamp)
        self.set_noise(noise_seed)

    @property
    def styled(self) -> list[StyledConv]:
        """``layers`` with their type."""
        return cast("list[StyledConv]", list(self.layers))

    @torch.no_grad()
    def set_noise(self, seed: int) -> None:
        """Draw new fixed noise patterns from ``seed``, the same on every device."""
        rng = torch.Generator().manual_seed(seed)
        for layer in self.styled:
            if layer.noise.is_meta:
                return  # only shapes are asked for
            layer.noise.copy_(torch.randn(layer.noise.shape, generator=rng))

    def iterate(
        self, code: Tensor, *, noise: Noise = "fixed", generator: torch.Generator | None = None
    ) -> Iterator[Tensor]:
        """The activations after each styled convolution, one at a time, coarse to fine; ``code (B, L, D)``."""
        patterns = self._noise(noise, code.shape[0], generator)
        x = working_format(self.constant.expand(code.shape[0], -1, -1, -1))
        for row, (layer, pattern) in enumerate(zip(self.styled, patterns)):
            x = layer(x, code[:, row], pattern)
            yield x

    def forward(
        self,
        code: Tensor,
        *,
        noise: Noise = "fixed",
        generator: torch.Generator | None = None,
        raw: bool = False,
        return_features: bool = False,
    ) -> Tensor | SynthesisOutput:
        """Code to image.

        Args:
            noise: ``"fixed"``: the stored patterns, so that the image is a function of the code; ``"random"``: new
                ones for every image (training); ``"none"``; or one pattern ``(1 or B, 1, R, R)`` per layer.
            generator: draws the random noise; PyTorch's own if absent.
            raw: return the network's own values, [−1, 1] for black to white, instead of [0, 1].
            return_features: return a :class:`SynthesisOutput` with the activations of every layer.
        """
        code = broadcast_code(code, self.num_layers, self.code_dim)
        features: list[Tensor] = []
        picture: Tensor | None = None
        for row, x in enumerate(self.iterate(code, noise=noise, generator=generator)):
            if row % 2 == 0:  # the last convolution of its resolution
                picture = self.head.step(x, code, picture)
            if return_features:
                features.append(x)
        assert picture is not None
        image = picture.contiguous() if raw else (picture * 0.5 + 0.5).contiguous()
        return SynthesisOutput(image, tuple(features)) if return_features else image

    def style_weights(self) -> list[Tensor]:
        """Per row of the code, the matrix ``(C, D)`` that turns it into styles, scaled as it is used (for SeFa).

        Row L − 1 is read by the last colour layer only; the colour layers before share their rows with convolutions
        and are left out, as is usual.
        """
        matrices = [layer.conv.affine.scaled_weight() for layer in self.styled]
        return [*matrices, cast(ModulatedConv2d, self.head.layers[-1]).affine.scaled_weight()]

    def _noise(self, noise: Noise, batch: int, generator: torch.Generator | None) -> list[Tensor | None]:
        stored = [layer.noise for layer in self.styled]
        if isinstance(noise, str):
            if noise == "fixed":
                return list(stored)
            if noise == "none":
                return [None] * len(stored)
            if noise == "random":
                return [_draw(pattern, batch, generator) for pattern in stored]
            raise InputError(f"noise must be 'fixed', 'random', 'none' or a list of patterns, got {noise!r}")
        if len(noise) != len(stored):
            raise InputError(f"{len(stored)} noise patterns are needed, one per convolution, got {len(noise)}")
        for index, (given, own) in enumerate(zip(noise, stored)):
            rows = check_shape(f"noise pattern {index}", given, ("B", *own.shape[1:]))["B"]
            if rows not in (1, batch):
                raise InputError(f"noise pattern {index} has {rows} rows for a batch of {batch}; expected 1 or {batch}")
        return list(noise)


def _draw(like: Tensor, batch: int, generator: torch.Generator | None) -> Tensor:
    """Random patterns ``(B, 1, R, R)`` drawn on the generator's device, so that a CPU generator serves any device."""
    device = like.device if generator is None else generator.device
    return torch.randn(batch, *like.shape[1:], generator=generator, device=device, dtype=like.dtype).to(like.device)
