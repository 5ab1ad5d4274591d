"""Random people: likely coefficients, drawn from an explicit generator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Standard deviations of a random person's coefficients: a likely shape, any skin, a face mostly at rest.
IDENTITY_SIGMA, EXPRESSION_SIGMA, ALBEDO_SIGMA = 0.85, 0.35, 1.0

_AT_REST = 1.2  # deviations of an amount that stays 0: about one movement in nine takes part
_TOGETHER = 0.95  # correlation of the left and the right side of a movement


def gaussian(count: int, sigma: float, generator: torch.Generator) -> Tensor:
    """``(1, count)`` with deviation ``sigma``."""
    return sigma * torch.randn(1, count, generator=generator)


def limited_expression(names: Sequence[str], limits: Tensor, generator: torch.Generator) -> Tensor:
    """A face mostly at rest ``(1, E)`` of modes with ``limits (E, 2)``: a few movements, both sides nearly alike.

    Sides are told by names that differ in ``Left`` and ``Right`` alone.
    """
    drawn = torch.randn(1, len(names), generator=generator)
    own = torch.randn(1, len(names), generator=generator)
    shared = drawn.clone()
    for k, name in enumerate(names):
        other = name.replace("Right", "Left")
        if other != name and other in names:
            shared[:, k] = drawn[:, names.index(other)]
    mixed = _TOGETHER * shared + (1 - _TOGETHER**2) ** 0.5 * own
    amount = EXPRESSION_SIGMA * (mixed - _AT_REST).clamp_min(0)
    low, high = limits.to(amount).unbind(1)
    rest = torch.zeros_like(low).clamp(low, high)  # 0, or the limit nearest to it
    return (rest + amount * (high - rest)).clamp(low, high)
