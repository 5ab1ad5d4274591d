"""Differences of images at several scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class PyramidL1(nn.Module):
    """Mean absolute difference of ``pred["image"]`` and ``target["image"] (B, C, H, W)``, averaged over ``levels``
    scales, each half the size of the one before: coarse levels pull shapes and colours into place.

    Config: ``dict(type="PyramidL1", levels=3, weight=10.0)``.
    """

    def __init__(self, levels: int = 3) -> None:
        super().__init__()
        if not isinstance(levels, int) or levels < 1:
            raise InputError(f"PyramidL1 needs a whole number of levels of at least 1, got {levels!r}")
        self.levels = levels

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        image, wanted = entry(pred, "image", self, "pred"), entry(target, "image", self, "target")
        if image.shape != wanted.shape or min(image.shape[-2:]) < 2 ** (self.levels - 1):
            raise InputError(
                f"PyramidL1 with {self.levels} levels compares images of one shape, at least"
                f" {2 ** (self.levels - 1)} pixels wide, got {tuple(image.shape)} and {tuple(wanted.shape)}"
            )
        difference = image.float() - wanted.float()
        levels = [difference.abs().mean()]
        for _ in range(self.levels - 1):
            difference = F.avg_pool2d(difference, 2)
            levels.append(difference.abs().mean())
        return torch.stack(levels).mean()
