"""Depth and colour on a grid → a surface of faceuv."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry import named_light
from faceuv.structures import Camera, Mesh, Surface

CAMERA = Camera(focal=5.0, distance=10.0)  # at depth 0 a picture spans 2 dm: x and y in [-1, 1]


def sheet(depth: Tensor, colour: Tensor) -> Surface:
    """B upright sheets of n² vertices, seen from the front under the studio light.

    Args:
        depth: ``(B, n, n)`` decimetres toward the camera, row 0 on top.
        colour: ``(B, 3, h, w)`` RGB in [0, 1], row 0 on top.
    """
    batch, n, _ = depth.shape
    line = torch.linspace(-1, 1, n, device=depth.device, dtype=depth.dtype)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    vertices = torch.stack([x.expand_as(depth), y.expand_as(depth), depth], -1).flatten(1, 2)
    uv = torch.stack([(x + 1) / 2, (1 - y) / 2], -1).flatten(0, 1)
    row, column = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (row * n + column).flatten()  # upper left of each cell; counter-clockwise from the front
    faces = torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)])
    return Surface(
        Mesh(vertices, faces.to(depth.device), uv),
        rotation=depth.new_zeros(batch, 3),
        translation=depth.new_zeros(batch, 3),
        lighting=named_light("studio").to(depth).expand(batch, -1, -1),
        diffuse=colour,
        camera=CAMERA,
    )
