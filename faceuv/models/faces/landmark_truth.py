"""Where the landmarks of a face with known coefficients are seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.geometry import pose, project, view_depth
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.kinematics import LinearPoints
from faceuv.structures import Camera, Coefficients

OUTER_EYE_CORNERS = (36, 45)


class LandmarkTruth(nn.Module):
    """Coefficients → landmarks in an image. The 68 vertices alone are moved, not the whole surface."""

    mean: Tensor
    basis: Tensor

    def __init__(self, face_model: FaceModel, camera: Camera | None = None) -> None:
        super().__init__()
        points = LinearPoints.of(face_model, face_model.landmarks)
        self.register_buffer("mean", points.mean, persistent=False)
        self.register_buffer("basis", points.basis, persistent=False)
        self.layout, self.camera = face_model.layout, camera or Camera()

    def world(self, coefficients: Coefficients) -> Tensor:
        """``(B, 68, 3)`` decimetres, posed."""
        shape = torch.cat([coefficients.identity, coefficients.expression], 1)
        points = LinearPoints(self.mean, self.basis).place(shape)
        return pose(points, coefficients.rotation, coefficients.translation)

    def forward(self, coefficients: Coefficients, size: int) -> tuple[Tensor, Tensor]:
        """``(B, 68, 2)`` pixels of an image of side ``size``, and the interocular distance ``(B,)``: that of the outer
        eye corners, in pixels as a face at their depth would show it from the front, so that it does not shrink when
        the head turns."""
        world = self.world(coefficients)
        eyes = world[:, OUTER_EYE_CORNERS]
        away = torch.linalg.vector_norm(eyes[:, 0] - eyes[:, 1], dim=1)
        depth = view_depth(eyes, self.camera).mean(1)
        return project(world, self.camera, size, size)[..., :2], away * (self.camera.focal * size) / depth


def interocular_distance(points: Tensor) -> Tensor:
    """``(B,)`` from landmarks ``(B, 68, 2)`` alone: for annotated images; it shrinks when the head turns."""
    return torch.linalg.vector_norm(points[:, OUTER_EYE_CORNERS[0]] - points[:, OUTER_EYE_CORNERS[1]], dim=1)
