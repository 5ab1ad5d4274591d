"""Blinks that shut every person's eyes: how far a lid has to go depends on how wide the eye is open.

A movement that closes the mean eye leaves slits of up to 4 mm on others, or goes too far. What an identity adds to the
height of the opening, a blink takes away again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceuv.errors import AssetError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.points import LinearPoints, Points, sums
from faceuv.models.faces.slits import Slit

SIDES = ("left", "right")
MODES = ("eyeBlinkLeft", "eyeBlinkRight")
# Array name → axes: n vertices about the lids, S places along a lid, I identity modes.
ARRAYS: dict[str, tuple[str | int, ...]] = {
    "blink_vertices": ("n",),
    "blink_heights": (2, "I", "S"),
    "blink_spread": (2, "n", "S"),
}


def blink_arrays(
    slits: Mapping[str, Slit],
    rest: NDArray[np.float64],
    identity: NDArray[np.float64],
    source: NDArray[np.int64],
    per_decimetre: float = 1.0,
) -> dict[str, Tensor]:
    """The arrays of :class:`Blink`, decimetres, of slits in a mesh ``rest (v, 3)`` with ``identity (I, v, 3)``, both
    in units of which ``per_decimetre`` are a decimetre; ``source (V,)`` names the vertex of that mesh of each of the
    model's."""
    spread = np.stack([slits[side].spread(rest)[source] for side in SIDES])
    near = np.flatnonzero(np.abs(spread).max((0, 2)) > 1e-6)
    heights = np.stack([slits[side].height(rest, identity) for side in SIDES]) / per_decimetre
    return {
        "blink_vertices": torch.from_numpy(near),
        "blink_heights": torch.from_numpy(heights.astype(np.float32)),
        "blink_spread": torch.from_numpy(spread[:, near].astype(np.float32)),
    }


class Blink(nn.Module):
    """Moves the upper lids of blinking people so that they shut."""

    vertices: Tensor
    heights: Tensor
    spread: Tensor

    def __init__(self, arrays: Mapping[str, Tensor], columns: tuple[int, int]) -> None:
        super().__init__()
        self.columns = columns
        for name in ARRAYS:
            self.register_buffer(name.removeprefix("blink_"), arrays[name])

    def arrays(self) -> dict[str, Tensor]:
        """The buffers by the names of :data:`ARRAYS`."""
        return {name: getattr(self, name.removeprefix("blink_")) for name in ARRAYS}

    def forward(self, shape: Tensor, identity: Tensor, expression: Tensor) -> Tensor:
        """``shape (B, V, 3)`` after its lids have moved."""
        heights = torch.einsum("bi,ris->brs", identity, self.heights) * expression[:, self.columns, None]
        up = torch.einsum("brs,rns->bn", heights, self.spread)
        change = torch.stack([torch.zeros_like(up), up, torch.zeros_like(up)], 2)
        return shape.index_add(1, self.vertices, change)

    def points(self, plain: LinearPoints, vertices: Tensor) -> Points:
        """The points ``vertices (P,)`` of :meth:`forward`, for those of the shape before it."""
        near, row = (self.vertices[:, None] == vertices).nonzero(as_tuple=True)
        if not len(near):
            return plain
        spread = self.spread.new_zeros(2, len(vertices), self.spread.shape[2])
        spread[:, row] = self.spread[:, near]
        return BlinkPoints(plain, self.heights, spread, self.columns)


class BlinkPoints(Points):
    """Points of a head whose blinks depend on the person.

    Args:
        plain: the points without that.
        heights: ``(2, I, S)`` and columns of the blinks, as in :class:`Blink`.
        spread: ``(2, P, S)``: how much the heights move each point.
    """

    heights: Tensor
    spread: Tensor

    def __init__(self, plain: LinearPoints, heights: Tensor, spread: Tensor, columns: tuple[int, int]) -> None:
        super().__init__()
        self.plain = plain
        self.columns = [heights.shape[1] + column for column in columns]  # identity comes before expression
        self.keep(heights=heights, spread=spread)

    def place(self, shape: Tensor) -> Tensor:
        identities = self.heights.shape[1]
        heights = torch.einsum("bi,ris->brs", shape[:, :identities], self.heights) * shape[:, self.columns, None]
        up = torch.einsum("brs,rps->bp", heights, self.spread)
        return self.plain.place(shape) + up[:, :, None] * up.new_tensor([0.0, 1.0, 0.0])

    def slopes(self, shape: Tensor) -> Tensor:
        identities = self.heights.shape[1]
        per_height = torch.einsum("ris,rps->rpi", self.heights, self.spread)
        found = self.plain.basis.expand(len(shape), -1, -1, -1).clone()
        found[:, :, 1, :identities] += torch.einsum("br,rpi->bpi", shape[:, self.columns], per_height)
        found[:, :, 1, self.columns] += torch.einsum("bi,rpi->bpr", shape[:, :identities], per_height)
        return found

    def combined(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int) -> BlinkPoints:
        first = self.heights.shape[1]
        own = (self.columns[0] - first, self.columns[1] - first)
        spread = sums(self.spread, rows, columns, weights, count)
        return BlinkPoints(self.plain.combined(rows, columns, weights, count), self.heights, spread, own)


def check_blink(arrays: Mapping[str, Tensor], vertices: int, identities: int, where: str, again: str) -> None:
    """Whether a file has what :class:`Blink` takes; ``again`` says how to make it again."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise AssetError(f"{where}: missing {', '.join(missing)}; {again}")
    near, heights, spread = (arrays[name] for name in ARRAYS)
    fits = near.ndim == 1 and heights.ndim == 3 and heights.shape[:2] == (2, identities)
    fits = fits and spread.shape == (2, len(near), heights.shape[2]) and near.dtype == torch.int64
    if not fits or (len(near) and not (0 <= int(near.min()) and int(near.max()) < vertices)):
        shapes = ", ".join(f"{name} {tuple(arrays[name].shape)}" for name in ARRAYS)
        raise AssetError(f"{where}: {shapes} do not belong to {vertices} vertices and {identities} identity modes")


class BlinkingHead(FaceModel):
    """A face model whose lids go as far as a person's eyes are open: a base class, which calls :meth:`add_blink`."""

    linear = False
    blink: Blink

    def add_blink(self, arrays: Mapping[str, Tensor]) -> None:
        """Takes the arrays of :class:`Blink` after the constructor of :class:`FaceModel`."""
        left, right = (self.mode_index("expression", name) for name in MODES)
        self.blink = Blink(arrays, (left, right))

    def shape(self, identity: Tensor, expression: Tensor) -> Tensor:
        """As of every face model, and the lids of blinking people move as far as their eyes are open."""
        return self.blink(super().shape(identity, expression), identity, expression)

    def points(self, vertices: Tensor) -> Points:
        return self.blink.points(self._linear_points(vertices), vertices)

    @property
    def personal_expressions(self) -> tuple[int, ...]:
        """Blinks."""
        return self.blink.columns

    def arrays(self) -> dict[str, Tensor]:
        """The buffers by name, with those of the blink."""
        return {**super().arrays(), **self.blink.arrays()}
