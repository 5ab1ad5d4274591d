"""Priors on coefficients and on the colours of the skin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES
from faceuv.structures import CoefficientLayout


@LOSSES.register_module()
class CoefficientPenalty(nn.Module):
    """Sum of the squares of one group of coefficients, ``pred[group] (B, n)``: how unlikely a face is, up to a factor,
    where coefficients count standard deviations.

    Args:
        group: ``"identity"``, ``"expression"``, ``"albedo"``, … .
    """

    def __init__(self, group: str) -> None:
        super().__init__()
        if group not in CoefficientLayout().groups:
            raise InputError(f"no coefficient group {group!r}; the groups are {', '.join(CoefficientLayout().groups)}")
        self.group = group

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        return entry(pred, self.group, self, "pred").flatten(1).square().sum(1)

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()


@LOSSES.register_module()
class AlbedoVariance(nn.Module):
    """Variance of the vertex colours ``pred["colours"] (B, V, 3)`` over the skin, ``target["skin_mask"] (V,)``: keeps
    light and shadow out of the albedo."""

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        colours, mask = entry(pred, "colours", self, "pred"), entry(target, "skin_mask", self, "target")
        sizes = check_shape("pred['colours']", colours, ("B", "V", 3))
        check_shape("target['skin_mask']", mask, (sizes["V"],))
        weight = (mask.to(colours) / mask.sum().clamp_min(1).to(colours))[:, None]
        mean = (colours * weight).sum(1, keepdim=True)
        return ((colours - mean).square() * weight).sum((1, 2))

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
