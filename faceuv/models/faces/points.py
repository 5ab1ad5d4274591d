"""Some points of a face model as a function of identity and expression, with their derivatives.

``FaceModel.points(vertices)`` gives them. They move as ``FaceModel.shape`` moves the same vertices, whatever the model:
what reads landmarks, fits or trains through points is exact for blends that depend on the person and for joints.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from faceuv.errors import InputError

_SPECK = 1e-8


class Points(nn.Module):
    """P points of a face in the object frame that move with the K coefficients of identity, then expression.

    A face model that does not move linearly returns a subclass of its own from ``FaceModel.points``. Buffers stay out
    of checkpoints.
    """

    linear: ClassVar[bool] = False
    """Whether :meth:`slopes` are the same for every shape."""

    @abstractmethod
    def place(self, shape: Tensor) -> Tensor:
        """``(B, P, 3)`` decimetres in the object frame, for ``shape (B, K)``: identity, then expression."""

    @abstractmethod
    def slopes(self, shape: Tensor) -> Tensor:
        """The derivatives ``(B, P, 3, K)`` of :meth:`place`; ``(P, 3, K)`` where they are the same for every shape."""

    def combined(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> Points:
        """``count`` points, each a sum of these: row r adds ``weights[r]`` times the point ``columns[r]`` to the
        point ``rows[r]``."""
        return CombinedPoints(self, rows, columns, weights, count)

    def keep(self, **buffers: Tensor) -> None:
        """Register buffers that follow the module to other devices and types but not into checkpoints."""
        for name, value in buffers.items():
            self.register_buffer(name, value.detach(), persistent=False)

    def forward(self, shape: Tensor) -> Tensor:
        """The same as :meth:`place`."""
        return self.place(shape)


class LinearPoints(Points):
    """Points that move linearly with identity and expression: ``mean (P, 3)``, ``basis (P, 3, K)``, K = I + E."""

    linear = True
    mean: Tensor
    basis: Tensor

    def __init__(self, mean: Tensor, basis: Tensor) -> None:
        super().__init__()
        self.keep(mean=mean, basis=without_specks(basis))

    def place(self, shape: Tensor) -> Tensor:
        moved = shape @ self.basis.flatten(0, 1).T
        return moved.unflatten(1, (-1, 3)) + self.mean

    def slopes(self, shape: Tensor) -> Tensor:
        return self.basis

    def combined(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> LinearPoints:
        whole = torch.cat([self.mean[:, :, None], self.basis], 2)
        total = sums(whole[None], rows, columns, weights, count)[0]
        return LinearPoints(total[..., 0].contiguous(), total[..., 1:])


class CombinedPoints(Points):
    """Sums of points that do not move linearly, see :meth:`Points.combined`."""

    rows: Tensor
    columns: Tensor
    weights: Tensor

    def __init__(self, points: Points, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> None:
        super().__init__()
        if isinstance(points, CombinedPoints):
            raise InputError("these points are sums of points already")
        self.points, self.count = points, count
        self.keep(rows=rows, columns=columns, weights=weights)

    def place(self, shape: Tensor) -> Tensor:
        return sums(self.points.place(shape), self.rows, self.columns, self.weights, self.count)

    def slopes(self, shape: Tensor) -> Tensor:
        return sums(self.points.slopes(shape), self.rows, self.columns, self.weights, self.count)


def sums(values: Tensor, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> Tensor:
    """``values (B, P, …)`` → ``(B, count, …)``: row r adds ``weights[r]`` times ``columns[r]`` to ``rows[r]``."""
    total = values.new_zeros(len(values), count, *values.shape[2:])
    return total.index_add(1, rows, values[:, columns] * weights.reshape(-1, *(1 for _ in values.shape[2:])))


def without_specks(basis: Tensor) -> Tensor:
    """The basis with what is too small to matter (10⁻⁸ dm is a micrometre's thousandth) set to zero: its products
    would be denormal numbers, which CPUs multiply a hundred times slower."""
    return basis.masked_fill(basis.abs() < _SPECK, 0)
