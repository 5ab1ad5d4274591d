"""Views that an inversion was not shown: what the local branch gains where the picture showed the face, and
elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.errors import InputError
from faceuv.evaluation.masked import mean_of_known
from faceuv.evaluation.reconstruction import masked_l1, measuring_losses, reconstruction_errors
from faceuv.registry import METRICS

KEYS = ("real", "bare", "fake", "mask", "seen")


def seen_and_unseen(image: Tensor, truth: Tensor, mask: Tensor, seen: Tensor) -> dict[str, Tensor]:
    """``seen`` and ``unseen`` ``(B,)``: mean absolute differences over the pixels of the face that show texels that the
    picture showed, and over the others; NaN where there are none.

    Args:
        mask: ``(B, 1, S, S)`` where the face is; ``seen``: the share of each pixel that the picture showed.
    """
    return {
        "seen": masked_l1(image, truth, (seen > 0.95) * mask),
        "unseen": masked_l1(image, truth, (seen < 0.05) * (mask > 0.5) * mask),
    }


@METRICS.register_module()
class HiddenViews(BaseMetric):
    """Errors at a view that the inversion was not shown, with the local branch and without it:
    ``dict(type="HiddenViews", losses=dict(perceptual=…))``.

    Samples are ``dict(real, bare, fake (3, H, W), mask, seen (1, H, W))``, as
    :class:`~faceuv.models.inversion.LocalDetailing` gives them. Logged are ``l1``, ``psnr``, ``ssim`` (true SSIM) and
    the ``losses`` over the face, with the branch and as ``bare_…`` without it; ``seen`` and ``unseen``, mean absolute
    differences apart; ``seen_reduction`` and ``unseen_reduction``, by how many percent the branch lowers them, of the
    means; and ``faces``.
    """

    default_prefix = "hidden"

    def __init__(
        self, losses: Mapping[str, Any] | None = None, *, collect_device: str = "gpu", prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.losses = measuring_losses(losses or {})

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """The figures of each sample."""
        missing = [key for key in KEYS if key not in data_samples[0]]
        if missing:
            raise InputError(
                f"HiddenViews reads samples with {', '.join(KEYS)}; they lack {', '.join(missing)}: take those of"
                " LocalDetailing"
            )
        found = {key: torch.stack([sample[key] for sample in data_samples]).float() for key in KEYS}
        losses = {name: loss.to(found["real"].device) for name, loss in self.losses.items()}
        columns: dict[str, Tensor] = {}
        for side, prefix in (("fake", ""), ("bare", "bare_")):
            errors = reconstruction_errors(found[side], found["real"], found["mask"], losses)
            errors |= seen_and_unseen(found[side], found["real"], found["mask"], found["seen"])
            columns |= {prefix + name: value for name, value in errors.items()}
        self.results += [{name: float(value[k]) for name, value in columns.items()} for k in range(len(data_samples))]

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """The means, and what the branch gains."""
        if not results:
            raise InputError("HiddenViews got no samples; the data are empty")
        means = mean_of_known({name: torch.tensor([row[name] for row in results]) for name in results[0]})
        gains = {
            f"{part}_reduction": 100 * (1 - means[part] / means[f"bare_{part}"])
            for part in ("seen", "unseen")
            if means.get(f"bare_{part}")
        }
        return {**means, **gains, "faces": float(len(results))}
