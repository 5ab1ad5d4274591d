"""The quality of a direction: correlation of score and step, and side effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.evaluation.coefficient_errors import coefficient_errors, face_weight
from faceuv.models.directions import Direction, named_score
from faceuv.models.directions.scores import degree_of, group_of
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Coefficients

Read = Callable[[Tensor], Coefficients]
"""Codes ``(B, L, D)`` → the coefficients of their faces; NaN in the rows of faces that cannot be read."""

# what a score is read from → the movements that are then no drift
_OWN = {"expression": ("expression_mm",), "identity": ("identity_mm",), "albedo": ("albedo",), "lighting": ("light",)}
OTHERS = (
    "identity_mm", "expression_mm", "albedo", "light", "yaw_deg", "pitch_deg", "roll_deg", "translation_mm"
)  # fmt: skip
"""What may move beside the score, named as in :func:`~faceuv.evaluation.coefficient_errors.coefficient_errors`."""


@dataclass(frozen=True)
class Unit:
    """What a score is counted in: ``size`` of it is one ``name``."""

    name: str
    size: float

    @classmethod
    def of(cls, score: str, deviation: float) -> Unit:
        """Degrees for an angle; else standard deviations of the score over the generator's faces."""
        degree = degree_of(score)
        return cls("sd", deviation) if degree is None else cls("degree", degree)


@dataclass(frozen=True, eq=False)
class DirectionQuality:
    """The effects of moving faces along a direction.

    steps        ``(S,)`` in σ of the direction
    change       ``(F, S)`` of the score from the unmoved face, in ``unit``
    correlation  of step and score within a face, the mean over faces
    pooled       of step and score over all faces at once: how well the step alone predicts the score
    slope        of the score per σ, in ``unit``
    drift        name of :data:`OTHERS` → how far it moves from the unmoved face per ``unit`` of the score
    faces        how many were moved; ``unread`` more could not be read at some step and are left out
    """

    steps: Tensor
    change: Tensor
    correlation: float
    pooled: float
    slope: float
    drift: dict[str, float]
    unit: Unit
    faces: int
    unread: int

    def summary(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "correlation": self.correlation,
            "pooled_correlation": self.pooled,
            f"{self.unit.name}_per_sigma": self.slope,
            f"drift_per_{self.unit.name}": self.drift,
            "steps_sigma": self.steps.tolist(),
            "mean_change": self.change.mean(0).tolist(),
            "faces": self.faces,
            "unread_faces": self.unread,
        }


@torch.no_grad()
def read_steps(direction: Direction, read: Read, codes: Tensor, steps: Tensor, batch: int = 32) -> Coefficients:
    """Coefficients ``(F·S, N)`` of every face of ``codes (F, L, D)`` at every step ``(S,)`` in σ, face by face."""
    moved = codes.repeat_interleave(len(steps), 0)
    sizes = steps.repeat(len(codes)) * direction.scale
    parts = [read(direction.move(c, s)) for c, s in zip(moved.split(batch), sizes.to(codes).split(batch))]
    return Coefficients(torch.cat([part.data for part in parts]).cpu(), parts[0].layout)


@torch.no_grad()
def direction_quality(
    direction: Direction,
    score: str,
    read: Read,
    codes: Tensor,
    *,
    face_model: FaceModel,
    unit: Unit,
    steps: Sequence[float] = (-3, -2, -1, 0, 1, 2, 3),
    weight: Tensor | None = None,
    batch: int = 32,
) -> DirectionQuality:
    """Move faces ``codes (F, L, D)`` along a direction and read what changes.

    Args:
        score: the name of what the direction is for.
        read: what measures; it need not be what the direction was found with, and better is not.
        steps: in σ of the direction, 0 among them: what the others are compared with.
        weight: of the face model's vertices, see :func:`~faceuv.evaluation.coefficient_errors.face_weight`.
        batch: faces read at a time.
    """
    check_shape("codes", codes, ("F", direction.num_layers, direction.code_dim))
    places = torch.tensor([float(step) for step in steps])
    if 0 not in places or len(places) < 3:
        raise InputError(f"steps must be at least three, 0 among them, got {list(steps)}")
    found = read_steps(direction, read, codes, places, batch)
    readable = torch.isfinite(found.data).all(1).view(len(codes), -1).all(1)
    if not bool(readable.any()):
        raise InputError(f"not one of {len(codes)} faces can be read at every step along {direction.name!r}")
    rows = readable.repeat_interleave(len(places))
    found = Coefficients(found.data[rows], found.layout)

    values = (named_score(found, score, face_model).double() / unit.size).view(-1, len(places))
    still = int((places == 0).nonzero()[0])
    change = values - values[:, still : still + 1]
    model = face_model.cpu()
    before = found[torch.arange(len(values)).repeat_interleave(len(places)) * len(places) + still]
    weight = face_weight(model) if weight is None else weight
    moved = coefficient_errors(found, before, model, weight=weight)
    travelled = change.abs().sum()
    own = (*_OWN.get(group_of(score), ()), f"{score}_deg")
    drift = {name: float(moved[name].double().sum() / travelled) for name in OTHERS if name not in own}
    within = [_correlation(places.double(), row) for row in values]
    away = places.double() - places.double().mean()
    return DirectionQuality(
        steps=places,
        change=change,
        correlation=sum(within) / len(within),
        pooled=_correlation(places.double().repeat(len(values)), values.flatten()),
        slope=float((change @ away).mean() / away.square().sum()),
        drift=drift,
        unit=unit,
        faces=len(values),
        unread=len(codes) - len(values),
    )


def _correlation(x: Tensor, y: Tensor) -> float:
    """Pearson's; 0 where ``y`` does not move."""
    x, y = x - x.mean(), y - y.mean()
    size = float(x.norm() * y.norm())
    return float(x @ y) / size if size > 0 else 0.0
