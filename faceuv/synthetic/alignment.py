"""FFHQ's crop as a pose: the pose of the head at which the image of the camera is the aligned crop.

The rule (Karras et al., "A Style-Based Generator Architecture for GANs", 2019, dataset preparation): with the eyes'
midpoint e, the vector a from eye to eye and b from the eyes to the mouth, the square's half-axis points along
a − rot90(b), has the length max(2·|a|, 1.8·|b|), and its centre is e + 0.1·b.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from faceuv.geometry import pose, project
from faceuv.structures import Camera
from faceuv.synthetic.alone import one_by_one

_ROUNDS = 3


class Framing(NamedTuple):
    """Where the aligned square lies relative to the image: everything is ``(B,)``; zeros mean exact alignment."""

    right: Tensor  # shift of the face, in image widths
    down: Tensor
    scale: Tensor  # logarithm of the face's size
    roll: Tensor  # radians, counter-clockwise


def align(points: Tensor, pitch: Tensor, yaw: Tensor, framing: Framing, camera: Camera) -> tuple[Tensor, Tensor]:
    """Rotation and translation ``(B, 3)`` that bring landmarks ``points (B, 68, 3)`` (object frame, dm) into the frame.

    A fixed number of rounds of measuring and correcting; differentiable.
    """
    roll = framing.roll
    translation = torch.zeros_like(points[:, 0])
    for _ in range(_ROUNDS):
        rotation = torch.stack([pitch, yaw, roll], 1)
        world = pose(points, rotation, translation)
        centre, half_axis = crop_of(project(world, camera, 1, 1)[..., :2])
        side = 2 * torch.linalg.vector_norm(half_axis, dim=1)
        # y runs down in pixels: the axis of a head tilted counter-clockwise points up to the right
        tilt = torch.atan2(-half_axis[:, 1], half_axis[:, 0])
        roll = roll + framing.roll - tilt
        depth = camera.distance - one_by_one(_mean, world[:, 27:48, 2])
        nearer = depth * (1 - side * torch.exp(-framing.scale))
        new_depth = depth - nearer
        shift = new_depth / camera.focal
        translation = translation + torch.stack(
            [
                (0.5 + framing.right - centre[:, 0]) * shift,
                (centre[:, 1] - 0.5 - framing.down) * shift,
                nearer,
            ],
            1,
        )
    return torch.stack([pitch, yaw, roll], 1), translation


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(1)


def crop_of(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and half-axis ``(B, 2)`` of FFHQ's square for landmarks ``(B, 68, 2)`` (x right, y down; any unit)."""
    left, right = landmarks[:, 36:42].mean(1), landmarks[:, 42:48].mean(1)
    eyes, mouth = 0.5 * (left + right), 0.5 * (landmarks[:, 48] + landmarks[:, 54])
    across, down = right - left, mouth - eyes
    axis = across - torch.stack([-down[:, 1], down[:, 0]], 1)
    length = torch.maximum(2.0 * torch.linalg.vector_norm(across, dim=1), 1.8 * torch.linalg.vector_norm(down, dim=1))
    return eyes + 0.1 * down, torch.nn.functional.normalize(axis, dim=1) * length[:, None]
