"""Irises on the eyeballs of a head, by the angle from the axis of each ball."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.procedural.build import MM_PER_DM
from faceuv.synthetic.draw import Draw, blend, smoothstep
from faceuv.synthetic.features import IRISES, Person, draw_iris, paint_iris

_IRIS_RADIUS = 5.9  # mm, of a painted iris
_WHITE, _RED = (0.91, 0.895, 0.875), (0.84, 0.62, 0.58)


class EyeballPainter(nn.Module):
    """Paints the texels of the parts ``sclera_*`` and ``iris_*``; where a head has none it changes nothing.

    The axis of a ball runs from its centre through the middle of the iris. Gaze is the head model's own movement.
    """

    def __init__(self, model: FaceModel, size: int) -> None:
        super().__init__()
        chart = model.chart(size, size)
        place = bake(model.mean[None], chart)[0]
        radius = torch.full((size, size), 1e3)
        owner = chart.face_id
        inside = torch.zeros(size, size, dtype=torch.bool)
        for side in ("left", "right"):
            iris = model.vertices_of(f"iris_{side}")
            ball = model.vertices_of(f"sclera_{side}", f"iris_{side}")
            if not iris.any():
                continue
            centre = _centre(model.mean[ball])
            axis = F.normalize(model.mean[iris].mean(0) - centre, dim=0)
            away = MM_PER_DM * _across(model.mean[iris], centre, axis).amax()
            faces = model.faces_of(f"sclera_{side}", f"iris_{side}")
            here = (owner >= 0) & faces[owner.clamp_min(0)]
            # front of the ball only: behind, the distance from the axis shrinks again
            towards = ((place - centre[:, None, None]) * axis[:, None, None]).sum(0) > 0
            across = MM_PER_DM * _across(place.flatten(1).T, centre, axis).view(size, size)
            radius = torch.where(here & towards, across * (_IRIS_RADIUS / away), radius)
            inside |= here
        self.register_buffer("radius", radius)
        self.register_buffer("inside", inside.to(place.dtype))
        self.register_buffer("irises", IRISES.clone())

    radius: Tensor
    inside: Tensor
    irises: Tensor

    def forward(self, colours: Tensor, numbers: Tensor, person: Person) -> Tensor:
        """``colours (B, 3, T, T)`` with the eyes of ``numbers``, the factor ``eyes``."""
        draw = Draw(numbers)
        draw.take(2)  # the gaze, which a painted eyeball of the canvas follows
        iris = draw_iris(draw, self.irises, person)
        pupil = draw.uniform(2.2, 2.9)[:, None, None, None]
        rim = smoothstep(8.0, 14.0, self.radius)
        white = (
            colours.new_tensor(_WHITE).view(1, 3, 1, 1) * (1 - rim) + colours.new_tensor(_RED).view(1, 3, 1, 1) * rim
        )
        ball = paint_iris(white.expand_as(colours), self.radius, iris, pupil)
        return colours + (ball - colours) * self.inside


def _centre(points: Tensor) -> Tensor:
    """The centre ``(3,)`` of the sphere that fits points ``(N, 3)`` best."""
    rows = torch.cat([2 * points, torch.ones_like(points[:, :1])], 1).double()
    found = torch.linalg.lstsq(rows, points.double().square().sum(1, keepdim=True)).solution
    return found[:3, 0].to(points.dtype)


def _across(points: Tensor, centre: Tensor, axis: Tensor) -> Tensor:
    """Distances ``(N,)`` of points from the line through ``centre`` along ``axis``."""
    away = points - centre
    return torch.linalg.vector_norm(away - (away @ axis)[:, None] * axis, dim=1)
