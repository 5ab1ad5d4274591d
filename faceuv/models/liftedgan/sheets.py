"""Images of the state of the training, and of lifted codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.models.liftedgan.geometry import DepthSpace
from faceuv.models.liftedgan.parameters import ViewRange
from faceuv.models.liftedgan.scene import Lifted, at_rotation, draw
from faceuv.renderers import Renderer

YAWS_DEG = (-40.0, -20.0, 20.0, 40.0)
_LAMP = (-0.4, 0.5, 0.77)  # from the upper left


def depth_picture(lifted: Lifted, space: DepthSpace) -> Tensor:
    """Depth ``(B, 3, S, S)``, white is near."""
    near = (space.distance + space.half_range - lifted.depth) / (2 * space.half_range)
    return near[:, None].expand(-1, 3, -1, -1).clamp(0, 1)


def shape_colours(lifted: Lifted) -> Tensor:
    """Grey ``(B, S·S, 3)`` under one lamp."""
    shade = (lifted.normals @ lifted.normals.new_tensor(_LAMP)).clamp_min(0)
    return (0.15 + 0.75 * shade)[..., None].expand(-1, -1, 3)


def turned_view(lifted: Lifted, space: DepthSpace, views: ViewRange, yaw_deg: float) -> Lifted:
    """The lifted codes seen at a yaw about the middle of the face, without pitch, roll and shift."""
    neutral = lifted.replace(view=torch.zeros_like(lifted.view))
    rotation = lifted.view.new_tensor([[0.0, math.radians(yaw_deg), 0.0]]).expand(len(lifted), -1)
    return at_rotation(neutral, rotation, space, views)


def lifted_sheet(renderer: Renderer, lifted: Lifted, picture: Tensor, space: DepthSpace, views: ViewRange) -> Tensor:
    """Per code a strip ``(B, 3, S, n·S)``: the teacher's picture, the render, the neutral picture, albedo, depth,
    shape in grey from the front and turned to 40°, and renders at :data:`YAWS_DEG`."""
    size = picture.shape[-1]

    def drawn(seen: Lifted, colours: Tensor | None = None) -> Tensor:
        return draw(renderer, seen, space, views, size, colours=colours).image

    grey = shape_colours(lifted)
    strips = [picture, drawn(lifted), lifted.neutral, lifted.albedo * 0.7, depth_picture(lifted, space)]
    strips += [drawn(turned_view(lifted, space, views, angle), grey) for angle in (0.0, 40.0)]
    strips += [drawn(turned_view(lifted, space, views, angle)) for angle in YAWS_DEG]
    return torch.cat(strips, 3).clamp(0, 1)
