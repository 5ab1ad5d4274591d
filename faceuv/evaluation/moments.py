"""Mean and covariance of features that come in batches, on several processes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """``count``, ``mean (C,)`` and ``scatter (C, C) = Σ (x − μ)(x − μ)ᵀ`` of features, in float64.

    Merging centres each part on its own mean, so that nothing cancels where the mean is large beside the spread.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Of features ``(N, C)``, N ≥ 1, on their device (on the CPU where the device has no float64)."""
        x = features.detach()
        x = (x.cpu() if x.device.type == "mps" else x).double()
        mean = x.mean(0)
        centred = x - mean
        return cls(len(x), mean, centred.T @ centred)

    def __add__(self, other: Moments) -> Moments:
        """Of both sets of features together."""
        count = self.count + other.count
        step = other.mean - self.mean
        between = torch.outer(step, step * (self.count * other.count / count))
        return Moments(count, self.mean + step * (other.count / count), self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """``(C, C)``, unbiased; needs two samples."""
        return self.scatter / (self.count - 1)

    @property
    def rank(self) -> int:
        """The largest rank that the covariance can have."""
        return min(self.count - 1, len(self.mean))

    def cpu(self) -> Moments:
        """The same, in the CPU's memory."""
        return Moments(self.count, self.mean.cpu(), self.scatter.cpu())
