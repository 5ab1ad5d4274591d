"""Distances of a network's activations, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.registry import LOSSES


@LOSSES.register_module()
class FeatureMatching(nn.Module):
    """How far the activations ``pred["features"]``, a list of ``(B, C, R, R)``, lie from ``target["features"]``.

    Per layer the mean absolute difference, divided by the wanted activations' mean absolute value, so that no layer
    counts for more because its numbers are larger; then the mean over the layers of at least ``smallest`` pixels.
    Features of the discriminator in training see what a mean colour difference does not, an open eye for instance
    (pix2pixHD). Gradients reach ``pred`` alone.

    Config: ``dict(type="FeatureMatching", smallest=8, weight=1.0)``.
    """

    def __init__(self, smallest: int = 8) -> None:
        super().__init__()
        if not isinstance(smallest, int) or smallest < 1:
            raise InputError(f"FeatureMatching needs a whole number of pixels ≥ 1 as smallest, got {smallest!r}")
        self.smallest = smallest

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        found, wanted = _layers(pred, "pred"), _layers(target, "target")
        if [x.shape for x in found] != [x.shape for x in wanted]:
            raise InputError(
                f"FeatureMatching compares layers of equal shapes, got {[tuple(x.shape) for x in found]} and"
                f" {[tuple(x.shape) for x in wanted]}"
            )
        layers = [
            (a.float() - b.detach().float()).abs().mean() / b.detach().float().abs().mean().clamp_min(1e-8)
            for a, b in zip(found, wanted)
            if min(a.shape[-2:]) >= self.smallest
        ]
        if not layers:
            raise InputError(f"FeatureMatching found no layer of at least {self.smallest} pixels")
        return torch.stack(layers).mean()


def _layers(given: Mapping[str, Any], side: str) -> list[Tensor]:
    value = given.get("features")
    if not isinstance(value, list | tuple) or not all(isinstance(x, Tensor) for x in value):
        raise InputError(
            f"FeatureMatching needs {side}['features'], a list of tensors, found {type(value).__name__} among"
            f" {', '.join(sorted(given)) or 'nothing'}"
        )
    return list(value)
