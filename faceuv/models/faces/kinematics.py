"""Points of a face model, posed and projected, with their derivatives with respect to the coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry import euler_to_matrix, project
from faceuv.models.faces.points import Points
from faceuv.structures import Camera, CoefficientLayout


@dataclass(frozen=True, eq=False)
class Posed:
    """Points of a batch of faces in space.

    turned (B, P, 3)  after rotation;  world (B, P, 3)  after translation, too
    rotation (B, 3, 3)  the matrix;  axes (B, 3, 3)  row k is the axis about which angle k turns
    basis (P, 3, K)  how they move in the object frame; (B, P, 3, K) where that depends on the shape
    """

    turned: Tensor
    world: Tensor
    rotation: Tensor
    axes: Tensor
    basis: Tensor | None
    layout: CoefficientLayout

    @classmethod
    def of(
        cls,
        points: Points,
        x: Tensor,
        layout: CoefficientLayout,
        *,
        slopes: bool = False,
        chosen: Tensor | None = None,
    ) -> Posed:
        """For coefficients ``x (B, N)``. Without ``slopes`` points that do not move linearly have no basis, and so no
        :meth:`jacobian`.

        Args:
            chosen: ``(B, C)``, which points each face has; by default all of them.
        """
        shape = x[:, : layout.identity + layout.expression]
        angles, translation = x[:, layout.slice("rotation")], x[:, layout.slice("translation")]
        rotation = euler_to_matrix(angles)
        turned = points.place(shape) @ rotation.transpose(1, 2)
        basis = points.slopes(shape) if slopes or points.linear else None
        if chosen is not None:
            faces = torch.arange(len(x), device=x.device)[:, None]
            turned = turned[faces, chosen]
            basis = None if basis is None else basis[chosen] if basis.ndim == 3 else basis[faces, chosen]
        return cls(turned, turned + translation[:, None], rotation, rotation_axes(angles), basis, layout)

    def pixels(self, camera: Camera, height: int, width: int) -> Tensor:
        """``(B, P, 2)``."""
        return project(self.world, camera, height, width)[..., :2]

    def projection(self, camera: Camera) -> Tensor:
        """How the image of a point moves with the point ``(B, P, 2, 3)``, in units of the image's shorter side."""
        depth = (camera.distance - self.world[..., 2]).clamp_min(camera.near)
        scale = camera.focal / depth
        zero = torch.zeros_like(scale)
        right = torch.stack([scale, zero, scale * self.world[..., 0] / depth], 2)
        down = torch.stack([zero, -scale, -scale * self.world[..., 1] / depth], 2)
        return torch.stack([right, down], 2)

    def jacobian(self, slope: Tensor) -> Tensor:
        """Derivatives ``(B, P, C, N)`` of quantities whose derivatives with respect to the points are
        ``slope (B, P, C, 3)``."""
        if self.basis is None:
            raise InputError("these points were posed without their slopes")
        found = slope.new_zeros(*slope.shape[:3], self.layout.size)
        found[..., : self.basis.shape[-1]] = apply_basis(rotate_back(slope, self.rotation), self.basis)
        found[..., self.layout.slice("rotation")] = turning(slope, self.turned, self.axes)
        found[..., self.layout.slice("translation")] = slope
        return found


def rotation_axes(angles: Tensor) -> Tensor:
    """Angles ``(B, 3)`` → ``(B, 3, 3)``: row k is the axis in space about which a change of angle k turns, under
    R = Rz·Ry·Rx."""
    zero = torch.zeros_like(angles[:, 0])
    last = torch.stack([zero, zero, zero + 1], 1)
    (_, sy, sz), (_, cy, cz) = angles.sin().unbind(1), angles.cos().unbind(1)
    middle = torch.stack([-sz, cz, zero], 1)  # Rz·e_y
    first = torch.stack([cz * cy, sz * cy, -sy], 1)  # Rz·Ry·e_x
    return torch.stack([first, middle, last], 1)


def turning(slope: Tensor, arms: Tensor, axes: Tensor) -> Tensor:
    """``slope (B, P, C, 3)`` of vectors ``arms (B, P, 3)`` → derivatives ``(B, P, C, 3)`` for turns about the axes."""
    # slope·(axis × arm) = axis·(arm × slope)
    moments = torch.linalg.cross(arms[:, :, None].expand_as(slope), slope)
    return (moments.flatten(1, 2) @ axes.transpose(1, 2)).view_as(slope)


def rotate_back(slope: Tensor, rotation: Tensor) -> Tensor:
    """``slope (B, P, C, 3)`` in space → in the object frame."""
    return (slope.flatten(1, 2) @ rotation).view_as(slope)


def apply_basis(slope: Tensor, basis: Tensor) -> Tensor:
    """``slope (B, P, C, 3)`` times ``basis (P, 3, K)``, or ``(B, P, 3, K)``, → ``(B, P, C, K)``."""
    if basis.ndim == 4:
        return slope @ basis
    batch, points, channels, width = slope.shape
    rows = slope.transpose(0, 1).reshape(points, batch * channels, width)  # one small product per point
    return (rows @ basis).view(points, batch, channels, -1).transpose(0, 1)
