"""Irises on the eyeballs of a head, by the angle from the axis of each ball."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.geometry.uv import bake
from faceuv.models.faces.appearance.geometry import Head, iris_coordinates
from faceuv.models.faces.base import FaceModel
from faceuv.synthetic.draw import Draw, blend, smoothstep
from faceuv.synthetic.features import IRISES, Person, draw_iris, paint_iris

_IRIS_RADIUS = 5.9  # mm, of a painted iris
_FAR = 1e3
_WHITE, _RED = (0.91, 0.895, 0.875), (0.84, 0.62, 0.58)


class EyeballPainter(nn.Module):
    """Paints the texels of the parts ``sclera_*`` and ``iris_*``; where a head has none it changes nothing.

    The axis of a ball runs from its centre through the middle of the iris. Gaze is the head model's own movement.
    """

    def __init__(self, model: FaceModel, size: int) -> None:
        super().__init__()
        chart = model.chart(size, size)
        place = bake(model.mean[None], chart)[0]
        radius = torch.full((size, size), _FAR)
        inside = torch.zeros(size, size, dtype=torch.bool)
        for side, ball in Head.of(model).eyeballs().items():
            faces = model.faces_of(f"sclera_{side}", f"iris_{side}")
            here = (chart.face_id >= 0) & faces[chart.face_id.clamp_min(0)]
            distance, _ = iris_coordinates(place[:, here].T, ball)
            # behind the middle of the ball the distance from the axis shrinks again
            front = ((place[:, here].T - ball.centre.to(place)) @ ball.gaze.to(place)) > 0
            radius[here] = torch.where(front, _IRIS_RADIUS * distance.to(radius), _FAR)
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
        plain, red = (colours.new_tensor(c).view(1, 3, 1, 1) for c in (_WHITE, _RED))
        white = blend(plain, red, rim)
        ball = paint_iris(white.expand_as(colours), self.radius, iris, pupil)
        return colours + (ball - colours) * self.inside
