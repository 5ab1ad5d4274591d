"""Surfaces as pictures: the bare shape in grey, a displacement map in colours."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry import sh_irradiance
from faceuv.structures import Render

GREY = 0.72
LAMP = (-0.25, -0.2, 0.3, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Spherical-harmonic light that bare shapes are lit by: a lamp before the face, above it and to the left."""


@torch.no_grad()
def grey_surface(render: Render) -> Tensor:
    """The surface that a render shows, in grey under one lamp, over black ``(B, 3, H, W)``."""
    size = (render.normal.shape[2], render.normal.shape[3])
    lamp = render.normal.new_tensor(LAMP).expand(len(render.normal), 3, 9)
    light = sh_irradiance(render.normal.flatten(2).transpose(1, 2), lamp).transpose(1, 2).unflatten(2, size)
    return (GREY * light * render.mask).clamp(0, 1)


def displacement_colours(displacement: Tensor, scale: float) -> Tensor:
    """A displacement map ``(B, 3, H, W)``, decimetres, as colours: grey is none, ±``scale`` the ends."""
    return (displacement / (2 * scale) + 0.5).clamp(0, 1)
