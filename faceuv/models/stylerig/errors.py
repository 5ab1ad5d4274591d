"""How far two sets of coefficients are apart, by what each group does to the face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.landmark_truth import OUTER_EYE_CORNERS
from faceuv.models.faces.natural_units import NaturalUnits
from faceuv.structures import Coefficients

POINTS = 100
OF_CONTROL = {"pose": "pose_deg", "expression": "expression_percent", "light": "light_percent"}
"""Control → the error that says how well it was followed."""
KEPT_ALWAYS = ("shape_mm", "colour_percent")
"""Errors of what no edit should change: the person's shape and skin."""

_MOUTH = (48, 54, 62, 66)
"""Landmarks: the corners on the viewer's left and right, and the middle of the inner lips, above and below."""


class GroupErrors(nn.Module):
    """Coefficients a and b of B faces → name → ``(B,)``.

    ======================= =====================================================================================
    ``pose_deg``            mean of |pitch|, |yaw| and |roll| differences; ``pitch_deg``, ``yaw_deg``, ``roll_deg``
    ``expression_percent``  mean distance of the 68 landmarks that the expressions alone move, in % of the distance of
                            the mean face's outer eye corners
    ``light_percent``       mean absolute difference of the light on 64 normals that face the camera, in % of full
                            scale
    ``shape_mm``            mean distance of points of the neutral face
    ``colour_percent``      mean absolute difference of the skin's colours, in % of full scale
    ======================= =====================================================================================
    """

    eyes: Tensor

    def __init__(self, face_model: FaceModel) -> None:
        super().__init__()
        self.units = NaturalUnits(face_model, POINTS)
        corners = face_model.mean[face_model.landmarks[list(OUTER_EYE_CORNERS)]]
        self.register_buffer("eyes", 100 * torch.linalg.vector_norm(corners[0] - corners[1]), persistent=False)

    def movements(self, coefficients: Coefficients) -> Tensor:
        """``(B, 68, 3)``: how far the expression moves each landmark, in % of the eye distance; differentiable."""
        return self._movements(self.units(coefficients))

    def mouth(self, coefficients: Coefficients) -> dict[str, Tensor]:
        """What the expression does to the mouth, ``(B,)`` each, in % of the eye distance: ``mouth_width``, how much
        wider its corners are apart, and ``mouth_opening``, how much farther the lips."""
        moved = self.movements(coefficients)
        left, right, upper, lower = (moved[:, k] for k in _MOUTH)
        return {"mouth_width": right[:, 0] - left[:, 0], "mouth_opening": upper[:, 1] - lower[:, 1]}

    def _movements(self, units: dict[str, Tensor]) -> Tensor:
        return 100 * units["expression"][:, : self.units.landmarks] / self.eyes

    def forward(self, a: Coefficients, b: Coefficients) -> dict[str, Tensor]:
        first, second = self.units(a), self.units(b)
        angles = (first["angles"] - second["angles"])[:, 0]
        angles = (torch.remainder(angles + 180, 360) - 180).abs()
        moved = self._movements(first) - self._movements(second)
        bare = (first["shape"] - first["expression"]) - (second["shape"] - second["expression"])
        return {
            "pose_deg": angles.mean(1),
            "pitch_deg": angles[:, 0],
            "yaw_deg": angles[:, 1],
            "roll_deg": angles[:, 2],
            "expression_percent": torch.linalg.vector_norm(moved, dim=2).mean(1),
            "light_percent": (first["light"] - second["light"]).abs().mean((1, 2)),
            "shape_mm": torch.linalg.vector_norm(bare, dim=2).mean(1),
            "colour_percent": (first["colours"] - second["colours"]).abs().mean((1, 2)),
        }
