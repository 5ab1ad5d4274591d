"""The 68 landmarks of a face, whose jaw points slide to the silhouette when the head turns.

People and detectors that annotate pictures put the jaw's points on the contour that they see. On a turned head that is
not where the points of the jaw are: on the far side the cheek covers them. A face model with ``contour`` lines has
candidates for each jaw point; of those that are no farther from the camera than the point itself, the outermost one is
where the point is seen. On the near side that is the jaw point itself.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.geometry import project
from faceuv.models.faces.arrays import JAW_POINTS
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Camera

Contour = Literal["visible", "head"]
CONTOURS = ("visible", "head")
_NOSE = 30
_PASSES = 2


class SlidingLandmarks(nn.Module):
    """The landmarks of a face model and the candidates of its jaw points.

    Args:
        contour: ``"visible"``, jaw points slide to the silhouette, if the model has contour lines; ``"head"``, they are
            points of the head, seen or hidden.

    ``vertices (U,)`` and ``points``, which move them, start with the 68 landmarks; candidates follow.
    """

    vertices: Tensor
    lines: Tensor
    outward: Tensor

    def __init__(self, model: FaceModel, contour: Contour = "visible") -> None:
        super().__init__()
        if contour not in CONTOURS:
            raise InputError(f"contour must be one of {', '.join(CONTOURS)}, got {contour!r}")
        self.slides = contour == "visible" and model.contour is not None
        vertices = model.landmarks
        lines = torch.arange(JAW_POINTS, device=vertices.device)[:, None]
        if self.slides and model.contour is not None:
            more = model.contour[:, 1:]
            later = torch.arange(more.numel(), device=vertices.device).view_as(more) + len(vertices)
            vertices, lines = torch.cat([vertices, more.flatten()]), torch.cat([lines, later], 1)
        self.points = model.points(vertices)
        for name, value in (("vertices", vertices), ("lines", lines), ("outward", _outward(model))):
            self.register_buffer(name, value, persistent=False)

    def chosen(self, world: Tensor, rotation: Tensor, camera: Camera) -> Tensor | None:
        """Which of the points each landmark is, ``(B, 68)`` int64; None where they are the first 68 for everybody.

        Args:
            world: ``(B, U, 3)`` the points, posed.
            rotation: ``(B, 3, 3)`` matrices of the pose.
        """
        if not self.slides:
            return None
        with torch.no_grad():
            seen = project(world.detach()[:, self.lines.flatten()], camera, 1, 1).unflatten(1, self.lines.shape)
            place, depth = seen[..., :2], seen[..., 2]
            up = F.normalize(rotation.detach()[:, :2, 1] * rotation.new_tensor([1.0, -1.0]), dim=1)
            right = torch.stack([-up[:, 1], up[:, 0]], 1)
            away = self.outward @ torch.stack([right, up], 1)  # (B, 17, 2)
            behind = depth > depth[:, :, :1]
            for _ in range(_PASSES):  # outward is across the contour, which the chosen points say better and better
                reach = (place * away[:, :, None]).sum(3).masked_fill(behind, -torch.inf)
                best = reach.argmax(2, keepdim=True)
                jaw = place.gather(2, best[..., None].expand(-1, -1, -1, 2))[:, :, 0]
                across = _across(jaw)
                away = torch.where((across * away).sum(2, keepdim=True) < 0, -across, across)
            outermost = self.lines.expand(len(world), -1, -1).gather(2, best)[..., 0]
            inner = torch.arange(JAW_POINTS, 68, device=world.device).expand(len(world), -1)
            return torch.cat([outermost, inner], 1)

    def of(self, posed: Tensor, rotation: Tensor, camera: Camera) -> Tensor:
        """The landmarks ``(B, 68, 3)`` of posed points ``(B, U, 3)``."""
        chosen = self.chosen(posed, rotation, camera)
        return posed[:, :68] if chosen is None else posed.gather(1, chosen[:, :, None].expand(-1, -1, 3))


def _outward(model: FaceModel) -> Tensor:
    """``(17, 2)``: away from the face at each jaw point of the mean face from the front, x to the right, y up."""
    marks = model.mean[model.landmarks, :2]
    across = _across(marks[None, :JAW_POINTS])[0]
    side = ((marks[:JAW_POINTS] - marks[_NOSE]) * across).sum(1, keepdim=True).sign()
    return across * side


def _across(line: Tensor) -> Tensor:
    """``(B, N, 2)``: unit vectors at a right angle to a line through points ``(B, N, 2)``."""
    along = torch.cat([line[:, :1], line[:, :-1]], 1) - torch.cat([line[:, 1:], line[:, -1:]], 1)
    return F.normalize(torch.stack([along[..., 1], -along[..., 0]], -1), dim=-1)
