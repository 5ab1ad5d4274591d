"""Colour differences between a render and an image, where the render covers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class PhotometricLoss(nn.Module):
    """``Σ M·ρ(‖I_r − I_t‖) / Σ M`` over pixels, the norm over colours; ``pred["image"]``, ``target["image"]``
    ``(B, 3, H, W)``, mask M ``pred["mask"] (B, 1, H, W)``, times ``target["mask"]`` if there is one.

    The mask is a weight without gradient: a surface cannot lower the loss by leaving the image.

    Args:
        norm: ``"length"`` is ρ(r) = √(r² + ε²) − ε, the length of the difference, rounded at 0; ``"squared"`` is
            ρ(r) = r²; ``"saturating"`` is ρ(r) = c²r² / (r² + c²), squares of which none counts more than c² (Geman and
            McClure): hair and glasses before the face are outliers.
        epsilon: ε, in colour levels of [0, 1].
        outlier: c, likewise.
        divide_by: ``"weights"``: Σ M; ``"pixels"``: the number of pixels where M > 0, StyleFaceUV's |M|, so that a
            view whose pixels weigh half counts half.
    """

    def __init__(
        self,
        norm: Literal["length", "squared", "saturating"] = "length",
        *,
        epsilon: float = 1e-3,
        outlier: float = 0.1,
        divide_by: Literal["weights", "pixels"] = "weights",
    ) -> None:
        super().__init__()
        if norm not in ("length", "squared", "saturating"):
            raise InputError(f"norm must be 'length', 'squared' or 'saturating', got {norm!r}")
        if not epsilon > 0 or not outlier > 0:
            raise InputError(f"expected epsilon > 0 and outlier > 0, got {epsilon} and {outlier}")
        if divide_by not in ("weights", "pixels"):
            raise InputError(f"divide_by must be 'weights' or 'pixels', got {divide_by!r}")
        self.norm, self.epsilon, self.outlier, self.divide_by = norm, epsilon, outlier, divide_by

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``; 0 for an image whose mask is empty."""
        image, mask = entry(pred, "image", self, "pred"), entry(pred, "mask", self, "pred").detach()
        truth = entry(target, "image", self, "target")
        sizes = check_shape("pred['image']", image, ("B", 3, "H", "W"))
        check_shape("target['image']", truth, (sizes["B"], 3, sizes["H"], sizes["W"]))
        check_shape("pred['mask']", mask, (sizes["B"], 1, sizes["H"], sizes["W"]))
        if target.get("mask") is not None:
            mask = mask * entry(target, "mask", self, "target")
        squared = (image - truth).square().sum(1, keepdim=True)
        if self.norm == "length":
            squared = rounded_length(squared, self.epsilon)
        elif self.norm == "saturating":
            squared = saturating(squared, self.outlier)
        total = (mask * squared).flatten(1).sum(1)
        counted = mask if self.divide_by == "weights" else (mask > 0).to(mask.dtype)
        return total / counted.flatten(1).sum(1).clamp_min(torch.finfo(total.dtype).eps)

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()


def rounded_length(squared: Tensor, epsilon: float) -> Tensor:
    """``√(s + ε²) − ε`` of squared lengths s (Charbonnier): s/2ε near 0, the length far out, smooth everywhere."""
    return squared / ((squared + epsilon**2).sqrt() + epsilon)


def saturating(squared: Tensor, outlier: float) -> Tensor:
    """``c²s / (s + c²)`` of squared lengths s (Geman–McClure): s near 0, never more than c²."""
    return squared * (outlier**2 / (squared + outlier**2))
