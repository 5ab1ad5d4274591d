"""Random people: likely coefficients, drawn from an explicit generator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Standard deviations of a random person's coefficients: a likely shape, any skin, a face mostly at rest.
IDENTITY_SIGMA, EXPRESSION_SIGMA, ALBEDO_SIGMA = 0.85, 0.35, 1.0

_AT_REST = 1.2  # deviations of an amount that stays 0: about one movement in nine takes part
_TOGETHER = 0.95  # correlation of the left and the right side of a movement
_LOOK = 0.3  # deviation of the amount of a look, aside and up or down
_WITH_THE_JAW = ("mouthClose", "tongueOut")


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


def looking_one_way(expression: Tensor, names: Sequence[str], generator: torch.Generator) -> Tensor:
    """``expression (1, E)`` of a head with ARKit's movements: both eyes look the same way; lips close and the tongue
    comes out only as far as the jaw opens. Movements that the head lacks are left out."""
    moved = expression.clone()
    column = {name: k for k, name in enumerate(names)}
    aside, up = (_LOOK * torch.randn(2, generator=generator)).clamp(-1, 1).tolist()
    looks = {
        "InLeft": max(-aside, 0.0),
        "OutRight": max(-aside, 0.0),
        "OutLeft": max(aside, 0.0),
        "InRight": max(aside, 0.0),
        **{f"Up{side}": max(up, 0.0) for side in ("Left", "Right")},
        **{f"Down{side}": max(-up, 0.0) for side in ("Left", "Right")},
    }
    for way, amount in looks.items():
        if f"eyeLook{way}" in column:
            moved[:, column[f"eyeLook{way}"]] = amount
    for name in _WITH_THE_JAW:
        if name in column and "jawOpen" in column:
            moved[:, column[name]] = torch.minimum(moved[:, column[name]], moved[:, column["jawOpen"]])
    return moved
