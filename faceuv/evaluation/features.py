"""Feature spaces that need no download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.models.stylegan2 import StyleGAN2Discriminator, load_discriminator
from faceuv.registry import MODELS


@MODELS.register_module()
class DiscriminatorFeatures(nn.Module):
    """Means and deviations of a discriminator's activations: image ``(B, 3, S, S)`` in [0, 1] → ``(B, C)``.

    Not Inception: distances in this space are never an FID.

    Args:
        network: config of the discriminator; its weights are random, drawn from ``seed``. Random filters are a weak but
            fixed yardstick that any two runs share.
        weights: a file that :func:`~faceuv.models.stylegan2.load_discriminator` reads, instead of ``network``.
        seed: of the random weights.
    """

    def __init__(
        self, network: Mapping[str, Any] | None = None, *, weights: str | Path | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if (network is None) == (weights is None):
            raise TypeError("DiscriminatorFeatures takes network=dict(type=…) or weights=PATH, one of the two")
        if weights is not None:
            self.network = load_discriminator(weights)
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.network = cast(StyleGAN2Discriminator, MODELS.build(network))
        self.network.requires_grad_(False)
        self.space = f"discriminator {weights}" if weights else f"random discriminator, seed {seed}"

    def forward(self, image: Tensor) -> Tensor:
        check_shape("images", image, ("B", 3, self.network.size, self.network.size))
        maps = self.network.features(image)
        # Below 8² a map has too few places for a deviation that says something about one image.
        pooled = [part for x in maps if x.shape[-1] >= 8 for part in (x.mean((2, 3)), x.std((2, 3)))]
        return torch.cat(pooled, 1)
