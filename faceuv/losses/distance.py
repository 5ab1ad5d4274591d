"""Distances between predicted and target points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class MeanDistance(nn.Module):
    """Mean of ``√(|p − t|² + ε²) − ε`` over points ``pred[of]`` and ``target[of] (…, C)``: a distance, but smooth near
    zero.

    Args:
        of: the name of the points.
        smooth: ε, in the points' unit.
    """

    def __init__(self, of: str, smooth: float = 0.1) -> None:
        super().__init__()
        if not smooth > 0:
            raise InputError(f"smooth must be positive, got {smooth}")
        self.of, self.smooth = of, smooth

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        points, truth = entry(pred, self.of, self, "pred"), entry(target, self.of, self, "target")
        check_shape(f"target[{self.of!r}]", truth, tuple(points.shape))
        squares = (points - truth).square().sum(-1)
        return ((squares + self.smooth**2).sqrt() - self.smooth).mean()
