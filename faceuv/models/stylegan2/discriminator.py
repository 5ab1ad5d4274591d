"""The StyleGAN2 discriminator: residual blocks, minibatch standard deviation, one score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError
from faceuv.files.networks import CodeFacts, stored
from faceuv.models.stylegan2.channels import arguments, channel_table, resolutions
from faceuv.models.stylegan2.layers import EqualizedConv2d, EqualizedLinear, full_precision, working_format
from faceuv.registry import MODELS

HALF = math.sqrt(0.5)  # keeps the variance of a residual sum


class DiscriminatorBlock(nn.Module):
    """``(B, in, R, R)`` → ``(B, out, R/2, R/2)``: the mean (in variance) of two convolutions and a linear skip."""

    def __init__(self, inputs: int, outputs: int, *, clamp: float | None = None):
        super().__init__()
        self.conv = EqualizedConv2d(inputs, inputs, 3, clamp=clamp)
        self.shrink = EqualizedConv2d(inputs, outputs, 3, down=True, gain=HALF, clamp=clamp)
        self.skip = EqualizedConv2d(inputs, outputs, 1, down=True, bias=False, activate=False, gain=HALF)

    def forward(self, x: Tensor) -> Tensor:
        return self.shrink(self.conv(x)) + self.skip(x)


def minibatch_deviation(x: Tensor, group: int | None) -> Tensor:
    """Append to ``x (B, C, H, W)`` one channel: the standard deviation within groups of the batch, averaged over
    channels and pixels.

    A group has the largest divisor of B that is not above ``group`` (``None``: the whole batch is one group); images
    ``i, i + B/G, i + 2B/G, …`` share one.
    """
    batch, _, height, width = x.shape
    count = max(d for d in range(1, min(group or batch, batch) + 1) if batch % d == 0)
    deviation = x.reshape(count, -1, *x.shape[1:]).var(0, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))
    channel = deviation.repeat(count)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([x, channel], 1)


def _code_facts(settings: Mapping[str, Any]) -> CodeFacts:
    return CodeFacts(size=settings["size"])


@stored("stylegan2_discriminator", facts=_code_facts, prepare=arguments)
@MODELS.register_module()
class StyleGAN2Discriminator(nn.Module):
    """StyleGAN2's discriminator: image ``(B, 3, S, S)`` in [0, 1] → scores ``(B, 1)``, high for real.

    Args:
        size: side of the images, a power of two ≥ 8.
        channel_base, channel_max, channels: as for the generator.
        group: largest group of the minibatch standard deviation; ``None``: the whole batch.
        activation_clamp: limit of the activations, for weights trained with one (float16 runs: 256).
    """

    @classmethod
    def code_facts(cls, settings: Mapping[str, Any]) -> dict[str, int]:
        """The size of the images that a config's discriminator reads, for plans."""
        return {"size": settings["size"]} if isinstance(settings.get("size"), int) else {}

    def __init__(
        self,
        size: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        channels: Mapping[int, int] | None = None,
        group: int | None = 4,
        activation_clamp: float | None = None,
    ):
        super().__init__()
        table = channel_table(size, base=channel_base, maximum=channel_max, channels=channels)
        if group is not None and group < 1:
            raise InputError(f"group must be ≥ 1 or None, got {group}")
        self.size = size
        self.channels = table
        self.group = group
        self.activation_clamp = activation_clamp
        self.from_rgb = EqualizedConv2d(3, table[size], 1, clamp=activation_clamp)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(table[r], table[r // 2], clamp=activation_clamp) for r in reversed(resolutions(size)[1:])
        )
        self.final_conv = EqualizedConv2d(table[4] + 1, table[4], 3, clamp=activation_clamp)
        self.final_linear = EqualizedLinear(table[4] * 16, table[4], activate=True)
        self.score = EqualizedLinear(table[4], 1)

    def settings(self) -> dict[str, Any]:
        """The arguments that build a discriminator of the same shape; what files keep beside the weights."""
        return {
            "size": self.size,
            "channels": dict(self.channels),
            "group": self.group,
            "activation_clamp": self.activation_clamp,
        }

    def features(self, image: Tensor, *, raw: bool = False, least: int = 4) -> list[Tensor]:
        """Activations ``(B, C, R, R)`` at every resolution from S down to ``least``: each image by itself, before the
        minibatch standard deviation."""
        check_shape("images", image, ("B", 3, self.size, self.size))
        check_floating("images", image)
        x = self.from_rgb(working_format(image if raw else image * 2 - 1))
        features = [x]
        for block in self.blocks:
            if features[-1].shape[-1] <= least:
                break
            features.append(block(features[-1]))
        return features

    def forward(self, image: Tensor, *, raw: bool = False) -> Tensor:
        """Scores ``(B, 1)`` of images in [0, 1]; ``raw``: of the network's own values in [−1, 1].

        R1 is a gradient with respect to the input: in [0, 1] units it is twice, and its square four times, the one in
        the units of the papers. Compute it on ``raw`` images to keep their γ.
        """
        return self.scores_of(self.features(image, raw=raw))

    def scores_of(self, features: Sequence[Tensor]) -> Tensor:
        """Scores ``(B, 1)`` of images, from their :meth:`features`."""
        x = features[-1]
        with full_precision(x):
            x = minibatch_deviation(x.to(self.score.weight.dtype), self.group)
            x = self.final_linear(self.final_conv(x).flatten(1))
            scores: Tensor = self.score(x)
            return scores
