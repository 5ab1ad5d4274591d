"""d(a, b) of equation 2: mean absolute difference plus a perceptual distance, both under a mask.

The four pairs of images of a step share images; each image's features are computed once (:meth:`ImageDistance.seen`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.files.assets import Missing
from faceuv.files.paths import user_path
from faceuv.losses.perceptual import LPIPS, directions, find_vgg, read_vgg
from faceuv.models.base.fixed import Fixed
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.pretrained import named_discriminator, named_facts
from faceuv.registry import MODELS

_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)  # of torchvision's VGG-16, up to relu4_3
_POOL_BEFORE = (5, 10, 17)
_KEPT = (7, 14, 21)  # relu2_2, relu3_3, relu4_3
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@MODELS.register_module()
class VGGMaps(nn.Module):
    """Activations of VGG-16 as the paper compares them: relu2_2, relu3_3 and relu4_3, on the image and on versions of
    a half and a quarter of its size; scaled to length 1 at each place. Images ``(B, 3, S, S)`` in [0, 1], S ≥ 32.

    Args:
        weights: the file ``vgg16-397923af.pth`` of torchvision, never downloaded here; by default it is looked for as
            :class:`~faceuv.losses.LPIPS` does.
        sha256: the beginning of the file's SHA-256.
        scales: how many sizes.
    """

    def __init__(self, weights: str | Path | None = None, *, sha256: str = "397923af", scales: int = 3) -> None:
        super().__init__()
        state = read_vgg(find_vgg() if weights is None else user_path(weights), sha256)
        layers = nn.ModuleDict()
        for index in _CONVOLUTIONS:
            weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            layer.load_state_dict({"weight": weight, "bias": bias})
            layers[str(index)] = layer
        self.layers: Fixed[nn.ModuleDict] = Fixed(layers)
        self.scales = scales

    @classmethod
    def missing_assets(cls, weights: str | Path | None = None, **_: Any) -> list[Missing]:
        """VGG's weights, if they are not where they would be looked for."""
        return LPIPS.missing_assets(weights)

    def forward(self, image: Tensor) -> list[Tensor]:
        mean, deviation = (image.new_tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
        found = []
        for scale in range(self.scales):
            x = F.avg_pool2d(image, 2**scale) if scale else image
            x = (x - mean) / deviation
            for index in _CONVOLUTIONS:
                if index in _POOL_BEFORE:
                    x = F.max_pool2d(x, 2)
                x = F.relu(self.layers.network[str(index)](x))
                if index in _KEPT:
                    found.append(directions(x, 1e-8))
        return found


@MODELS.register_module()
class DiscriminatorMaps(nn.Module):
    """Activations of a discriminator at every resolution from S down to 8, scaled to length 1 at each place. They need
    no download and are no VGG. Images ``(B, 3, S, S)`` in [0, 1].

    Args:
        network, weights, zoo, seed: which discriminator, see :class:`~faceuv.losses.DiscriminatorPerceptual`.
    """

    @classmethod
    def code_facts(cls, settings: Mapping[str, Any]) -> dict[str, int]:
        """The size of the images that the zoo's discriminator reads, for plans."""
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
        found, self.space = named_discriminator(network, weights=weights, zoo=zoo, seed=seed, owner=type(self).__name__)
        self.network: Fixed[StyleGAN2Discriminator] = Fixed(found)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [directions(x.float(), 1e-3) for x in self.network.network.features(image, least=8)]


@dataclass(frozen=True, eq=False)
class Seen:
    """Images ``(B, 3, S, S)`` with their feature maps."""

    image: Tensor
    maps: list[Tensor]

    def chunk(self, parts: int) -> list[Seen]:
        """Equal runs of rows."""
        maps = [x.chunk(parts) for x in self.maps]
        return [Seen(image, [m[k] for m in maps]) for k, image in enumerate(self.image.chunk(parts))]

    def detach(self) -> Seen:
        """Without gradients."""
        return Seen(self.image.detach(), [x.detach() for x in self.maps])


class ImageDistance(nn.Module):
    """``d(a, b) = L1 + λ_perc · L_perc`` ``(B,)``, averaged under a mask, which is pooled to each layer's size.

    Args:
        perceptual: config of feature maps, ``dict(type="VGGMaps")`` or ``dict(type="DiscriminatorMaps", zoo=…)``; None:
            the mean absolute difference alone.
        weight: λ_perc.
    """

    def __init__(self, perceptual: Mapping[str, Any] | None = None, weight: float = 1.0) -> None:
        super().__init__()
        if weight < 0:
            raise InputError(f"distance.weight of the perceptual part must be ≥ 0, got {weight}")
        self.weight = float(weight)
        self.maps: Any = MODELS.build(perceptual) if perceptual is not None and weight > 0 else None

    def seen(self, image: Tensor) -> Seen:
        """An image with what the distance needs of it."""
        return Seen(image, [] if self.maps is None else self.maps(image))

    def forward(self, a: Seen, b: Seen, mask: Tensor | None = None) -> Tensor:
        """``(B,)``; ``mask (B, 1, S, S)`` gets no gradient."""
        sizes = check_shape("a", a.image, ("B", 3, "H", "W"))
        check_shape("b", b.image, tuple(a.image.shape))
        if mask is not None:
            check_shape("mask", mask, (sizes["B"], 1, sizes["H"], sizes["W"]))
            mask = mask.detach()
        total = _mean((a.image - b.image).abs().mean(1, keepdim=True), mask)
        if self.maps is None:
            return total
        layers = [_mean((x - y).square().sum(1, keepdim=True), mask) for x, y in zip(a.maps, b.maps)]
        return total + self.weight * torch.stack(layers).mean(0)


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """``(B,)`` of ``(B, 1, R, R)``, under a mask of the images' size; 0 where the mask is empty."""
    if mask is None:
        return values.mean((1, 2, 3))
    weights = mask if mask.shape[2:] == values.shape[2:] else F.adaptive_avg_pool2d(mask, values.shape[-1])
    total = weights.sum((1, 2, 3)).clamp_min(torch.finfo(values.dtype).eps)
    return (values * weights).sum((1, 2, 3)) / total
