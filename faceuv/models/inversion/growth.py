"""How the range of poses grows in training."""

from __future__ import annotations

from dataclasses import dataclass

from faceuv.errors import InputError

MULTIPLIERS = (0.0, 0.15, 0.25, 0.5, 0.75, 1.0)
AT = (0.0, 0.3, 0.45, 0.6, 0.75, 0.9)


@dataclass(frozen=True)
class PoseGrowth:
    """How far faces are turned in training, ``growth=dict(yaw_deg=60, over=5000)``: by up to ``yaw_deg``, times a
    multiplier that grows step by step. The multipliers are the paper's; it takes the steps in the last eighth of the
    training.

    Args:
        yaw_deg: the largest yaw in degrees.
        over: number of training steps after which the range no longer grows; 0 is the whole range from the start.
        at: shares of ``over`` from which each multiplier holds, rising from 0.
        multipliers: one for each share.
    """

    yaw_deg: float = 45.0
    over: int = 0
    at: tuple[float, ...] = AT
    multipliers: tuple[float, ...] = MULTIPLIERS

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", tuple(self.at))
        object.__setattr__(self, "multipliers", tuple(self.multipliers))
        if not 0 < self.yaw_deg <= 90 or self.over < 0:
            raise InputError(f"expected growth.yaw_deg in (0, 90] and growth.over ≥ 0, got {self.yaw_deg}, {self.over}")
        rising = list(self.at) == sorted(self.at) and list(self.multipliers) == sorted(self.multipliers)
        if len(self.at) != len(self.multipliers) or not self.at or self.at[0] != 0 or not rising:
            raise InputError(
                f"growth.at begins with 0 and rises, growth.multipliers rise, one for each share; got {self.at} and"
                f" {self.multipliers}"
            )
        if not 0 <= self.multipliers[0] or self.multipliers[-1] > 1 or self.at[-1] > 1:
            raise InputError(f"growth: shares and multipliers lie in [0, 1], got {self.at} and {self.multipliers}")

    def multiplier(self, step: int) -> float:
        """At the training step ``step``, from 0 on."""
        if self.over == 0 or step >= self.over:
            return self.multipliers[-1]
        share = step / self.over
        return [m for start, m in zip(self.at, self.multipliers) if start <= share][-1]
