"""FLAME's joints: pose coefficients → rotations → linear blend skinning with pose correctives, and its derivatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.models.faces.points import LinearPoints, Points

POSE = (
    "neck_pitch", "neck_yaw", "neck_roll", "jaw_open", "jaw_left", "jaw_roll",
    "eye_left_pitch", "eye_left_yaw", "eye_right_pitch", "eye_right_yaw",
)  # fmt: skip
"""Names of the pose coefficients, the last of the group ``expression``. Each is an entry of FLAME's axis-angle pose:
pitch turns about +x (down), yaw about +y (to the viewer's right), roll about +z."""
UNIT = 0.1
"""Radians of one unit of a pose coefficient: about 6°."""
LIMITS = {
    "neck_pitch": (-4.0, 4.0), "neck_yaw": (-6.0, 6.0), "neck_roll": (-4.0, 4.0),
    "jaw_open": (0.0, 5.0), "jaw_left": (-1.0, 1.0), "jaw_roll": (-0.5, 0.5),
    **{f"eye_{side}_{turn}": (-6.0, 6.0) for side in ("left", "right") for turn in ("pitch", "yaw")},
}  # fmt: skip
"""Lowest and highest sensible coefficient."""
FULL = {"jaw_open": 4.0, "jaw_left": 1.0, "jaw_roll": 0.5}
"""Coefficient of the full movement; 4 of the others."""

_PARENTS = (-1, 0, 1, 1, 1)


def rotations(pose: Tensor) -> Tensor:
    """Pose coefficients ``(B, 10)`` → rotation matrices of the joints but the root ``(B, 4, 3, 3)``."""
    radians = UNIT * pose
    none = torch.zeros_like(radians[:, :1])
    vectors = torch.cat([radians[:, :6], radians[:, 6:8], none, radians[:, 8:10], none], 1).unflatten(1, (4, 3))
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def transforms(turns: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """What each joint does to points at rest: matrices ``(B, 5, 3, 3)`` and offsets ``(B, 5, 3)`` or, for ``joints
    (B, 5, 3, K)``, the offsets' derivatives ``(B, 5, 3, K)``; offsets are linear in the joints."""
    columns = joints if joints.ndim == 4 else joints[..., None]
    eye = torch.eye(3).to(turns).expand(len(turns), 3, 3)
    matrices, places = [eye], [columns[:, 0]]
    for joint, parent in enumerate(_PARENTS[1:], 1):
        matrices.append(matrices[parent] @ turns[:, joint - 1])
        places.append(matrices[parent] @ (columns[:, joint] - columns[:, parent]) + places[parent])
    matrix = torch.stack(matrices, 1)
    offset = torch.stack(places, 1) - matrix @ columns
    return matrix, offset if joints.ndim == 4 else offset[..., 0]


def posed(rest: Tensor, joints: Tensor, pose: Tensor, weights: Tensor, correctives: Tensor) -> Tensor:
    """Points at rest ``(B, P, 3)`` of heads with ``joints (B, 5, 3)`` → in the pose ``(B, 10)``.

    Args:
        weights: ``(P, 5)``, linear blend skinning.
        correctives: ``(P, 3, 36)`` per entry of the four rotation matrices less the identity.
    """
    turns = rotations(pose)
    away = (turns - torch.eye(3).to(turns)).flatten(1)
    corrected = rest + (away @ correctives.flatten(0, 1).T).unflatten(1, (-1, 3))
    matrix, offset = transforms(turns, joints)
    blended = torch.einsum("pj,bjcd->bpcd", weights, matrix)
    return (blended @ corrected[..., None])[..., 0] + torch.einsum("pj,bjc->bpc", weights, offset)


def slopes(
    rest: Tensor,
    joints: Tensor,
    pose: Tensor,
    weights: Tensor,
    correctives: Tensor,
    basis: Tensor,
    joint_basis: Tensor,
) -> Tensor:
    """Derivatives ``(B, P, 3, K + 10)`` of :func:`posed`, by K coefficients that move the points at rest linearly and
    by the pose.

    Args:
        basis: ``(P, 3, K)`` of the points at rest.
        joint_basis: ``(5, 3, K)`` of the joints.
    """
    count = len(pose)
    turns = rotations(pose)
    matrix, offset = transforms(turns, joint_basis.expand(count, -1, -1, -1))
    blended = torch.einsum("pj,bjcd->bpcd", weights, matrix)
    linear = blended @ basis + torch.einsum("pj,bjck->bpck", weights, offset)
    turned = []
    for column in range(len(POSE)):
        direction = torch.zeros_like(pose)
        direction[:, column] = 1
        turned.append(
            torch.func.jvp(lambda at: posed(rest, joints, at, weights, correctives), (pose,), (direction,))[1]
        )
    return torch.cat([linear, torch.stack(turned, -1)], -1)


class ArticulatedPoints(Points):
    """Points that turn with FLAME's joints.

    Args:
        rest, joints: where P points and the five joints are before the pose; K coefficients move them.
        weights: ``(P, 5)``, linear blend skinning; ``correctives (P, 3, 36)``.
    """

    weights: Tensor
    correctives: Tensor

    def __init__(self, rest: LinearPoints, joints: LinearPoints, weights: Tensor, correctives: Tensor) -> None:
        super().__init__()
        self.rest, self.joints = rest, joints
        self.keep(weights=weights, correctives=correctives)

    def place(self, shape: Tensor) -> Tensor:
        modes, pose = shape[:, : -len(POSE)], shape[:, -len(POSE) :]
        return posed(self.rest.place(modes), self.joints.place(modes), pose, self.weights, self.correctives)

    def slopes(self, shape: Tensor) -> Tensor:
        modes, pose = shape[:, : -len(POSE)], shape[:, -len(POSE) :]
        rest, joints = self.rest.place(modes), self.joints.place(modes)
        return slopes(rest, joints, pose, self.weights, self.correctives, self.rest.basis, self.joints.basis)


def coefficients_of_pose(neck: Tensor, jaw: Tensor, eyes: Tensor) -> Tensor:
    """FLAME's axis-angle pose in radians, ``neck (B, 3)``, ``jaw (B, 3)`` and ``eyes (B, 6)``, left first → pose
    coefficients ``(B, 10)``. Eyes do not roll."""
    return torch.cat([neck, jaw, eyes[:, :2], eyes[:, 3:5]], 1) / UNIT


def degrees_of_pose(pose: Tensor) -> dict[str, Tensor]:
    """Pose coefficients ``(B, 10)`` → name → degrees ``(B,)``."""
    return {name: pose[:, k] * math.degrees(UNIT) for k, name in enumerate(POSE)}
