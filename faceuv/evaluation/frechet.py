"""Fréchet distance between two sets of features: between the Gaussians with their means and covariances."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.evaluation.feature_metric import FeatureMetric, check_features, features_of
from faceuv.evaluation.moments import Moments
from faceuv.registry import METRICS


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """:func:`frechet_distance_of_moments` of two feature sets ``(N, C)`` and ``(M, C)``."""
    sizes = check_features("the first features", first, ("N", "C"))
    check_features("the second features", second, ("M", sizes["C"]))
    return frechet_distance_of_moments(Moments.of(first), Moments.of(second))


def frechet_distance_of_moments(first: Moments, second: Moments) -> float:
    """``‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½)``, in float64.

    The last trace is the sum of the singular values of AᵀB, for any Σ₁ = AAᵀ and Σ₂ = BBᵀ. A and B come from symmetric
    eigenvalues, cut to the rank that so many samples can have: beyond it there is only rounding, whose square root
    would not be small. Fewer than a few times C samples bias the distance upward.
    """
    for name, moments in (("first", first), ("second", second)):
        if moments.count < 2:
            raise InputError(f"a covariance needs at least two samples, the {name} set has {moments.count}")
    cross = torch.linalg.svdvals(_root(first).T @ _root(second)).sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * cross
    return max(float((first.mean - second.mean).square().sum() + spread), 0.0)


def feature_moments(images: Iterable[Tensor], features: nn.Module) -> Moments:
    """The moments of the features of batches of images ``(B, 3, H, W)`` in [0, 1], one batch in memory at a time.

    Those of several processes are added: ``reduce(add, parts)``.
    """
    parts = (Moments.of(rows) for rows in features_of(images, features))
    return reduce(add, parts)


def frechet_distance_of(
    first: Iterable[Tensor] | Moments, second: Iterable[Tensor] | Moments, features: nn.Module
) -> float:
    """The Fréchet distance of two streams of batches of images ``(B, 3, H, W)`` in [0, 1], in a feature space.

    Args:
        first, second: batches; or the :func:`feature_moments` of a set that is compared with several others.
        features: ``image → (B, C)``, :class:`~faceuv.evaluation.features.DiscriminatorFeatures` for instance.
    """
    moments = [side if isinstance(side, Moments) else feature_moments(side, features) for side in (first, second)]
    return frechet_distance_of_moments(*moments)


def _root(moments: Moments) -> Tensor:
    """A ``(C, rank)`` with covariance = A·Aᵀ."""
    values, vectors = torch.linalg.eigh(moments.covariance)
    values, vectors = values[-moments.rank :], vectors[:, -moments.rank :]
    return vectors * values.clamp_min(0).sqrt()


@METRICS.register_module()
class FrechetDistance(FeatureMetric[Moments]):
    """Fréchet distance of generated to real images, in a feature space that the result's name tells.

    Logged as ``frechet_<space>``, in Inception's space as ``fid``, with the number of samples, ``…_samples``, beside
    it. Only an ``fid`` may be compared with published FIDs. Mean and covariance are summed batch by batch in float64,
    so memory does not grow with the number of samples.

    Args:
        features, real, fake, collect_device, prefix: see :class:`~faceuv.evaluation.feature_metric.FeatureMetric`.
    """

    def add(self, kept: Moments | None, features: Tensor) -> Moments:
        """The moments of more features."""
        new = Moments.of(features)
        return new if kept is None else kept + new

    def pack(self, kept: Moments) -> Moments:
        """The moments in the CPU's memory."""
        return kept.cpu()

    def distances(self, real: list[Moments], fake: list[Moments], count: int) -> dict[str, float]:
        """The distance, and how many samples it rests on."""
        name = self.name("frechet", "fid")
        distance = frechet_distance_of_moments(reduce(add, real), reduce(add, fake))
        return {name: distance, f"{name}_samples": float(count)}
