"""How well a render repeats the picture it was made after, where the render is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.errors import InputError
from faceuv.evaluation.masked import check_pair, masked_mean, mean_of_known
from faceuv.registry import LOSSES, METRICS

ENDINGS = ("", "_symmetric", "_random_yaw")
"""Of a sample's keys and of the results' names, for the views that a method may give."""
_OWN = ("l1", "psnr", "ssim")
_LEAST_ERROR = 1e-10  # of squares: a PSNR of 100 dB, far beyond 8 bits
_WINDOW = 11  # pixels of the Gaussian window, of σ 1.5, as SSIM is defined


def masked_l1(image: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """``(B,)``: mean absolute difference of pictures ``(B, 3, H, W)`` in [0, 1] over ``mask (B, 1, H, W)``.

    Here as in the functions below, pixels count by their mask in [0, 1], and an empty mask gives NaN.
    """
    check_pair(image, truth, mask)
    return masked_mean((image - truth).abs(), mask)


def masked_psnr(image: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """``(B,)`` dB: −10·log₁₀ of the mean squared difference over the mask, of pictures in [0, 1]; at most 100."""
    check_pair(image, truth, mask)
    return -10 * masked_mean((image - truth).square(), mask).clamp_min(_LEAST_ERROR).log10()


def masked_ssim(image: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """``(B,)``: kornia's SSIM (Gaussian window, 11 pixels wide, σ 1.5) of pictures in [0, 1], averaged over the mask.

    Outside the mask the picture is replaced by the truth, so that windows which reach across the edge see no
    difference there.
    """
    from kornia.metrics import ssim  # half a second of import

    check_pair(image, truth, mask)
    if min(image.shape[2:]) < _WINDOW:
        raise InputError(f"SSIM needs pictures of at least {_WINDOW}² pixels, got {tuple(image.shape[2:])}")
    pasted = torch.where(mask > 0, truth + (image - truth) * mask, truth)
    return masked_mean(ssim(pasted, truth, _WINDOW), mask)


def reconstruction_errors(
    image: Tensor, truth: Tensor, mask: Tensor, losses: Mapping[str, Any] | None = None
) -> dict[str, Tensor]:
    """``l1``, ``psnr``, ``ssim``, and the values of ``losses`` by their names, each ``(B,)``.

    Args:
        image, truth: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.
        losses: of the kind with ``per_image({"image", "mask"}, {"image"})``, perceptual ones for instance.
    """
    found = {
        "l1": masked_l1(image, truth, mask),
        "psnr": masked_psnr(image, truth, mask),
        "ssim": masked_ssim(image, truth, mask),
    }
    empty = mask.flatten(1).sum(1) == 0
    for name, loss in (losses or {}).items():
        values = loss.per_image({"image": image, "mask": mask}, {"image": truth})
        found[name] = values.masked_fill(empty, torch.nan)
    return found


def measuring_losses(configs: Mapping[str, Any]) -> dict[str, Any]:
    """Losses that only measure, by their names, from configs; weights are not applied, None is left out."""
    found: dict[str, Any] = {}
    for name, config in configs.items():
        if config is None:  # switched off by a config that inherits
            continue
        plain = {k: v for k, v in config.items() if k != "weight"} if isinstance(config, Mapping) else config
        found[name] = LOSSES.build(plain)
        if name in _OWN or not hasattr(found[name], "per_image"):
            raise InputError(
                f"a reconstruction takes losses with per_image(pred, target) → (B,), under names other than"
                f" {', '.join(_OWN)}; {name!r} is a {type(found[name]).__name__}"
            )
    return found


@METRICS.register_module()
class Reconstruction(BaseMetric):
    """Renders against the pictures they were made after, where the render is: L1, PSNR, SSIM, perceptual distances.

    Samples are ``dict(real (3, H, W), fake (3, H, W), mask (1, H, W))`` as methods give them; of other views
    ``real_symmetric``, ``fake_symmetric``, ``mask_symmetric``, and the same with ``_random_yaw``. Logged are ``l1``,
    ``psnr`` (dB), ``ssim`` and the names of ``losses``, means over the images, with the view's ending;
    ``reconstruction_samples`` is how many faces there were.

    Args:
        losses: name → config of a loss with ``per_image``, ``dict(lpips=dict(type="LPIPS"))``; a weight is not applied.
    """

    default_prefix = ""  # the names tell enough

    def __init__(
        self, losses: Mapping[str, Any] | None = None, *, collect_device: str = "gpu", prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.losses = measuring_losses(losses or {})

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """The figures of each sample."""
        rows: list[dict[str, float]] = [{} for _ in data_samples]
        for ending in view_endings(data_samples, type(self).__name__):
            real, fake, mask = (
                torch.stack([sample[f"{side}{ending}"] for sample in data_samples]).float()
                for side in ("real", "fake", "mask")
            )
            losses = {name: loss.to(real.device) for name, loss in self.losses.items()}
            for name, values in reconstruction_errors(fake, real, mask, losses).items():
                for row, value in zip(rows, values.tolist()):
                    row[f"{name}{ending}"] = value
        self.results += rows

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """The means, and how many images they rest on."""
        if not results:
            raise InputError("Reconstruction got no samples; the data are empty")
        table = {name: torch.tensor([row[name] for row in results]) for name in results[0]}
        return {**mean_of_known(table), "reconstruction_samples": float(len(results))}


def view_endings(data_samples: Sequence[Mapping[str, Tensor]], owner: str) -> list[str]:
    """The :data:`ENDINGS` of the views that samples have pictures of; the original view is always among them."""
    first = data_samples[0]
    if not {"real", "fake", "mask"} <= set(first):
        raise InputError(
            f"{owner} reads samples dict(real (3, H, W), fake (3, H, W), mask (1, H, W)) of the model's forward; they"
            f" have {', '.join(sorted(first))}"
        )
    return [ending for ending in ENDINGS if f"real{ending}" in first]
