"""A small network that finds one face's 68 landmarks in a cut-out, and says whether there is a face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.files.networks import no_code_facts, stored
from faceuv.models.faces.arrays import LANDMARKS
from faceuv.registry import MODELS

_GROUPS = 8


class _Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(nn.GroupNorm(_GROUPS, channels) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norms[0](self.first(x)))
        return F.relu(x + self.norms[1](self.second(inner)))


def _halve(ins: int, outs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(ins, outs, 3, 2, 1, bias=False), nn.GroupNorm(_GROUPS, outs), nn.ReLU())


@stored("landmark_network", facts=no_code_facts)
@MODELS.register_module()
class LandmarkNetwork(nn.Module):
    """Cut-out ``(B, 3, S, S)`` in [0, 1] → ``points (B, 68, 2)`` in [−1, 1] from edge to edge (beyond it, where the
    frame cuts the face) and ``logit (B,)`` of there being a face.

    Args:
        size: S, a multiple of 16.
        widths: channels at S/2, S/4, S/8, S/16.
        hidden: width of the layer before the answer.
        heatmaps: points are centres of mass of maps at S/4 (soft-argmax), corrected by the last layers; without, the
            last layers give the points alone.
    """

    mean_points: Tensor

    def __init__(
        self, size: int = 64, widths: Sequence[int] = (16, 32, 64, 96), hidden: int = 192, *, heatmaps: bool = True
    ) -> None:
        super().__init__()
        if size < 16 or size % 16 or len(widths) != 4 or any(w < 1 or w % _GROUPS for w in widths):
            raise InputError(
                f"size must be a multiple of 16 and widths four multiples of {_GROUPS}, got {size} and {tuple(widths)}"
            )
        self._settings: dict[str, Any] = dict(size=size, widths=list(widths), hidden=hidden, heatmaps=heatmaps)
        self.size = size
        first, second, third, fourth = widths
        self.stem = nn.Sequential(_halve(3, first), _halve(first, second), _Block(second))
        self.middle = nn.Sequential(_halve(second, third), _Block(third))
        self.deep = nn.Sequential(_halve(third, fourth), _Block(fourth))
        self.hidden = nn.Linear(fourth * (size // 16) ** 2, hidden)
        self.points = nn.Linear(hidden, 2 * LANDMARKS)
        self.face = nn.Linear(hidden, 1)
        nn.init.zeros_(self.points.weight)
        nn.init.zeros_(self.points.bias)
        self.maps: _Heatmaps | None = _Heatmaps(second, third, fourth) if heatmaps else None
        self.register_buffer("mean_points", torch.zeros(LANDMARKS, 2))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(image)
        return self.points_of(features), self.logit_of(features)

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """What the answers are made of, at four scales."""
        check_shape("cut-outs", image, ("B", 3, self.size, self.size))
        x = image.contiguous(memory_format=torch.channels_last) * 4 - 2
        fine = self.stem(x)
        middle = self.middle(fine)
        deep = self.deep(middle)
        return fine, middle, deep, F.relu(self.hidden(deep.flatten(1)))

    def points_of(self, features: tuple[Tensor, ...]) -> Tensor:
        """``(B, 68, 2)``."""
        *scales, hidden = features
        points: Tensor = self.points(hidden).unflatten(1, (LANDMARKS, 2))
        return points + (self.mean_points if self.maps is None else self.maps(*scales))

    def logit_of(self, features: tuple[Tensor, ...]) -> Tensor:
        """``(B,)``, which is quickly told: most squares of a search show no face."""
        logit: Tensor = self.face(features[-1])[:, 0]
        return logit

    def settings(self) -> dict[str, Any]:
        """The arguments that build one of the same shape."""
        return dict(self._settings)


class _Heatmaps(nn.Module):
    """Features at three scales → the centre of mass of one map per landmark, ``(B, 68, 2)`` in [−1, 1]."""

    def __init__(self, fine: int, middle: int, deep: int, width: int = 32) -> None:
        super().__init__()
        self.fine, self.middle, self.deep = (nn.Conv2d(channels, width, 1) for channels in (fine, middle, deep))
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.maps = nn.Conv2d(width, LANDMARKS, 1)

    def forward(self, fine: Tensor, middle: Tensor, deep: Tensor) -> Tensor:
        side = fine.shape[2:]
        coarse = F.interpolate(self.deep(deep), middle.shape[2:], mode="bilinear") + self.middle(middle)
        mixed = F.relu(self.fine(fine) + F.interpolate(coarse, side, mode="bilinear"))
        maps = self.maps(F.relu(self.mix(mixed))).flatten(2).softmax(2).unflatten(2, side)
        y, x = ((torch.arange(count, device=fine.device, dtype=fine.dtype) + 0.5) * (2 / count) - 1 for count in side)
        return torch.stack([maps.sum(2) @ x, maps.sum(3) @ y], 2)
