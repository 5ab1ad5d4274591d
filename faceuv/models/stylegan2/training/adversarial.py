"""StyleGAN2: the adversarial training of a teacher on images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.data.augment import AdaptiveAugment
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.losses import R1Penalty
from faceuv.models.base.fixed import frozen
from faceuv.models.base.method import BaseMethod
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator, mix
from faceuv.models.stylegan2.training.paired import check_noise, draw, pairs
from faceuv.registry import GENERATORS, MODELS

PAIRED = ("paired", "matched")
FEATURED = ("feature_generator", "feature_discriminator")
TERMS = ("generator", "discriminator", "r1", *FEATURED, *PAIRED)


@MODELS.register_module()
class StyleGAN2(BaseMethod):
    """StyleGAN2 (Karras et al. 2020): generator against discriminator, lazy R1, style mixing, optional ADA.

    A batch is ``dict(image (B, 3, S, S))``, uint8 or float in [0, 1]. Optimisers: ``generator``, ``discriminator``
    and, if there is one, ``feature_discriminator``.
    The hook ``GeneratorEMA`` keeps the average that is shown, evaluated and shipped.

    Args:
        generator: config of a :class:`~faceuv.models.stylegan2.StyleGAN2Generator`.
        discriminator: config of a :class:`~faceuv.models.stylegan2.StyleGAN2Discriminator` of the same size.
        losses: ``generator``, ``discriminator`` and, unless None, ``r1``. R1 has an optimiser step of its own, in full
            precision, on the images that the discriminator is shown, at its interval. ``paired`` and ``matched``
            (None by default) compare the generator with images of known latents, which batches must then contain:
            ``paired`` compares the images, ``matched`` what the discriminator sees in them, ``features``.
        noise: ``"none"`` trains without the noise inputs, whose strengths then stay at their initial value, zero.
        paired_interval: every so many iterations, the generator's step uses the latents of the batch's own images and
            adds the terms on pairs.
        discriminator_first: number of images at the start on which only the discriminator is trained; for a pretrained
            generator, which an untrained discriminator would spoil.
        style_mixing: share of the generated images whose coarse and fine rows come from different latents.
        mirror: show each real image mirrored half the time; right for what is left-right symmetric.
        feature_discriminator: config of a second discriminator, a
            :class:`~faceuv.models.stylegan2.training.feature_discriminator.FeatureDiscriminator`, which sees what a
            trained network sees; its losses are ``feature_generator`` and ``feature_discriminator``.
        augment: settings of :class:`~faceuv.data.augment.AdaptiveAugment`; None for no augmentation.
    """

    steps: Tensor
    images_seen: Tensor

    networks: ClassVar[tuple[str, ...]] = ("generator", "discriminator", "feature_discriminator")
    critics: ClassVar[tuple[str, ...]] = ("discriminator", "feature_discriminator")
    exports: ClassVar[tuple[str, ...]] = ("generator.safetensors", "discriminator.safetensors")

    @classmethod
    def networks_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Without the second discriminator where there is none."""
        return cls.networks if config.get("feature_discriminator") else cls.networks[:2]

    def __init__(
        self,
        generator: Mapping[str, Any],
        discriminator: Mapping[str, Any],
        losses: Mapping[str, Any],
        *,
        style_mixing: float = 0.9,
        mirror: bool = True,
        augment: Mapping[str, Any] | None = None,
        noise: Literal["random", "none"] = "random",
        paired_interval: int = 4,
        discriminator_first: int = 0,
        feature_discriminator: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(losses)
        unknown = sorted(set(losses) - set(TERMS))
        lacking = [name for name in TERMS[:2] if name not in self.losses.terms]
        if unknown or lacking:
            raise InputError(f"StyleGAN2 has the losses {', '.join(TERMS)}; unknown: {unknown}, lacking: {lacking}")
        if not 0 <= style_mixing <= 1:
            raise InputError(f"style_mixing is a share in [0, 1], got {style_mixing}")
        self.generator = cast(StyleGAN2Generator, GENERATORS.build(generator))
        self.discriminator = cast(StyleGAN2Discriminator, MODELS.build(discriminator))
        if self.generator.size != self.discriminator.size:
            raise InputError(
                f"the generator makes {self.generator.size}² images, the discriminator reads {self.discriminator.size}²"
            )
        lacking = [name for name in FEATURED if (name in self.losses.terms) != (feature_discriminator is not None)]
        if lacking:
            raise InputError(
                f"a feature_discriminator needs the losses {' and '.join(FEATURED)}, and they need it; check"
                f" {' and '.join(lacking)}"
            )
        self.feature_discriminator: nn.Module | None = None
        if feature_discriminator is not None:
            self.feature_discriminator = cast(nn.Module, MODELS.build(feature_discriminator))
        if not isinstance(paired_interval, int) or paired_interval < 1 or discriminator_first < 0:
            raise InputError(
                "expected a whole paired_interval ≥ 1 and discriminator_first ≥ 0 images, got"
                f" {paired_interval!r} and {discriminator_first!r}"
            )
        check_noise(noise)
        self.style_mixing, self.mirror, self.noise = style_mixing, mirror, noise
        self.paired_interval, self.discriminator_first = paired_interval, discriminator_first
        self.augment = AdaptiveAugment(**augment) if augment is not None else None
        self.add_counters("steps", "images_seen")

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the discriminator, its R1 step when due, one step of the generator, on pairs when due."""
        real = self.real_images(data)
        logs = self._discriminator_step(real, optim_wrapper)
        r1 = cast("R1Penalty | None", dict(self.losses.terms).get("r1"))
        if r1 is not None and r1.due(self.counted("steps")):
            logs |= self.update(optim_wrapper["discriminator"], lambda: self._r1(real))
        if self.counted("images_seen") >= self.discriminator_first:
            due = self.counted("steps") % self.paired_interval == 0
            paired = due and any(name in self.losses.terms for name in PAIRED)
            with frozen(*self._judges()):
                logs |= self.update(
                    optim_wrapper["generator"],
                    lambda: self._paired_terms(data) if paired else self._generator_terms(len(real)),
                )
        self.count("steps", 1)
        self.count("images_seen", len(real) * get_world_size())
        return logs

    def real_images(self, data: Any) -> Tensor:
        """The real images of a batch on the model's device, ``(B, 3, S, S)`` in [0, 1], mirrored at random."""
        image: Tensor = self.data_preprocessor(data, True)["image"]
        check_shape("real images", image, ("B", 3, self.generator.size, self.generator.size))
        if image.dtype == torch.uint8:
            image = image.float() / 255
        if self.mirror:
            flip = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
            image = torch.where(flip, image.flip(3), image)
        return image

    def codes(self, count: int) -> Tensor:
        """Codes ``(count, L, D)`` of random latents, mixed; the generator's mean code follows them."""
        generator = self.generator
        w = generator.mapping(generator.sample_latents(2 * count))
        generator.track_mean_code(w)
        first, second = generator.broadcast(w).chunk(2)
        layers = generator.num_layers
        edge = torch.randint(1, layers, (count,), device=w.device)
        mixed = torch.rand(count, device=w.device) < self.style_mixing
        return mix(first, second, torch.where(mixed, edge, layers))

    def _shown(self, image: Tensor) -> Tensor:
        """The input of the discriminator for an image."""
        return image if self.augment is None else self.augment(image)

    def _judges(self) -> list[nn.Module]:
        judges = [self.discriminator, self.feature_discriminator]
        return [judge for judge in judges if judge is not None]

    def _discriminator_step(self, real: Tensor, optimizers: Any) -> dict[str, Tensor]:
        scores: dict[str, Tensor] = {}

        def terms() -> dict[str, Tensor]:
            with torch.no_grad():
                fake = self.generator.synthesis(self.codes(len(real)), noise=self.noise)
            scores["shown_fake"], scores["shown_real"] = self._shown(fake), self._shown(real)
            scores["fake"] = self.discriminator(scores["shown_fake"])
            scores["real"] = self.discriminator(scores["shown_real"])
            pred, target = {"scores": scores["fake"]}, {"scores": scores["real"]}
            return {"discriminator": self.losses.term("discriminator", pred, target)}

        def feature_terms() -> dict[str, Tensor]:
            judge = cast(nn.Module, self.feature_discriminator)
            pred, target = ({"scores": judge(scores[f"shown_{side}"])} for side in ("fake", "real"))
            return {"feature_discriminator": self.losses.term("feature_discriminator", pred, target)}

        logs = self.update(optimizers["discriminator"], terms)
        if self.feature_discriminator is not None:
            logs |= self.update(optimizers["feature_discriminator"], feature_terms)
        signs = torch.stack([scores["real"], scores["fake"]]).detach().float().sign().mean((1, 2))
        logs |= {"sign_real": signs[0], "sign_fake": signs[1]}
        if self.augment is not None:
            sign = signs[0].clone()
            all_reduce(sign, "mean")  # every rank must augment with the same strength
            self.augment.adapt(sign, len(real) * get_world_size())
            logs["augment"] = self.augment.strength.clone()
        return logs

    def _r1(self, real: Tensor) -> dict[str, Tensor]:
        with torch.autocast(real.device.type, enabled=False):
            image = (self._shown(real).detach() * 2 - 1).requires_grad_()
            scores = self.discriminator(image, raw=True)
            return {"r1": self.losses.term("r1", {}, {"image": image, "scores": scores})}

    def _generator_terms(self, count: int) -> dict[str, Tensor]:
        fake = self.generator.synthesis(self.codes(count), noise=self.noise)
        return self._fooling(self._shown(fake))

    def _fooling(self, shown: Tensor, scores: Tensor | None = None) -> dict[str, Tensor]:
        """The generator's terms on pictures as the discriminators see them; ``scores`` of the first if known."""
        scores = self.discriminator(shown) if scores is None else scores
        logs = {"generator": self.losses.term("generator", {"scores": scores}, {})}
        if self.feature_discriminator is not None:
            judged = {"scores": self.feature_discriminator(shown)}
            logs["feature_generator"] = self.losses.term("feature_generator", judged, {})
        return logs

    def _paired_terms(self, data: Any) -> dict[str, Tensor]:
        latent, image = pairs(self.data_preprocessor(data, True), self.generator)
        fake = draw(self.generator, latent, self.noise)
        pred: dict[str, Any] = {"image": fake}
        target: dict[str, Any] = {"image": image}
        if "matched" in self.losses.terms:  # on the pictures themselves, whatever augmentation the scores see
            pred["features"] = self.discriminator.features(fake)
            with torch.no_grad():
                target["features"] = self.discriminator.features(image)
        shared = "features" in pred and self.augment is None
        scores = self.discriminator.scores_of(pred["features"]) if shared else None
        matched = {name: self.losses.term(name, pred, target) for name in PAIRED if name in self.losses.terms}
        return self._fooling(self._shown(fake), scores) | matched

    @torch.no_grad()
    def generate(self, seeds: Tensor | list[int], *, truncation: float = 1.0) -> Tensor:
        """Images ``(B, 3, S, S)`` in [0, 1] of the averaged generator, image b a function of ``seeds[b]`` alone."""
        generator = cast(StyleGAN2Generator, self.averaged("generator"))
        z = [generator.sample_latents(1, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        return generator(torch.cat(z), truncation=truncation).clamp(0, 1)

    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``samples``, and the same latents ``truncated`` to 0.7, of the averaged generator."""
        seeds = list(range(count))
        return {"samples": self.generate(seeds), "truncated": self.generate(seeds, truncation=0.7)}

    def export(self, folder: Path) -> list[str]:
        """Write what later stages read: the averaged generator and the discriminator."""
        generator = cast(StyleGAN2Generator, self.averaged("generator"))
        metadata = {"images_seen": int(self.images_seen)}
        for name, network in (("generator", generator), ("discriminator", self.discriminator)):
            save_network(folder / f"{name}.safetensors", network, metadata=metadata)
        return ["generator.safetensors", "discriminator.safetensors"]

    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For metrics of distributions: each real image of the batch beside a generated one."""
        real = data["image"].float() / 255 if data["image"].dtype == torch.uint8 else data["image"]
        return [{"real": r, "fake": f} for r, f in zip(real, self.generate(data["index"]))]
