"""The base of metrics of distributions: features of real and generated images, from batches and processes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from mmengine.dist import get_world_size
from mmengine.evaluator import BaseMetric
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError
from faceuv.registry import MODELS

SIDES = ("real", "fake")
INCEPTION = "inception"
"""The feature space in which a Fréchet distance is an FID, and a kernel distance a KID."""

Kept = TypeVar("Kept")


def distance_names(space: str) -> tuple[str, str]:
    """What the Fréchet and the kernel distance are called in a feature space."""
    return ("fid", "kid") if space == INCEPTION else (f"frechet_{space}", f"kernel_{space}")


def check_features(name: str, features: Tensor, shape: tuple[str | int, str | int]) -> dict[str, int]:
    """Check that ``features`` are finite floating-point rows of this shape; the sizes of the named axes."""
    sizes = check_shape(name, features, shape)
    check_floating(name, features)
    broken = (~torch.isfinite(features).all(1)).nonzero().flatten().tolist()
    if broken:
        raise InputError(f"{name} hold NaN or infinity in row(s) {broken[:8]}: the generator has diverged")
    return sizes


@torch.no_grad()
def features_of(images: Iterable[Tensor], features: nn.Module) -> Iterator[Tensor]:
    """The features ``(B, C)`` of batches of images ``(B, 3, H, W)`` in [0, 1], batch by batch, each checked."""
    number = 0
    for batch in images:
        rows = features.to(batch.device)(batch)
        check_features(f"features of the images {number} …", rows, (len(batch), "C"))
        number += len(batch)
        yield rows
    if number == 0:
        raise InputError("there are no images whose features could be compared")


@dataclass
class _Part(Generic[Kept]):
    """What one process knows of each side: how many samples, the last one's features, and the rest in some form."""

    count: int
    last: dict[str, Tensor]
    kept: dict[str, Kept]


class FeatureMetric(BaseMetric, Generic[Kept]):
    """A distance of generated to real images in a feature space, which the names of the results tell.

    Samples are ``dict(real (3, H, W), fake (3, H, W))`` in [0, 1], one for each item of the data set. Results do not
    depend on batches or processes: each process keeps what :meth:`add` makes of its features, and :meth:`distances`
    joins them; the samples that a sampler repeats to give all processes the same number are left out.

    Args:
        features: config of a module ``image (B, 3, H, W) in [0, 1] → (B, C)`` with the attribute ``space``, a name for
            its feature space: ``dict(type="DiscriminatorFeatures", …)``, ``dict(type="InceptionFeatures")``.
        real, fake: which of a sample's pictures are compared, for methods that give several. The results of
            ``fake="fake_random_yaw"`` end with ``_random_yaw``.
        collect_device: ``"gpu"`` gathers over the process group, whatever its devices; ``"cpu"`` through files in a
            folder that all processes share.
        prefix: before the names of the results.
    """

    default_prefix = ""  # the names tell enough

    def __init__(
        self,
        features: Mapping[str, Any],
        *,
        real: str = "real",
        fake: str = "fake",
        collect_device: str = "gpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.keys = dict(zip(SIDES, (real, fake)))
        self.ending = fake.removeprefix("fake") if fake.startswith("fake") else f"_{fake}"
        self.features: nn.Module = MODELS.build(features)
        self.features.eval()
        self.space = getattr(self.features, "space", None)
        if not isinstance(self.space, str) or not self.space:
            raise InputError(
                f"{type(self.features).__name__} has no attribute 'space': give it a name for its feature space, with"
                " which the results are named"
            )
        self._part: _Part[Kept] = _Part(0, {}, {})
        self._size = 0

    def name(self, measure: str, inception: str) -> str:
        """What a result is called: ``inception`` only in the feature space of that name."""
        return (inception if self.space == INCEPTION else f"{measure}_{self.space}") + self.ending

    @abstractmethod
    def add(self, kept: Kept | None, features: Tensor) -> Kept:
        """``kept`` with more features ``(N, C)`` of this process, in order; None: there is nothing yet."""

    @abstractmethod
    def pack(self, kept: Kept) -> Kept:
        """``kept`` in the CPU's memory, ready to be sent."""

    @abstractmethod
    def distances(self, real: list[Kept], fake: list[Kept], count: int) -> dict[str, float]:
        """The results from what each process kept, in the processes' order, of ``count`` samples."""

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """Features of the real and the generated image of each sample."""
        lacking = [key for key in self.keys.values() if any(key not in sample for sample in data_samples)]
        if lacking:
            wanted = ", ".join(f"{key}=(3, H, W)" for key in self.keys.values())
            raise InputError(
                f"{type(self).__name__} reads samples dict({wanted}) of the model's forward; they"
                f" lack {' and '.join(lacking)}, and have {sorted(data_samples[0])}"
            )
        part = self._part
        for side, key in self.keys.items():
            images = torch.stack([sample[key] for sample in data_samples])
            rows = self.features.to(images.device)(images)
            check_features(f"features of the {side} images", rows, (len(images), "C"))
            # The newest row waits: it may turn out to be a sampler's repetition.
            rows = torch.cat([part.last[side], rows]) if side in part.last else rows
            if len(rows) > 1:
                part.kept[side] = self.add(part.kept.get(side), rows[:-1])
            part.last[side] = rows[-1:]
        part.count += len(data_samples)

    def evaluate(self, size: int) -> dict[str, float]:
        """The results over a data set of ``size`` items; what was kept is forgotten."""
        part, self._part, self._size = self._part, _Part(0, {}, {}), size
        last = {side: row.cpu() for side, row in part.last.items()}
        self.results = [_Part(part.count, last, {side: self.pack(kept) for side, kept in part.kept.items()})]
        # MMEngine gathers results in the processes' order: one from each.
        metrics: dict[str, float] = super().evaluate(get_world_size())
        return metrics

    def compute_metrics(self, results: list[_Part[Kept]]) -> dict[str, float]:
        """Join the processes' parts without the repeated samples."""
        count = sum(part.count for part in results)
        repeated = max(count - self._size, 0)  # a sampler repeats at most one on each of the last processes
        if repeated >= len(results):
            raise InputError(
                f"{type(self).__name__} got {count} samples for a data set of {self._size}: the model's forward must"
                " give one for each item"
            )
        if count - repeated < 2:
            raise InputError(f"{type(self).__name__} needs at least two samples, got {count - repeated}")
        sides: dict[str, list[Kept]] = {side: [] for side in SIDES}
        for rank, part in enumerate(results):
            for side, last in part.last.items():
                kept = part.kept.get(side)
                if rank < len(results) - repeated:
                    kept = self.add(kept, last)
                if kept is not None:
                    sides[side].append(kept)
        return self.distances(sides["real"], sides["fake"], count - repeated)
