"""A renderer in one file: the painter's algorithm, slow and short."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry.scan import Cull
from faceuv.registry import RENDERERS
from faceuv.renderers import Renderer


@RENDERERS.register_module(name="painter")
class PainterRenderer(Renderer):
    """Looks at every triangle from every pixel and keeps the nearest: for meshes of a few triangles."""

    name = "painter"

    @classmethod
    def available(cls, device: torch.device | str) -> bool:
        """Everywhere."""
        return True

    @torch.no_grad()
    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        """See the base class."""
        rows, columns = torch.meshgrid(
            torch.arange(height, device=pixels.device) + 0.5,
            torch.arange(width, device=pixels.device) + 0.5,
            indexing="ij",
        )
        a, b, c = (pixels[:, faces[:, corner], :, None, None] for corner in range(3))  # (B, F, 3, 1, 1)

        def side(p: Tensor, q: Tensor) -> Tensor:
            return (q[:, :, 0] - p[:, :, 0]) * (rows - p[:, :, 1]) - (q[:, :, 1] - p[:, :, 1]) * (columns - p[:, :, 0])

        weights = torch.stack([side(b, c), side(c, a), side(a, b)])  # (3, B, F, H, W), twice the areas
        area = weights.sum(0)
        inside = ((weights >= 0).all(0) | (weights <= 0).all(0)) & (area != 0)
        inside &= torch.stack([corner[:, :, 2] for corner in (a, b, c)]).amin(0) > 1e-4
        if cull != "none":
            inside &= (area > 0) if cull == "back" else (area < 0)
        weights = weights / area.where(area != 0, 1)
        depth = 1 / sum(weight / corner[:, :, 2] for weight, corner in zip(weights, (a, b, c)))
        depth = depth.masked_fill(~inside, torch.inf)
        nearest, face_id = depth.min(1)
        return face_id.masked_fill(nearest.isinf(), -1)
