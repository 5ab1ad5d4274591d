"""The network of the method, and how files keep it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from faceuv.files.networks import stored
from faceuv.models.base.codes import broadcast_code


@stored("sample_relief")
class ReliefNetwork(nn.Module):
    """Code ``(B, L, D)`` → depth ``(B, n, n)`` and colour ``(B, 3, n, n)`` of a sheet."""

    def __init__(self, num_layers: int, code_dim: int, grid: int = 17, width: int = 16) -> None:
        super().__init__()
        self.num_layers, self.code_dim, self.grid, self.width = num_layers, code_dim, grid, width
        self.layers = nn.Sequential(
            nn.Linear(num_layers * code_dim, width), nn.SiLU(), nn.Linear(width, 4 * grid * grid)
        )
        nn.init.zeros_(self.layers[-1].weight)  # begin with a flat grey sheet
        nn.init.zeros_(self.layers[-1].bias)

    def settings(self) -> dict[str, Any]:
        """What builds a network of this shape: the header of its file keeps it."""
        return {"num_layers": self.num_layers, "code_dim": self.code_dim, "grid": self.grid, "width": self.width}

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Depth in decimetres, colour in [0, 1]."""
        flat = broadcast_code(code, self.num_layers, self.code_dim).flatten(1)
        maps = self.layers(flat).unflatten(1, (4, self.grid, self.grid))
        return maps[:, 0], maps[:, 1:].sigmoid()
