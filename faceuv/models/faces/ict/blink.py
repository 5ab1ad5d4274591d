"""Blinks that shut every person's eyes: how far a lid has to go depends on how wide the eye is open.

The published blink closes the mean eye; on others it leaves slits of up to 4 mm, or goes too far. What an identity adds
to the height of the opening, a blink takes away again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceuv.errors import AssetError
from faceuv.models.faces.ict.closing import Slit

SIDES = ("left", "right")
MODES = ("eyeBlinkLeft", "eyeBlinkRight")
# Array name → axes: n vertices about the lids, S places along a lid, I identity modes.
ARRAYS: dict[str, tuple[str | int, ...]] = {
    "blink_vertices": ("n",),
    "blink_heights": (2, "I", "S"),
    "blink_spread": (2, "n", "S"),
}


def blink_arrays(
    slits: Mapping[str, Slit], rest: NDArray[np.float64], identity: NDArray[np.float64], source: NDArray[np.int64]
) -> dict[str, Tensor]:
    """The arrays of :class:`Blink`, decimetres; ``source (V,)`` names the published vertex of each."""
    spread = np.stack([slits[side].spread(rest)[source] for side in SIDES])
    near = np.flatnonzero(np.abs(spread).max((0, 2)) > 1e-6)
    heights = np.stack([slits[side].height(rest, identity) for side in SIDES]) / 10
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


def check_blink(arrays: Mapping[str, Tensor], vertices: int, identities: int, where: str) -> None:
    """Whether a file has what :class:`Blink` takes."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise AssetError(f"{where}: missing {', '.join(missing)}; convert it again: faceuv convert ict FOLDER")
    near, heights, spread = (arrays[name] for name in ARRAYS)
    fits = near.ndim == 1 and heights.ndim == 3 and heights.shape[:2] == (2, identities)
    fits = fits and spread.shape == (2, len(near), heights.shape[2]) and near.dtype == torch.int64
    if not fits or (len(near) and not (0 <= int(near.min()) and int(near.max()) < vertices)):
        shapes = ", ".join(f"{name} {tuple(arrays[name].shape)}" for name in ARRAYS)
        raise AssetError(f"{where}: {shapes} do not belong to {vertices} vertices and {identities} identity modes")
