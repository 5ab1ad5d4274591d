"""Distances between projected landmarks and those of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES

LANDMARKS = 68


def landmark_weights(emphasis: float = 10.0) -> Tensor:
    """``(68,)``, summing to 1: the nose's bridge tip (28 … 30), lips and mouth (48 … 67) count ``emphasis`` times."""
    weights = torch.ones(LANDMARKS)
    weights[28:31] = emphasis
    weights[48:68] = emphasis
    return weights / weights.sum()


@LOSSES.register_module()
class LandmarkLoss(nn.Module):
    """Weighted mean of squared distances; ``pred["landmarks"]`` and ``target["landmarks"]`` are ``(B, 68, 2)`` in units
    of the image's side, so that the loss does not depend on the resolution.

    Args:
        emphasis: how many times the nose (28 … 30) and the mouth (48 … 67) count.
    """

    weights: Tensor

    def __init__(self, emphasis: float = 10.0) -> None:
        super().__init__()
        if not emphasis > 0:
            raise InputError(f"emphasis must be positive, got {emphasis}")
        self.register_buffer("weights", landmark_weights(emphasis), persistent=False)

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        points, truth = entry(pred, "landmarks", self, "pred"), entry(target, "landmarks", self, "target")
        sizes = check_shape("pred['landmarks']", points, ("B", LANDMARKS, 2))
        check_shape("target['landmarks']", truth, (sizes["B"], LANDMARKS, 2))
        return (points - truth).square().sum(2) @ self.weights.to(points)

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
