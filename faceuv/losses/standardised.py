"""Mean absolute differences of coefficients, in units of each one's standard deviation or raw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError, did_you_mean
from faceuv.losses.base import entry
from faceuv.registry import LOSSES
from faceuv.structures import CoefficientLayout


@LOSSES.register_module()
class StandardisedL1(nn.Module):
    """Mean absolute difference of standardised coefficients ``pred["coefficients"]`` and ``target["coefficients"]``,
    both ``(B, N)``.

    Args:
        groups: group → weight of the mean over its columns, ``dict(rotation=3.0)``; a group that is not named weighs
            1, and the weights are divided by their sum. By default every column counts alike, as published: the three
            angles are then 1 % of the loss.
        layout: group → number of columns, of the face model; None is that of the mapper in training
            (:meth:`set_layout`), and 257 coefficients where nobody says.
    """

    column_weights: Tensor

    def __init__(
        self,
        groups: Mapping[str, float] | None = None,
        layout: CoefficientLayout | Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._groups = None if groups is None else dict(groups)
        self._open = layout is None
        self._weigh(layout if isinstance(layout, CoefficientLayout) else CoefficientLayout(**(layout or {})))

    def set_layout(self, layout: CoefficientLayout) -> None:
        """The layout of the coefficients that will come, where none was given."""
        if self._open:
            self._weigh(layout)

    def _weigh(self, layout: CoefficientLayout) -> None:
        groups = self._groups
        for name, weight in (groups or {}).items():
            if name not in layout.groups or weight < 0:
                raise InputError(
                    f"StandardisedL1: groups name a group with a weight ≥ 0, got {name}={weight}; the groups are"
                    f" {', '.join(layout.groups)}{did_you_mean(name, layout.groups)}"
                )
        weights = torch.ones(layout.size)
        if groups is not None:
            for name, count in layout.groups.items():
                weights[layout.slice(name)] = groups.get(name, 1.0) / max(count, 1)
        if not float(weights.sum()) > 0:
            raise InputError(f"StandardisedL1: all groups weigh nothing: {dict(groups or {})}")
        self.register_buffer("column_weights", weights / weights.sum(), persistent=False)

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        found, wanted = (entry(s, "coefficients", self, n) for s, n in ((pred, "pred"), (target, "target")))
        sizes = check_shape("pred['coefficients']", found, ("B", len(self.column_weights)))
        check_shape("target['coefficients']", wanted, (sizes["B"], len(self.column_weights)))
        return ((found - wanted).abs() @ self.column_weights).mean()


@LOSSES.register_module()
class RawL1(nn.Module):
    """Mean absolute difference of coefficients as they are, ``pred["raw"]`` and ``target["raw"]``, both ``(B, N)``.

    Every coefficient counts in its own unit: large ones (identity, expression) decide, angles in radians hardly count.
    Config: ``losses=dict(raw=dict(type="RawL1"))``, for :class:`~faceuv.models.stylefaceuv.CoefficientMapping`.
    """

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        found, wanted = (entry(side, "raw", self, name) for side, name in ((pred, "pred"), (target, "target")))
        check_shape("target['raw']", wanted, tuple(found.shape))
        return (found - wanted).abs().mean()
