"""Two losses: a photometric one that forgives outliers, and one that keeps a relief smooth."""

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


@LOSSES.register_module()
class Roughness(nn.Module):
    """Mean square of the second differences of ``depth (B, n, n)``: bends cost, slopes do not."""

    def forward(self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """A scalar, in squared decimetres."""
        depth = pred["depth"]
        return sum(depth.diff(n=2, dim=axis).square().mean() for axis in (1, 2))
