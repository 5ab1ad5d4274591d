"""Where the parts of a head lie in its chart."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry.uv import UVCorrespondence
from faceuv.models.faces.base import FaceModel

INSIDE = ("inner_mouth", "gums", "tongue", "teeth")
"""Parts behind the lips."""


def part_texels(model: FaceModel, chart: UVCorrespondence, *parts: str) -> Tensor:
    """``(1, H, W)`` bool: the texels that lie on one of the parts; for a face without parts, on the skin anywhere."""
    covered = chart.face_id >= 0
    if model.part is None:
        return covered[None] if "skin" in parts else torch.zeros_like(covered)[None]
    chosen = torch.zeros(len(model.faces), dtype=torch.bool, device=covered.device)
    for name in parts:
        if name in model.part_names:
            chosen |= model.faces_of(name)
    return (covered & chosen[chart.face_id.clamp_min(0)])[None]
