"""Fréchet distance between two sets of features: between the Gaussians with their means and covariances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.registry import METRICS, MODELS


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """``‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½)`` of two feature sets ``(N, C)`` and ``(M, C)``.

    In float64 and by symmetric eigenvalues: (Σ₁Σ₂)^½ has the trace of (Σ₁^½ Σ₂ Σ₁^½)^½, whose argument is symmetric and
    has no negative eigenvalue but by rounding. Fewer than a few times C samples bias the distance upward.
    """
    sizes = check_shape("the first features", first, ("N", "C"))
    check_shape("the second features", second, ("M", sizes["C"]))
    for name, features in (("first", first), ("second", second)):
        if len(features) < 2:
            raise InputError(f"a covariance needs at least two samples, the {name} set has {len(features)}")
        check_finite(f"the {name} features", features)
    (mean1, cov1), (mean2, cov2) = (_moments(features.double()) for features in (first, second))
    values, vectors = torch.linalg.eigh(cov1)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov2 @ root).clamp_min(0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return max(float(distance), 0.0)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    mean = features.mean(0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


@METRICS.register_module()
class FrechetDistance(BaseMetric):
    """Fréchet distance of generated to real images, in a feature space that the result's name tells.

    Samples are ``dict(real (3, H, W), fake (3, H, W))`` in [0, 1]. Logged as ``frechet`` with the number of samples
    beside it. It is an FID only with Inception features; with any other the numbers compare runs with each other, never
    with published FIDs.

    Args:
        features: config of a module ``image (B, 3, H, W) in [0, 1] → (B, C)``, such as
            ``dict(type="DiscriminatorFeatures", …)``.
    """

    default_prefix = None

    def __init__(self, features: Mapping[str, Any], *, collect_device: str = "cpu", prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.features: torch.nn.Module = MODELS.build(features)
        self.features.eval()

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """Features of the real and the generated image of each sample."""
        sides = [torch.stack([sample[side] for sample in data_samples]) for side in ("real", "fake")]
        self.features.to(sides[0].device)
        real, fake = (self.features(images).float().cpu() for images in sides)
        self.results += list(zip(real, fake))

    def compute_metrics(self, results: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``frechet`` and how many samples it rests on."""
        real, fake = (torch.stack(side) for side in zip(*results))
        return {"frechet": frechet_distance(real, fake), "frechet_samples": float(len(results))}
