"""Loss terms by name, each with its weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.registry import LOSSES


class LossTerms(nn.Module):
    """Loss terms by name, each with its weight: ``dict(photo=dict(type="photometric", weight=10.0), …)``.

    Names let a derived config change one term (``losses=dict(photo=dict(weight=5.0))``) or switch it off
    (``losses=dict(photo=None)``).
    """

    def __init__(self, terms: Mapping[str, Any]) -> None:
        super().__init__()
        self.weights: dict[str, float] = {}
        self.terms = nn.ModuleDict()
        for name, config in terms.items():
            if config is None:
                continue
            if not isinstance(config, Mapping):
                raise InputError(f"losses.{name} must be dict(type=…, weight=…), got {config!r}")
            self.weights[name] = float(config.get("weight", 1.0))
            self.terms[name] = LOSSES.build({key: value for key, value in config.items() if key != "weight"})

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Tensor]:
        """Name → weighted scalar of every term."""
        return {name: self.term(name, pred, target) for name in self.terms}

    def term(self, name: str, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """The weighted scalar of one term."""
        weighted: Tensor = self.weights[name] * self.terms[name](pred, target)
        return weighted

    def per_image(self, name: str, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """The weighted values ``(B,)`` of one term, for methods that weigh images differently."""
        loss: Any = self.terms[name]
        weighted: Tensor = self.weights[name] * loss.per_image(pred, target)
        return weighted
