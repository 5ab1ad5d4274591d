"""A facial animation: ARKit amounts and the head's turn at moments in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_shape, finite_number
from faceuv.errors import InputError
from faceuv.models.faces.arkit import NAMES, arkit_name, check_amounts

SLOWEST, FASTEST = 0.1, 1000.0
"""Frames per second."""
LONGEST = 1_000_000
"""Frames of an animation."""


@dataclass(frozen=True, eq=False)
class ARKitAnimation:
    """T moments of a face.

    times    (T,)     float64, seconds from the first moment, strictly rising
    weights  (T, 52)  float32, ARKit amounts 0 … 1 in the order of ``NAMES``
    head     (T, 3)   float32 or None: pitch, yaw and roll in radians as in ``Coefficients.rotation``
    named    the shapes that the file names; the others are 0 and leave a face as it is
    limited  how many amounts lay outside 0 … 1 and were limited to it
    """

    times: Tensor
    weights: Tensor
    head: Tensor | None = None
    named: tuple[str, ...] = NAMES
    limited: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = check_shape("times", self.times, ("T",))
        if not 1 <= sizes["T"] <= LONGEST:
            raise InputError(f"an animation has 1 … {LONGEST:,} frames, got {sizes['T']:,}")
        check_shape("weights", self.weights, (sizes["T"], len(NAMES)))
        check_finite("times", self.times)
        check_amounts(self.weights)
        if self.head is not None:
            check_shape("head", self.head, (sizes["T"], 3))
            check_finite("head", self.head)
        if sizes["T"] > 1 and not bool((self.times.diff() > 0).all()):
            k = int((self.times.diff() <= 0).nonzero()[0]) + 1
            raise InputError(f"the times of an animation must rise; frame {k} is not later than frame {k - 1}")

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        rows: Tensor,
        *,
        fps: float | None = None,
        times: Tensor | None = None,
        head: Tensor | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ARKitAnimation:
        """An animation from columns in any order: ``rows (T, n)`` of the shapes ``names``, at a steady ``fps`` or at
        ``times (T,)`` in seconds. Amounts outside 0 … 1 are limited to it and counted."""
        check_shape("the rows of an animation", rows, ("T", len(names)))
        check_finite("the rows of an animation", rows)
        if times is None:
            times = torch.arange(len(rows), dtype=torch.float64) / checked_fps(25.0 if fps is None else fps)
        weights = torch.zeros(len(rows), len(NAMES))
        spelled = [arkit_name(name) for name in names]
        twice = next((name for k, name in enumerate(spelled) if name in spelled[:k]), None)
        if twice is not None:
            raise InputError(f"{twice} stands in two columns of the animation")
        for k, name in enumerate(spelled):
            weights[:, NAMES.index(name)] = rows[:, k].float()
        limited = int(((weights < 0) | (weights > 1)).sum())
        first = times[0].clone() if len(times) else 0.0
        return cls(times.double() - first, weights.clamp(0, 1), head, tuple(spelled), limited, dict(metadata or {}))

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return float(self.times[-1])

    def at(self, fps: float) -> ARKitAnimation:
        """The animation at a steady rate, interpolated linearly between its moments; it ends within a frame of the
        last moment."""
        fps = checked_fps(fps)
        count = int(self.seconds * fps + 1e-6) + 1
        if count > LONGEST:
            raise InputError(f"{self.seconds:.0f} s at {fps:g} frames per second are {count:,} frames; lower the rate")
        wanted = (torch.arange(count, dtype=torch.float64) / fps).clamp_max(self.seconds)
        right = torch.searchsorted(self.times, wanted).clamp(min(1, len(self) - 1), len(self) - 1)
        left = (right - 1).clamp_min(0)
        span = (self.times[right] - self.times[left]).clamp_min(1e-12)
        share = ((wanted - self.times[left]) / span).clamp(0, 1).float()[:, None]
        weights = torch.lerp(self.weights[left], self.weights[right], share)
        head = None if self.head is None else torch.lerp(self.head[left], self.head[right], share)
        times = torch.arange(count, dtype=torch.float64) / fps
        return ARKitAnimation(times, weights, head, self.named, self.limited, self.metadata)


def checked_fps(fps: Any) -> float:
    """A frame rate that something can be played at."""
    value = finite_number("fps", fps)
    if not SLOWEST <= value <= FASTEST:
        raise InputError(f"fps must be within {SLOWEST:g} … {FASTEST:g} frames per second, got {value:g}")
    return value
