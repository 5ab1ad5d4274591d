"""Where the landmarks of a face with known coefficients are seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.geometry import euler_to_matrix, pose, project, view_depth
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.sliding import Contour, SlidingLandmarks
from faceuv.structures import Camera, Coefficients

OUTER_EYE_CORNERS = (36, 45)


class LandmarkTruth(nn.Module):
    """Coefficients → landmarks in an image. The landmarks' vertices alone are moved, not the whole surface.

    Args:
        contour: ``"visible"``: jaw points slide to the silhouette of a turned head, as in annotated pictures, where the
            face model has contour lines; ``"head"``: they are always the same points of the head.
    """

    def __init__(self, face_model: FaceModel, camera: Camera | None = None, *, contour: Contour = "visible") -> None:
        super().__init__()
        self.landmarks = SlidingLandmarks(face_model, contour)
        self.layout, self.camera = face_model.layout, camera or Camera()

    def world(self, coefficients: Coefficients) -> Tensor:
        """``(B, 68, 3)`` decimetres, posed."""
        points, turn = self._posed(coefficients)
        return self.landmarks.of(points, turn, self.camera)

    def seen(self, coefficients: Coefficients) -> Tensor:
        """Which vertices of the face model the landmarks are, ``(B, 68)`` int64."""
        points, turn = self._posed(coefficients)
        chosen = self.landmarks.chosen(points, turn, self.camera)
        vertices = self.landmarks.vertices
        return vertices[:68].expand(len(points), -1) if chosen is None else vertices[chosen]

    def _posed(self, coefficients: Coefficients) -> tuple[Tensor, Tensor]:
        """All points ``(B, U, 3)``, posed, and the rotations ``(B, 3, 3)``."""
        shape = torch.cat([coefficients.identity, coefficients.expression], 1)
        points = pose(self.landmarks.points.place(shape), coefficients.rotation, coefficients.translation)
        return points, euler_to_matrix(coefficients.rotation)

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
