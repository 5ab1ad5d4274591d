"""Coefficients as what they do: landmarks in % of the image, millimetres, degrees, colour and light in %."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.geometry import pose, project, sh_irradiance
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.region import face_weight, hemisphere
from faceuv.structures import Camera, Coefficients

UNITS = ("landmarks", "shape", "expression", "angles", "position", "colours", "light")
_MM_PER_DM = 100.0
_PERCENT = 100.0
_NORMALS = 64


class NaturalUnits(nn.Module):
    """Coefficients → name → points ``(B, P, C)``, differentiable; distances of such points are errors that mean
    something, and compare across groups.

    ==================== ==============================================================================
    ``landmarks (68, 2)`` in the image, % of its side
    ``shape (P, 3)``      of the face in its own frame, mm
    ``expression (P, 3)`` what the expression adds to it, mm
    ``angles (1, 3)``     pitch, yaw and roll, degrees
    ``position (1, 3)``   of the head, mm
    ``colours (P, 3)``    of the skin, % of full scale
    ``light (64, 3)``     on normals that face the camera, %
    ==================== ==============================================================================

    Args:
        face_model: of which only what is needed is kept.
        points: how many vertices of the face stand for all of them, besides the landmarks.
        seed: of their choice, which is by area.
    """

    mean_colour: Tensor
    albedo: Tensor
    normals: Tensor

    def __init__(
        self, face_model: FaceModel, points: int = 300, camera: Camera | None = None, *, seed: int = 0
    ) -> None:
        super().__init__()
        weight = face_weight(face_model)
        if not 1 <= points <= int((weight > 0).sum()):
            raise InputError(f"points must be 1 … {int((weight > 0).sum())} (vertices of the face), got {points}")
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.multinomial(weight.double().cpu(), points, generator=generator).to(face_model.landmarks.device)
        chosen = torch.cat([face_model.landmarks, chosen])
        self.layout, self.camera = face_model.layout, camera or Camera()
        self.landmarks = len(face_model.landmarks)
        self.points = face_model.points(chosen)
        for name, value in (
            ("mean_colour", face_model.mean_albedo[chosen]),
            ("albedo", face_model.albedo_basis[chosen].flatten(0, 1).T),
            ("normals", hemisphere(_NORMALS).to(face_model.mean)),
        ):
            self.register_buffer(name, value.detach().clone().contiguous(), persistent=False)

    def forward(self, coefficients: Coefficients) -> dict[str, Tensor]:
        check_shape("coefficients", coefficients.data, ("B", self.layout.size))
        shape = self.points.place(torch.cat([coefficients.identity, coefficients.expression], 1))
        rest = self.points.place(torch.cat([coefficients.identity, torch.zeros_like(coefficients.expression)], 1))
        world = pose(shape[:, : self.landmarks], coefficients.rotation, coefficients.translation)
        colours = self.mean_colour + (coefficients.albedo @ self.albedo).unflatten(1, (-1, 3))
        light = sh_irradiance(self.normals.expand(len(coefficients), -1, -1), coefficients.lighting)
        return {
            "landmarks": project(world, self.camera, 1, 1)[..., :2] * _PERCENT,
            "shape": shape * _MM_PER_DM,
            "expression": (shape - rest) * _MM_PER_DM,
            "angles": coefficients.rotation[:, None] * (180 / math.pi),
            "position": coefficients.translation[:, None] * _MM_PER_DM,
            "colours": colours * _PERCENT,
            "light": light * _PERCENT,
        }
