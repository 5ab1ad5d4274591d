"""PairedGenerator: trains a generator on pairs of latents and images, before adversarial training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.models.base.method import BaseMethod
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.models.stylegan2.layers import EqualizedLinear
from faceuv.models.stylegan2.synthesis import Noise
from faceuv.registry import GENERATORS, MODELS
from faceuv.synthetic.seeds import FACTORS


@MODELS.register_module()
class PairedGenerator(BaseMethod):
    """The warm start of a teacher: a StyleGAN2 generator is trained on pairs of latents and images.

    The latents of synthetic faces are known: they are the normal numbers that decide the scene. A step on pairs costs
    a quarter of an adversarial step and has a gradient in every pixel. What the latents do not decide (the texture of
    hair, for instance) stays smooth until ``StyleGAN2`` continues from these weights (``load_from``).

    A batch is ``dict(image (B, 3, S, S), latent (B, Z))``, images uint8 or float in [0, 1]. Optimiser: ``generator``.

    Args:
        generator: config of a :class:`~faceuv.models.stylegan2.StyleGAN2Generator` whose ``latent_dim`` is Z.
        losses: terms that compare images, ``loss({"image"}, {"image"})``.
        gains: factor of the synthetic scenes → factor on the initial weights of its numbers in the mapping network.
            Without it, the three numbers of the pose among hundreds would be learned late.
        noise: ``"none"`` trains without the noise inputs, whose strengths then stay zero.
    """

    images_seen: Tensor

    networks: ClassVar[tuple[str, ...]] = ("generator",)

    def __init__(
        self,
        generator: Mapping[str, Any],
        losses: Mapping[str, Any],
        *,
        gains: Mapping[str, float] | None = None,
        noise: Literal["random", "none"] = "random",
    ) -> None:
        super().__init__(losses)
        check_noise(noise)
        self.noise: Noise = noise
        self.generator = cast(StyleGAN2Generator, GENERATORS.build(generator))
        if gains:
            _amplify(self.generator, gains)
        self.add_counters("images_seen")

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the generator on pairs."""
        latent, image = pairs(self.data_preprocessor(data, True), self.generator)

        def terms() -> dict[str, Tensor]:
            return self.losses({"image": draw(self.generator, latent, self.noise)}, {"image": image})

        logs = self.update(optim_wrapper["generator"], terms)
        self.count("images_seen", len(image) * get_world_size())
        return logs

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``samples`` of the averaged generator: the same latents at each call."""
        generator = cast(StyleGAN2Generator, self.averaged("generator"))
        z = generator.sample_latents(count, generator=torch.Generator().manual_seed(0))
        return {"samples": generator(z).clamp(0, 1)}

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For metrics: each image of the batch beside what the averaged generator draws for its latent."""
        latent, image = pairs(data, self.generator)
        drawn = draw(cast(StyleGAN2Generator, self.averaged("generator")), latent, "fixed").clamp(0, 1)
        return [{"real": real, "fake": fake} for real, fake in zip(image, drawn)]


@torch.no_grad()
def _amplify(generator: StyleGAN2Generator, gains: Mapping[str, float]) -> None:
    if unknown := sorted(set(gains) - set(FACTORS)):
        raise InputError(f"gains: scenes have no factors {unknown}; they have {', '.join(FACTORS)}")
    first = cast(EqualizedLinear, generator.mapping.layers[0]).weight
    if (came := first.shape[1]) != (wanted := sum(FACTORS.values())):
        raise InputError(f"gains are for latents that are scenes, latent_dim={wanted}; this generator has {came}")
    each = torch.cat([torch.full((width,), float(gains.get(name, 1.0))) for name, width in FACTORS.items()])
    first.mul_(each / each.square().mean().sqrt())  # as loud as before on the whole


def pairs(data: Mapping[str, Any], generator: StyleGAN2Generator) -> tuple[Tensor, Tensor]:
    """Latents ``(B, Z)`` and images ``(B, 3, S, S)`` in [0, 1] of a batch."""
    if "latent" not in data:
        raise InputError(
            f"pairs need the latents of the pictures, the batch has {sorted(data)}; for CachedImages of SyntheticFaces"
            " set facts=('latent',)"
        )
    latent, image = data["latent"], data["image"]
    check_shape("latents", latent, ("B", generator.latent_dim))
    check_shape("images", image, (len(latent), 3, generator.size, generator.size))
    return latent, image.float() / 255 if image.dtype == torch.uint8 else image


def check_noise(noise: str) -> None:
    """Training draws fresh noise or none."""
    if noise not in ("random", "none"):
        raise InputError(f"noise must be 'random' or 'none' in training, got {noise!r}")


def draw(generator: StyleGAN2Generator, latent: Tensor, noise: Noise) -> Tensor:
    """Images of latents; in training the mean code follows."""
    w = generator.mapping(latent)
    if generator.training:
        generator.track_mean_code(w)
    image: Tensor = generator.synthesis(generator.broadcast(w), noise=noise)
    return image
