"""Euler angles and rotation matrices. One convention: R = Rz·Ry·Rx, applied to row vectors as ``x @ R.T``.

Signs, in the object frame (+x to the viewer's right, +y up, +z toward the camera):
rotation about x (pitch) > 0 looks down, about y (yaw) > 0 turns to the viewer's right, about z (roll) > 0 tilts the
head counter-clockwise in the image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.checks import check_shape


def euler_to_matrix(angles: Tensor) -> Tensor:
    """Angles ``(B, 3)`` in radians about x, y, z → matrices ``(B, 3, 3)``, R = Rz·Ry·Rx."""
    check_shape("angles", angles, ("B", 3))
    (sx, sy, sz), (cx, cy, cz) = angles.sin().unbind(1), angles.cos().unbind(1)
    rows = (
        (cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx),
        (sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx),
        (-sy, cy * sx, cy * cx),
    )
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def matrix_to_euler(matrix: Tensor) -> Tensor:
    """Matrices ``(B, 3, 3)`` → angles ``(B, 3)`` in radians with |yaw| ≤ π/2.

    At |yaw| = π/2 pitch and roll turn about one axis; their sum is given to roll, pitch is 0.
    """
    check_shape("matrix", matrix, ("B", 3, 3))
    sy = -matrix[:, 2, 0]
    cy = torch.linalg.vector_norm(matrix[:, :2, 0], dim=1)
    locked = cy < 1e-6
    x = torch.atan2(matrix[:, 2, 1], matrix[:, 2, 2])
    z = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])
    z_locked = torch.atan2(-matrix[:, 0, 1], matrix[:, 1, 1])
    y = torch.atan2(sy, cy)
    return torch.stack([torch.where(locked, torch.zeros_like(x), x), y, torch.where(locked, z_locked, z)], 1)


def rotate(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Rotate row vectors ``(B, N, 3)`` by ``matrix (B, 3, 3)``: ``vectors @ Rᵀ``."""
    return vectors @ matrix.transpose(1, 2)
