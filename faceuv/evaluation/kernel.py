"""Kernel distance between two sets of features: the squared maximum mean discrepancy under a cubic kernel."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.evaluation.feature_metric import FeatureMetric, check_features, features_of
from faceuv.registry import METRICS


def squared_mmd(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased estimate of MMD² between two feature sets ``(N, C)`` and ``(M, C)`` with k(x, y) = (x·y/C + 1)³.

    Its expectation is zero for samples of one distribution, so values just below zero are right.
    """
    n, m = len(first), len(second)
    within = [(_kernel(x, x).sum() - _kernel_with_itself(x).sum()) / (len(x) * (len(x) - 1)) for x in (first, second)]
    return within[0] + within[1] - 2 * _kernel(first, second).sum() / (n * m)


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _kernel_with_itself(x: Tensor) -> Tensor:
    return (x.square().mean(1) + 1) ** 3


def kernel_distance(
    first: Tensor, second: Tensor, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Mean and deviation of :func:`squared_mmd` over random subsets of two feature sets ``(N, C)``, ``(M, C)``.

    In float64. The deviation is that of a single subset's estimate.

    Args:
        subsets: how many pairs of subsets are drawn.
        subset_size: rows of each, drawn without repetition; neither set may be smaller.
        seed: of the draw.
    """
    sizes = check_features("the first features", first, ("N", "C"))
    check_features("the second features", second, ("M", sizes["C"]))
    _check_subsets(subsets, subset_size)
    smallest = min(len(first), len(second))
    if smallest < subset_size:
        raise InputError(
            f"subsets of {subset_size} samples cannot be drawn from {smallest}: give more samples, or a smaller"
            " subset_size (values of different sizes are comparable, small ones are noisier)"
        )
    generator = torch.Generator().manual_seed(seed)
    sides = [side.detach().cpu().double() for side in (first, second)]
    values = [
        squared_mmd(*(side[torch.randperm(len(side), generator=generator)[:subset_size]] for side in sides))
        for _ in range(subsets)
    ]
    result = torch.stack(values)
    return float(result.mean()), float(result.std(unbiased=False))


def kernel_distance_of(
    first: Iterable[Tensor],
    second: Iterable[Tensor],
    features: nn.Module,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """:func:`kernel_distance` of two streams of batches of images ``(B, 3, H, W)`` in [0, 1], in the space of
    ``features``; their features are kept, 4·C bytes for each image."""
    sides = [torch.cat([rows.cpu() for rows in features_of(images, features)]) for images in (first, second)]
    return kernel_distance(sides[0], sides[1], subsets=subsets, subset_size=subset_size, seed=seed)


def _check_subsets(subsets: int, subset_size: int) -> None:
    if subsets < 1 or subset_size < 2:
        raise InputError(f"subsets must be ≥ 1 and subset_size ≥ 2, got {subsets} and {subset_size}")


@METRICS.register_module()
class KernelDistance(FeatureMetric[list[Tensor]]):
    """Kernel distance (cubic kernel, unbiased MMD²) of generated to real images, in a space the result's name tells.

    Logged as ``kernel_<space>``, in Inception's space as ``kid``: the mean over subsets, with ``…_std``, the standard
    deviation over subsets, and ``…_samples`` beside it. Unlike the Fréchet distance it has no bias with few samples.

    Args:
        features, real, fake, collect_device, prefix: see :class:`~faceuv.evaluation.feature_metric.FeatureMetric`.
        subsets, subset_size, seed: of the draw, see :func:`kernel_distance`.
        limit: the features of the first ``limit`` samples of the data set are kept in memory, 4·C bytes for each image,
            and the rest is left out, which the log says. Each process keeps its share.
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        *,
        subsets: int = 100,
        subset_size: int = 1000,
        seed: int = 0,
        limit: int = 50_000,
        real: str = "real",
        fake: str = "fake",
        collect_device: str = "gpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(features, real=real, fake=fake, collect_device=collect_device, prefix=prefix)
        _check_subsets(subsets, subset_size)
        if limit < subset_size:
            raise InputError(f"limit must be at least subset_size, got {limit} and {subset_size}")
        self.subsets, self.subset_size, self.seed, self.limit = subsets, subset_size, seed, limit

    def add(self, kept: list[Tensor] | None, features: Tensor) -> list[Tensor]:
        """The features of this process with more, up to its share of the limit."""
        kept = kept or []
        room = -(-self.limit // get_world_size()) - sum(map(len, kept))
        return [*kept, features[:room].cpu()] if room > 0 else kept

    def pack(self, kept: list[Tensor]) -> list[Tensor]:
        """The features in one piece."""
        return [torch.cat(kept)]

    def distances(self, real: list[list[Tensor]], fake: list[list[Tensor]], count: int) -> dict[str, float]:
        """The mean and the deviation over subsets, and how many samples they rest on."""
        name = self.name("kernel", "kid")
        sides = [_in_order([torch.cat(kept) for kept in side])[: self.limit] for side in (real, fake)]
        if len(sides[0]) < count:
            print_log(
                f"{name} rests on the first {len(sides[0])} of {count} samples (KernelDistance, limit={self.limit})",
                logger="current",
                level=logging.WARNING,
            )
        mean, deviation = kernel_distance(*sides, subsets=self.subsets, subset_size=self.subset_size, seed=self.seed)
        return {name: mean, f"{name}_std": deviation, f"{name}_samples": float(len(sides[0]))}


def _in_order(parts: list[Tensor]) -> Tensor:
    """Rows in the order of the data set, of which process r of W has r, r + W, r + 2W, …"""
    place = torch.cat([torch.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)])
    return torch.cat(parts)[place.argsort()]
