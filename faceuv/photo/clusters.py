"""Colours of a class of pixels as a few Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_DARK = 0.05  # added before logarithms
_FLOOR = -5.0  # of a logarithmic likelihood
_ROUNDS = 8
_NARROWEST = 0.06  # deviation of a Gaussian in logarithms of colour: noise, and what a class shows elsewhere


@dataclass(frozen=True, eq=False)
class Colouring:
    """A mixture: ``share (K,)``, ``centre (K, 3)``, ``root (K, 3, 3)`` of the precisions, ``offset (K,)``."""

    share: Tensor
    centre: Tensor
    root: Tensor
    offset: Tensor

    @classmethod
    def of(cls, features: Tensor, count: int, wide: float = 1.0) -> Colouring:
        """Of ``features (N, 3)``, N ≥ 1, in at most ``count`` Gaussians; ``wide`` times as wide as they are."""
        count = min(count, max(1, len(features) // 8))
        centre = features.median(0, keepdim=True).values
        for _ in range(count - 1):  # each new centre is what the others explain worst, but for a few outliers
            away = torch.cdist(features, centre).amin(1)
            centre = torch.cat([centre, features[away.argsort()[int(0.97 * (len(away) - 1))]][None]])
        for _ in range(_ROUNDS):
            own = torch.cdist(features, centre).argmin(1)
            centre = torch.stack(
                [features[own == k].mean(0) if bool((own == k).any()) else centre[k] for k in range(count)]
            )
        share, root, offset = [], [], []
        for k in range(count):
            part = features[own == k] - centre[k]
            spread = part.T @ part / max(1, len(part)) * wide**2 + _NARROWEST**2 * torch.eye(3).to(features)
            root.append(torch.linalg.inv(torch.linalg.cholesky(spread)))
            share.append(max(1, len(part)) / len(features))
            offset.append(float(torch.linalg.slogdet(spread).logabsdet) / 2)
        return cls(features.new_tensor(share), centre, torch.stack(root), features.new_tensor(offset))

    def log_likelihood(self, features: Tensor) -> Tensor:
        """``(N, 3)`` → ``(N,)``, with a floor: nothing is impossible."""
        apart = torch.einsum("kij,nkj->nki", self.root, features[:, None] - self.centre)
        each = self.share.log() - self.offset - 0.5 * apart.square().sum(2) - 1.5 * math.log(2 * math.pi)
        return torch.logaddexp(each.logsumexp(1), features.new_tensor(_FLOOR))

    def away(self, features: Tensor) -> Tensor:
        """``(N,)``: the Mahalanobis distance from the nearest Gaussian."""
        return torch.einsum("kij,nkj->nki", self.root, features[:, None] - self.centre).norm(dim=2).amin(1)


def colour_features(colour: Tensor) -> Tensor:
    """RGB ``(N, 3)`` → logarithm of brightness and two of tint, in which tint counts twice as much."""
    logs = torch.log(colour.clamp_min(0) + _DARK)
    red, green, blue = logs.unbind(-1)
    return torch.stack([logs.mean(-1), 2 * (red - green), 2 * (blue - green)], -1)
