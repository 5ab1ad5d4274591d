"""The non-saturating logistic GAN loss. Scores are logits, high for real images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class GeneratorLogistic(nn.Module):
    """``mean softplus(−s)`` of the scores ``pred["scores"]`` of generated images: small when they pass for real."""

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        scores = entry(pred, "scores", self, "pred")
        return F.softplus(-scores.float()).flatten()

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()


@LOSSES.register_module()
class DiscriminatorLogistic(nn.Module):
    """``mean softplus(s_fake) + mean softplus(−s_real)``; ``pred["scores"]`` of generated images,
    ``target["scores"]`` of real ones. 2·ln 2 ≈ 1.386 when it cannot tell them apart."""

    def parts(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """``softplus(s_fake)`` and ``softplus(−s_real)``, in the shapes of the scores."""
        fake, real = entry(pred, "scores", self, "pred"), entry(target, "scores", self, "target")
        return F.softplus(fake.float()), F.softplus(-real.float())

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``, for as many generated images as real ones."""
        fake, real = self.parts(pred, target)
        check_shape("target['scores']", real, tuple(fake.shape))
        return (fake + real).flatten()

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        fake, real = self.parts(pred, target)
        return fake.mean() + real.mean()
