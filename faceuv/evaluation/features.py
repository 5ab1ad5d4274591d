"""Feature spaces that need no download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.files.artefacts import sha256_of
from faceuv.files.locate import locate
from faceuv.models.readers.maps import RegressorMaps
from faceuv.models.stylegan2.pretrained import named_discriminator, named_facts
from faceuv.registry import MODELS


@MODELS.register_module()
class DiscriminatorFeatures(nn.Module):
    """Means and deviations of a discriminator's activations: image ``(B, 3, S, S)`` in [0, 1] → ``(B, C)``.

    Not Inception: distances in this space are never an FID. ``space``, its name, tells where the weights are from. One
    of the first three:

    Args:
        network: config of the discriminator; its weights are random, drawn from ``seed``. Random filters are a weak but
            fixed yardstick that any two runs share. Space: ``random_discriminator_seed<seed>``.
        weights: a file that :func:`~faceuv.models.stylegan2.load_discriminator` reads. Space:
            ``discriminator_<first 8 digits of the file's SHA-256>``.
        zoo: an entry of the zoo with a ``discriminator.safetensors``: the teacher's. Space: ``<zoo>_discriminator``.
        seed: of the random weights.
    """

    @classmethod
    def code_facts(cls, settings: Mapping[str, Any]) -> dict[str, int]:
        """The size of the pictures that the zoo's discriminator reads, for plans."""
        return named_facts(settings)

    def __init__(
        self,
        network: Mapping[str, Any] | None = None,
        *,
        weights: str | Path | None = None,
        zoo: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network, self.space = named_discriminator(
            network, weights=weights, zoo=zoo, seed=seed, owner=type(self).__name__
        )

    def forward(self, image: Tensor) -> Tensor:
        check_shape("images", image, ("B", 3, self.network.size, self.network.size))
        maps = self.network.features(image)
        # Below 8² a map has too few places for a deviation that says something about one image.
        pooled = [part for x in maps if x.shape[-1] >= 8 for part in (x.mean((2, 3)), x.std((2, 3)))]
        return torch.cat(pooled, 1)


@MODELS.register_module()
class RegressorFeatures(nn.Module):
    """Means and deviations of a coefficient regressor's activations: image ``(B, 3, S, S)`` in [0, 1] → ``(B, C)``.

    It has learned to read shape, expression, colour, light and pose off faces, and looks at what decides about them; it
    reads pictures at 64². Not Inception: distances in this space are never an FID. Space: ``regressor_<first 8 digits
    of the file's SHA-256>``.

    Args:
        regressor: a file of a :class:`~faceuv.models.readers.regressor.CoefficientRegressor`; the zoo's by default.
    """

    def __init__(self, regressor: str | Path = "zoo:regressor/weights.safetensors") -> None:
        super().__init__()
        path = locate(regressor)
        self.network = RegressorMaps(path)
        self.space = f"regressor_{sha256_of(path)[:8]}"

    def train(self, mode: bool = True) -> RegressorFeatures:
        """It stays in evaluation mode: its batch statistics are part of the space."""
        return super().train(False)

    def forward(self, image: Tensor) -> Tensor:
        pooled = []
        for x in self.network.maps(image):
            pooled.append(x.mean((2, 3)))
            if x.shape[-1] >= 8:  # as above
                pooled.append(x.std((2, 3)))
        return torch.cat(pooled, 1)
