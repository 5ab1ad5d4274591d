"""Projects from the object frame to pixels. The y axis is flipped here and nowhere else."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.structures import Camera


def pose(vertices: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Rigid transform: ``vertices (B, V, 3)`` turned by ``rotation (B, 3)`` radians, then moved by
    ``translation (B, 3)`` decimetres."""
    check_shape("vertices", vertices, ("B", "V", 3))
    check_shape("translation", translation, ("B", 3))
    return rotate(vertices, euler_to_matrix(rotation)) + translation[:, None]


def view_depth(vertices: Tensor, camera: Camera) -> Tensor:
    """Distance along the viewing axis ``(B, V)`` in decimetres; positive in front of the camera."""
    return camera.distance - vertices[..., 2]


def project(vertices: Tensor, camera: Camera, height: int, width: int) -> Tensor:
    """World ``vertices (B, V, 3)`` → pixels ``(B, V, 3)``: x right, y down (centres at half integers), z = view depth.

    x = W/2 + f·X/z, y = H/2 − f·Y/z with f = focal · min(H, W). Vertices at or behind the camera plane get finite, huge
    coordinates and keep their depth ≤ 0, by which rasterizers drop them.
    """
    check_shape("vertices", vertices, ("B", "V", 3))
    depth = view_depth(vertices, camera)
    # Behind the near plane nothing is drawn: divide by the plane there, so that no infinity reaches a gradient.
    divisor = torch.where(depth > camera.near, depth, torch.full_like(depth, camera.near))
    focal = camera.focal * min(height, width)
    x = 0.5 * width + focal * vertices[..., 0] / divisor
    y = 0.5 * height - focal * vertices[..., 1] / divisor
    return torch.stack([x, y, depth], 2)
