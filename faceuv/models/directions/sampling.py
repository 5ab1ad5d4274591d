"""Codes of a generator by seed, in batches, and their running mean and covariance."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.codes import truncate
from faceuv.models.base.generator import Generator


def check_count(name: str, value: int, least: int) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value


def sample_w(
    generator: Generator, samples: int, *, seed: int, truncation: float = 1.0, batch: int = 1024, first: int = 0
) -> Iterator[Tensor]:
    """Codes w ``(b, D)`` of random latents, at most ``batch`` at a time, without gradients: number ``first`` and on of
    ``samples`` in all. Code n depends on seed, truncation and batch, and not on ``first`` and ``samples``."""
    number, skipped = divmod(first, batch)
    numbers = range(number, -(-samples // batch))
    for number, w in sample_batches(generator, samples, numbers, seed=seed, truncation=truncation, batch=batch):
        rest = w[skipped:] if number == numbers.start else w
        if len(rest):
            yield rest


def sample_batches(
    generator: Generator,
    samples: int,
    numbers: Collection[int],
    *,
    seed: int,
    truncation: float = 1.0,
    batch: int = 1024,
) -> Iterator[tuple[int, Tensor]]:
    """Some of the batches of :func:`sample_w`, with their numbers, in order: those of other processes cost no more
    than their random numbers."""
    rng = torch.Generator().manual_seed(seed)
    for number, start in enumerate(range(0, samples, batch)):
        # a whole batch each time, then cut: the numbers of a shorter one would end otherwise
        z = generator.sample_latents(batch, generator=rng)
        if number not in numbers:
            continue
        with torch.no_grad():
            w = generator.mapping(z[: samples - start])
            if truncation != 1:
                w = truncate(w, generator.mean_code, truncation)
        yield number, w


@dataclass
class RunningCovariance:
    """Running mean ``(D,)`` and covariance ``(D, D)`` of rows, in float64."""

    count: int = 0
    total: Tensor | float = 0.0
    products: Tensor | float = 0.0
    origin: Tensor | float = 0.0

    def add(self, rows: Tensor) -> None:
        """Count rows ``(b, D)`` in."""
        rows = rows.double()
        if self.count == 0:
            self.origin = rows.mean(0)  # near the mean, so that the difference below loses no digits
        rows = rows - self.origin
        self.total = self.total + rows.sum(0)
        self.products = self.products + rows.T @ rows
        self.count += len(rows)

    @property
    def mean(self) -> Tensor:
        return torch.as_tensor(self.origin + self.total / self.count)

    @property
    def covariance(self) -> Tensor:
        shift = torch.as_tensor(self.total) / self.count
        return torch.as_tensor(self.products) / self.count - torch.outer(shift, shift)


def code_covariance(generator: Generator, *, seed: int, truncation: float = 1.0, samples: int = 10_000) -> Tensor:
    """Covariance ``(D, D)`` of a generator's w, float64 on the CPU."""
    moments = RunningCovariance()
    for w in sample_w(generator, samples, seed=seed, truncation=truncation):
        moments.add(w.cpu())
    return moments.covariance


def spread(vector: Tensor, covariance: Tensor) -> float:
    """σ of codes with one w for every layer along a direction ``(L, D)``, given the covariance of w."""
    along = vector.to(covariance).sum(0)
    return math.sqrt(max(float(along @ covariance @ along), 0.0))


def first_names(names: Sequence[str], count: int = 8) -> str:
    """A list for a message, cut where it grows long."""
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")
