"""Some points of a face model, posed and projected, with their derivatives with respect to the coefficients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry import euler_to_matrix, project
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Camera, CoefficientLayout

_SPECK = 1e-8


class Points(ABC):
    """Points of a face in the object frame that move with identity and expression."""

    @abstractmethod
    def place(self, shape: Tensor) -> Tensor:
        """``(B, P, 3)`` in the object frame, for ``shape (B, K)``: identity, then expression."""

    @abstractmethod
    def slopes(self, shape: Tensor) -> Tensor:
        """The derivatives ``(B, P, 3, K)`` of :meth:`place`; ``(P, 3, K)`` where they are the same for every shape."""

    @staticmethod
    def of(model: FaceModel, vertices: Tensor) -> Points:
        """The vertices of a face model named by ``vertices (P,)``."""
        return LinearPoints.of(model, vertices) if model.linear else JointedPoints(model, vertices)

    @abstractmethod
    def combined(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> Points:
        """``count`` points, each a sum of these: row r adds ``weights[r]`` times the point ``columns[r]`` to the
        point ``rows[r]``."""


@dataclass(frozen=True, eq=False)
class LinearPoints(Points):
    """Points that move linearly with identity and expression: ``mean (P, 3)``, ``basis (P, 3, K)``, K = I + E."""

    mean: Tensor
    basis: Tensor

    @classmethod
    def of(cls, model: FaceModel, vertices: Tensor) -> LinearPoints:
        """The vertices of a linear face model named by ``vertices (P,)``; :meth:`Points.of` is for any model."""
        if not model.linear:
            raise InputError(f"the vertices of a {model.kind} do not move linearly: its joints turn; use Points.of")
        basis = torch.cat([model.identity_basis[vertices], model.expression_basis[vertices]], 2)
        return cls(model.mean[vertices], without_specks(basis))

    def place(self, shape: Tensor) -> Tensor:
        moved = shape @ self.basis.flatten(0, 1).T
        return moved.unflatten(1, (-1, 3)) + self.mean

    def slopes(self, shape: Tensor) -> Tensor:
        return self.basis

    def combined(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> LinearPoints:
        whole = torch.cat([self.mean[:, :, None], self.basis], 2)
        total = whole.new_zeros(count, *whole.shape[1:])
        total = total.index_add(0, rows, whole[columns] * weights[:, None, None])
        return LinearPoints(total[..., 0].contiguous(), without_specks(total[..., 1:]))


@dataclass(frozen=True, eq=False)
class JointedPoints(Points):
    """Points of a model whose vertices do not move linearly, such as FLAME's, whose jaw and neck turn. Their places and
    derivatives are the model's own at each shape.

    mix   ``(rows, columns, weights, count)`` of :meth:`combined`; None: the vertices themselves
    """

    model: FaceModel
    vertices: Tensor
    mix: tuple[Tensor, Tensor, Tensor, int] | None = None

    def place(self, shape: Tensor) -> Tensor:
        identity, expression = shape.split([self.model.layout.identity, self.model.layout.expression], 1)
        return self._mixed(self.model.shape(identity, expression)[:, self.vertices])

    def slopes(self, shape: Tensor) -> Tensor:
        identity, expression = shape.split([self.model.layout.identity, self.model.layout.expression], 1)
        return self._mixed(self.model.slopes(identity, expression, self.vertices))

    def combined(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> JointedPoints:
        if self.mix is not None:
            raise InputError("these points are sums of vertices already")
        return JointedPoints(self.model, self.vertices, (rows, columns, weights, count))

    def _mixed(self, values: Tensor) -> Tensor:
        """``values (B, P, …)`` of the vertices → of the points."""
        if self.mix is None:
            return values
        rows, columns, weights, count = self.mix
        total = values.new_zeros(len(values), count, *values.shape[2:])
        weights = weights.reshape(-1, *(1 for _ in values.shape[2:]))
        return total.index_add(1, rows, values[:, columns] * weights)


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
    def of(cls, points: Points, x: Tensor, layout: CoefficientLayout, *, slopes: bool = False) -> Posed:
        """For coefficients ``x (B, N)``. Without ``slopes`` points that do not move linearly have no basis, and so no
        :meth:`jacobian`."""
        shape = x[:, : layout.identity + layout.expression]
        angles, translation = x[:, layout.slice("rotation")], x[:, layout.slice("translation")]
        rotation = euler_to_matrix(angles)
        turned = points.place(shape) @ rotation.transpose(1, 2)
        basis = points.slopes(shape) if slopes or isinstance(points, LinearPoints) else None
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


def without_specks(basis: Tensor) -> Tensor:
    """The basis with what is too small to matter (10⁻⁸ dm is a micrometre's thousandth) set to zero: its products
    would be denormal numbers, which CPUs multiply a hundred times slower."""
    return basis.masked_fill(basis.abs() < _SPECK, 0)


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
