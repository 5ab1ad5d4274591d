"""A discriminator that looks at pictures through a network which knows faces already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.models.stylegan2.layers import SLOPE
from faceuv.registry import MODELS


@MODELS.register_module()
class FeatureDiscriminator(nn.Module):
    """Judges on the maps of a frozen network: image ``(B, 3, S, S)`` in [0, 1] → scores ``(B, N)``, high for real.

    A discriminator that starts from nothing needs tens of thousands of images before it notices a crooked eye. A
    network that reads faces notices it at once (Projected GAN, Sauer et al. 2021; Vision-aided GAN, Kumari et al.
    2022). What that network ignores, such as grain or stripes, stays invisible to it, so it judges beside
    :class:`~faceuv.models.stylegan2.StyleGAN2Discriminator`, not in its place.

    Every map has a judge of its own: spectrally normalised convolutions down to a small map of scores. All scores stand
    side by side. R1 is not needed: spectral norms bound the judges.

    Config: ``dict(type="FeatureDiscriminator", features=dict(type="RegressorMaps"))``.

    Args:
        features: config of a module whose ``maps(image)`` gives a list of ``(B, C, R, R)`` and whose ``shapes`` names
            each map's (C, R), such as :class:`~faceuv.models.readers.maps.RegressorMaps`. It is never trained.
        width: channels of the judges.
        smallest: least side of the maps of scores.
    """

    def __init__(self, features: Mapping[str, Any], *, width: int = 32, smallest: int = 4) -> None:
        super().__init__()
        for name, value in (("width", width), ("smallest", smallest)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"FeatureDiscriminator: {name} is a whole number ≥ 1, got {value!r}")
        network = MODELS.build(features)
        if not hasattr(network, "maps") or not hasattr(network, "shapes"):
            raise InputError(
                f"FeatureDiscriminator needs features with maps(image) and shapes, such as RegressorMaps; got"
                f" {type(network).__name__}"
            )
        self.features = network.requires_grad_(False).eval()
        if low := [side for _, side in network.shapes if side < smallest]:
            raise InputError(
                f"FeatureDiscriminator: a map of the features has {low[0]} pixels a side, less than smallest={smallest}"
            )
        self.judges = nn.ModuleList(_judge(channels, side, width, smallest) for channels, side in network.shapes)

    def train(self, mode: bool = True) -> FeatureDiscriminator:
        """The frozen network stays in evaluation mode."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        check_shape("images", image, ("B", 3, "S", "S"))
        maps = self.features.maps(image)
        return torch.cat([judge(x).flatten(1) for judge, x in zip(self.judges, maps)], 1)


def _judge(channels: int, side: int, width: int, smallest: int) -> nn.Sequential:
    """A map ``(B, C, R, R)`` → scores ``(B, 1, r, r)``, r the first halving of R that is below twice ``smallest``."""
    layers: list[nn.Module] = [spectral_norm(nn.Conv2d(channels, width, 1)), nn.LeakyReLU(SLOPE)]
    while side >= 2 * smallest:
        layers += [spectral_norm(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(SLOPE), nn.AvgPool2d(2)]
        side //= 2
    layers += [spectral_norm(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, 3, padding=1)))
