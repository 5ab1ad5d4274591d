"""Landmarks drawn on their pictures, for people to look at."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.checks import check_shape

FOUND, MISSED = (0.1, 1.0, 0.2), (1.0, 0.15, 0.1)
_RADIUS = 0.006  # of the picture's shorter side
_LEAST_RADIUS = 0.6  # pixels


def draw_points(
    images: Tensor, points: Tensor, found: Tensor | None = None, *, colour: tuple[float, float, float] = FOUND
) -> Tensor:
    """``images (B, 3, H, W)`` in [0, 1] with a dot at each of ``points (B, K, 2)`` pixels; red where ``found (B,)`` is
    False."""
    sizes = check_shape("images", images, ("B", 3, "H", "W"))
    check_shape("points", points, (sizes["B"], "K", 2))
    radius = max(_LEAST_RADIUS, _RADIUS * min(sizes["H"], sizes["W"]))
    inks = images.new_tensor(colour).expand(sizes["B"], 3)
    if found is not None:
        inks = torch.where(found.to(images.device)[:, None], inks, images.new_tensor(MISSED))
    x, y = (torch.arange(sizes[axis], device=images.device, dtype=images.dtype) + 0.5 for axis in "WH")
    result = images
    for point in points.to(images).unbind(1):
        away = torch.hypot(x[None, None, :] - point[:, :1, None], y[None, :, None] - point[:, 1:, None])
        cover = (radius + 0.5 - away).clamp(0, 1)[:, None]
        result = torch.lerp(result, inks[:, :, None, None].expand_as(result), cover)
    return result
