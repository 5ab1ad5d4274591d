"""Image → coefficients in one pass of a small residual network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError
from faceuv.files.networks import load_network, no_code_facts, stored
from faceuv.registry import MODELS
from faceuv.structures import CoefficientLayout, Coefficients

_LAST_SIDE = 4  # of the feature maps that the head reads as a whole, because it must know where things are
_LEAST_DEVIATION = 1e-6


@stored("coefficient_regressor", facts=no_code_facts, halves="matrices")
@MODELS.register_module()
class CoefficientRegressor(nn.Module):
    """Images ``(B, 3, S, S)`` in [0, 1], of any side S → :class:`~faceuv.structures.Coefficients` in the full frame.

    A stem of stride 2, one stage of residual blocks per entry of ``channels`` (each halves the side), and a head that
    reads the last 4 × 4 map as a whole. The network answers in standard deviations from the population's mean, which
    are kept beside the weights, so that all coefficients are of one size for it.

    Args:
        size: side of the images that the network reads; others are resampled. A power of two: 4 · 2^(stages + 1).
        stem, channels, depths: widths of the stem and of the stages, and blocks per stage.
        hidden: widths of the head: channels that it reads of the last map, and of its hidden layer.
        layout: group → number of coefficients, of the face model.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        size: int = 64,
        stem: int = 24,
        channels: Sequence[int] = (48, 96, 192),
        depths: Sequence[int] = (1, 2, 2),
        hidden: Sequence[int] = (64, 512),
        *,
        layout: CoefficientLayout | Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout if isinstance(layout, CoefficientLayout) else CoefficientLayout(**(layout or {}))
        if len(channels) != len(depths) or min((size, stem, *channels, *depths, *hidden)) < 1 or len(hidden) != 2:
            raise InputError(
                f"expected as many channels as depths, two hidden widths, and numbers ≥ 1, got stem={stem},"
                f" channels={tuple(channels)}, depths={tuple(depths)}, hidden={tuple(hidden)}"
            )
        if size != _LAST_SIDE * 2 ** (len(channels) + 1):
            raise InputError(
                f"{len(channels)} stages read pictures of side {_LAST_SIDE * 2 ** (len(channels) + 1)}, got size={size}"
            )
        self.size = size
        self._settings = {"size": size, "stem": stem, "channels": tuple(channels), "depths": tuple(depths)}
        self._settings |= {"hidden": tuple(hidden), "layout": self.layout.groups}
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 4, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True))
        widths = [stem, *channels]
        self.stages = nn.Sequential(
            *[
                nn.Sequential(*[ResidualBlock(before if k == 0 else width, width, halve=k == 0) for k in range(depth)])
                for before, width, depth in zip(widths, widths[1:], depths)
            ]
        )
        self.head = nn.Sequential(
            nn.Conv2d(widths[-1], hidden[0], 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(hidden[0] * _LAST_SIDE**2, hidden[1]),
            nn.ReLU(inplace=True),
            nn.Linear(hidden[1], self.layout.size),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # the first answer is the mean face
        nn.init.zeros_(last.bias)
        self.register_buffer("mean", torch.zeros(self.layout.size))
        self.register_buffer("deviation", torch.ones(self.layout.size))
        self.to(memory_format=torch.channels_last)  # what convolutions on CPUs are fastest with

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._settings)

    def set_statistics(self, coefficients: Tensor) -> None:
        """Set mean and standard deviation to those of coefficients ``(N, n)`` of the population."""
        check_shape("coefficients of the population", coefficients, ("N", self.layout.size))
        if len(coefficients) < 2:
            raise InputError("the statistics of a population need at least 2 rows of coefficients, got 1")
        self.mean.copy_(coefficients.mean(0))
        self.deviation.copy_(coefficients.std(0).clamp_min(_LEAST_DEVIATION))

    def standardised(self, coefficients: Tensor) -> Tensor:
        """Coefficients ``(B, n)`` in standard deviations from the population's mean."""
        return (coefficients - self.mean) / self.deviation

    def scores(self, images: Tensor) -> Tensor:
        """The network's answer ``(B, n)``, in standard deviations from the population's mean."""
        check_shape("images", images, ("B", 3, "S", "S"))
        check_floating("images", images)
        x = resample(images, self.size) * 2 - 1
        found: Tensor = self.head(self.stages(self.stem(x.contiguous(memory_format=torch.channels_last))))
        return found

    def forward(self, images: Tensor) -> Coefficients:
        return Coefficients(self.mean + self.deviation * self.scores(images).to(self.mean.dtype), self.layout)


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut: ``(B, C, H, W)`` → ``(B, width, H, W)``, or half the side."""

    def __init__(self, before: int, width: int, *, halve: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, 2 if halve else 1, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        shortcut: list[nn.Module] = [nn.AvgPool2d(2)] if halve else []
        if before != width:
            shortcut.append(nn.Conv2d(before, width, 1, bias=False))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x), inplace=True)


def resample(images: Tensor, side: int) -> Tensor:
    """``(B, 3, S, S)`` → ``(B, 3, side, side)``: means of whole blocks of pixels where they fit, else a triangle
    filter; the image stays in its place."""
    own = images.shape[-1]
    if own == side:
        return images
    if own % side == 0:
        return F.avg_pool2d(images, own // side)
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)


def load_regressor(path: str | Path) -> CoefficientRegressor:
    """Read a regressor, in evaluation mode and without gradients of its weights."""
    return load_network(path, CoefficientRegressor)
