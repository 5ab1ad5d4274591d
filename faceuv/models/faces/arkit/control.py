"""ARKit amounts and gaze, as pure functions on coefficients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.faces.arkit.gaze import gaze_amounts
from faceuv.models.faces.arkit.names import GAZE, NAMES, amounts_row, arkit_name, check_amounts
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Coefficients


def with_arkit(
    coefficients: Coefficients,
    face_model: FaceModel,
    weights: Tensor | Mapping[str, float],
    *,
    most: float = 1.0,
    strict: bool = True,
) -> Coefficients:
    """ARKit amounts for B faces: modes that the given shapes drive are set, all others stay as they are.

    Args:
        weights: ``(B, 52)`` or ``(52,)``, which gives all shapes, or amounts by name, which give those.
        most, strict: see :meth:`~faceuv.models.faces.base.FaceModel.arkit_coefficients`.
    """
    named = torch.ones(len(NAMES), dtype=torch.bool)
    if isinstance(weights, Tensor):
        rows = check_amounts(weights, most=most)
    else:
        rows = amounts_row(weights, most=most)
        given = {arkit_name(name) for name in weights}
        named = torch.tensor([name in given for name in NAMES])
    value = face_model.arkit_coefficients(rows, most=most, strict=strict)
    if len(value) not in (1, len(coefficients)):
        raise InputError(f"ARKit weights are of one face or of {len(coefficients)}, got {len(value)}")
    present = coefficients.expression
    driven = face_model.arkit_table().driven(named).to(present.device)
    return coefficients.replace(expression=torch.where(driven, value.to(present), present))


def with_gaze(
    coefficients: Coefficients, face_model: FaceModel, yaw_deg: float = 0.0, pitch_deg: float = 0.0
) -> Coefficients:
    """B faces looking in a direction relative to their heads, see :func:`~faceuv.models.faces.arkit.gaze_amounts`."""
    if not set(GAZE) <= set(face_model.arkit_table().expressible):
        raise InputError(
            f"this {face_model.kind} has no eyes that turn, so it cannot look anywhere: turn the head (with_pose), or"
            " take a head whose arkit_table() expresses the eyeLook shapes"
        )
    return with_arkit(coefficients, face_model, gaze_amounts(yaw_deg, pitch_deg))
