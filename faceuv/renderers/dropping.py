"""For backends that cannot drop faces: collapses them to a point, so that the ids of the others do not change."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry.scan import Cull


def collapse_dropped_faces(pixels: Tensor, faces: Tensor, cull: Cull, *, near: float = 1e-4) -> Tensor:
    """``faces (F, 3)`` unchanged if all can be drawn, else ``(B, F, 3)``, where a dropped face is one vertex thrice.

    Dropped are faces with a vertex at z ≤ near, or not finite, and those that ``cull`` names.
    """
    usable = (pixels[..., 2] > near) & torch.isfinite(pixels).all(-1)
    if cull == "none" and bool(usable.all()):
        return faces
    keep = usable[:, faces].all(-1)
    if cull != "none":
        x, y = pixels[..., 0].float(), pixels[..., 1].float()
        (x0, x1, x2), (y0, y1, y2) = ([plane[:, c] for c in faces.unbind(1)] for plane in (x, y))
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        # With y down, counter-clockwise to the viewer is a negative area.
        keep &= area < 0 if cull == "back" else area > 0
    return torch.where(keep[..., None], faces, faces[:, :1])
