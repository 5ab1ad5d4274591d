"""Turns standard normal numbers, one after the other, into quantities of other distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.models.faces.appearance.curves import smoothstep as smoothstep
from faceuv.synthetic.alone import one_by_one


class Draw:
    """Reads ``values (B, N)``, independent standard normals, column by column; smooth in them where it can be.

    Every method consumes columns in order, so a factor's meaning is the order of the calls that read it.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._next = 0

    def take(self, count: int) -> Tensor:
        """The next ``count`` columns ``(B, count)``."""
        start, self._next = self._next, self._next + count
        if self._next > self._values.shape[1]:
            raise IndexError(f"this factor has {self._values.shape[1]} numbers, more were asked for")
        return self._values[:, start : self._next]

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> Tensor:
        """``(B,)``"""
        return mean + deviation * self.take(1)[:, 0]

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """``(B,)`` between ``low`` and ``high``."""
        return low + (high - low) * normal_cdf(self.take(1)[:, 0])

    def skewed(self, power: float, high: float = 1.0) -> Tensor:
        """``(B,)`` in 0 … ``high``, mostly near 0 for a power above 1."""
        return high * one_by_one(lambda value: value**power, normal_cdf(self.take(1)[:, 0]))

    def chance(self, probability: float | Tensor) -> Tensor:
        """``(B,)`` of 0 and 1; piecewise constant."""
        return (normal_cdf(self.take(1)[:, 0]) < probability).to(self._values.dtype)

    def choice(self, weights: Sequence[float] | Tensor) -> Tensor:
        """``(B,)`` int64 with the probabilities ``weights (K,)`` or ``(B, K)``; piecewise constant."""
        table = torch.as_tensor(weights, dtype=self._values.dtype, device=self._values.device)
        edges = torch.cumsum(table / table.sum(-1, keepdim=True), -1)[..., :-1]
        return (normal_cdf(self.take(1)) > edges).sum(1)


def normal_cdf(value: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(value / math.sqrt(2)))


def blend(below: Tensor, above: Tensor, cover: Tensor) -> Tensor:
    """``above`` painted over ``below`` with a coverage in [0, 1]."""
    return below + (above - below) * cover


def interpolate(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear through ``(knots (K,), values (..., K))``, ends held; ``x`` broadcasts."""
    result = values[..., 0] + torch.zeros_like(x)
    for k in range(len(knots) - 1):
        share = ((x - knots[k]) / (knots[k + 1] - knots[k])).clamp(0, 1)
        result = result + share * (values[..., k + 1] - values[..., k])
    return result
