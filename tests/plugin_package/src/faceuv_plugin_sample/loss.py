"""A photometric loss that forgives outliers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.registry import LOSSES


@LOSSES.register_module()
class HuberPhotometric(nn.Module):
    """Huber difference of images ``(B, 3, H, W)``: quadratic below ``delta``, linear above."""

    def __init__(self, delta: float = 0.1) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """The mean over all pixels, a scalar."""
        return F.huber_loss(pred["image"], target["image"], delta=self.delta)
