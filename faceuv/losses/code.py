"""Distance of stylecodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class CodeDistance(nn.Module):
    """Mean squared difference of codes ``pred["code"]`` and ``target["code"]``, both ``(B, L, D)``, in the unit that
    the method gives them in: ``dict(type="CodeDistance", weight=1.0)``.

    In standard deviations of the generator's codes, two unrelated samples are 2 apart.
    """

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        code, truth = entry(pred, "code", self, "pred"), entry(target, "code", self, "target")
        check_shape("pred['code']", code, ("B", "L", "D"))
        check_shape("target['code']", truth, tuple(code.shape))
        return (code - truth).square().mean((1, 2))

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
