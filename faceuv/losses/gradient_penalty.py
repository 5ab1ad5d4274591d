"""R1: the gradient penalty of the discriminator at real images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class R1Penalty(nn.Module):
    """``interval · γ/2 · mean_b ‖∂s_b/∂x_b‖²`` over real images x, ``target["image"] (B, …)`` with gradients enabled,
    and their scores s, ``target["scores"] (B, 1)``.

    The scores of an image must not depend much on the others: the gradient is that of their sum. Images in [−1, 1] give
    the γ of the papers; the gradient with respect to [0, 1] images is twice as long, and its square four times.

    Args:
        gamma: γ.
        interval: the method takes the term every ``interval`` iterations only (lazy regularisation), which is made up
            for by this factor. 1: at every iteration.
    """

    def __init__(self, gamma: float = 10.0, interval: int = 1) -> None:
        super().__init__()
        if not gamma > 0 or not isinstance(interval, int) or interval < 1:
            raise InputError(f"expected gamma > 0 and a whole interval ≥ 1, got {gamma} and {interval!r}")
        self.gamma, self.interval = gamma, interval

    def due(self, step: int) -> bool:
        """Whether iteration ``step``, counted from 0, takes the term."""
        return step % self.interval == 0

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        image, scores = entry(target, "image", self, "target"), entry(target, "scores", self, "target")
        if not image.requires_grad or not scores.requires_grad:
            raise InputError("R1Penalty needs target['image'] with requires_grad, and scores computed from it")
        (gradient,) = torch.autograd.grad(scores.sum(), image, create_graph=True, allow_unused=True)
        if gradient is None:
            raise InputError("target['scores'] were not computed from target['image']; score the tensor that is given")
        return gradient.square().flatten(1).sum(1) * (0.5 * self.gamma * self.interval)

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
