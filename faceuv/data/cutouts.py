"""Cutting similar frames (moved, turned, scaled squares) out of batches of pictures, and carrying points along.

A frame is an affine map ``(2, 3)`` from the cut-out's coordinates, [−1, 1] from edge to edge with x right and y down,
to the picture's pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.models.faces.procedural.landmarks import MIRROR

FINEST = 4  # samples along a side of a pixel, at most, where a frame is shown smaller than it is


def similar_frames(centre: Tensor, half: Tensor, angle: Tensor) -> Tensor:
    """Frames ``(B, 2, 3)`` about ``centre (B, 2)`` pixels, ``half (B,)`` pixels from centre to edge, turned by ``angle
    (B,)`` radians, clockwise positive: a face that is turned by as much stands upright in it."""
    cos, sin = half * torch.cos(angle), half * torch.sin(angle)
    rows = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    return torch.cat([rows, centre[:, :, None]], 2)


def whole_frames(images: Tensor) -> Tensor:
    """For each picture ``(B, C, H, W)`` the least upright square about all of it."""
    batch, _, height, width = images.shape
    centre = images.new_tensor([width / 2, height / 2]).expand(batch, 2)
    half = images.new_full((batch,), max(height, width) / 2)
    return similar_frames(centre, half, torch.zeros_like(half))


def random_frames(
    images: Tensor, *, shift: float, zoom: tuple[float, float], turn: float, generator: torch.Generator | None = None
) -> Tensor:
    """Frames about pictures ``(B, C, S, S)``: moved by up to ``shift`` of the side, turned by up to ``turn`` radians,
    uniform; what they hold appears ``zoom`` times as large, log-uniform."""
    batch, side = len(images), images.shape[3]
    numbers = torch.rand(batch, 4, generator=generator, device=images.device, dtype=images.dtype)
    centre = (numbers[:, :2] * 2 - 1) * (shift * side) + side / 2
    low, high = (math.log(value) for value in zoom)
    half = 0.5 * side * torch.exp(-(low + (high - low) * numbers[:, 2]))
    return similar_frames(centre, half, (numbers[:, 3] * 2 - 1) * turn)


def cut(images: Tensor, frames: Tensor, size: int) -> Tensor:
    """``(B, C, size, size)``: the contents of the frames in ``images (B, C, H, W)``, border pixels repeated outside.

    Several samples make a pixel where pixels of the cut-out are larger than the picture's, so that nothing aliases.
    """
    sizes = check_shape("images", images, ("B", "C", "H", "W"))
    check_shape("frames", frames, (sizes["B"], 2, 3))
    fine = (2 * pixel_size(frames) / size).round().clamp(1, FINEST).long()
    result = images.new_empty(sizes["B"], sizes["C"], size, size)
    for samples in fine.unique().tolist():
        rows = (fine == samples).nonzero()[:, 0]
        result[rows] = _cut(images[rows], frames[rows], size, samples)
    return result


def _cut(images: Tensor, frames: Tensor, size: int, samples: int) -> Tensor:
    batch, _, height, width = images.shape
    side = size * samples
    axis = ((torch.arange(side, device=images.device, dtype=images.dtype) + 0.5) * (2 / side)) - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    pixels = points_from(frames, torch.stack([x, y], 2).flatten(0, 1).expand(batch, -1, 2))
    grid = (pixels / pixels.new_tensor([width / 2, height / 2]) - 1).unflatten(1, (side, side))
    found = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(found, samples) if samples > 1 else found


def points_from(frames: Tensor, points: Tensor) -> Tensor:
    """Points ``(B, K, 2)`` of the cut-outs, in [−1, 1], in the pictures' pixels."""
    return points @ frames[:, :, :2].transpose(1, 2) + frames[:, None, :, 2]


def points_in(frames: Tensor, pixels: Tensor) -> Tensor:
    """Points ``(B, K, 2)`` of the pictures, in pixels, in the cut-outs' coordinates."""
    return (pixels - frames[:, None, :, 2]) @ torch.linalg.inv(frames[:, :, :2]).transpose(1, 2)


def pixel_size(frames: Tensor) -> Tensor:
    """``(B,)``: pixels of the picture in one unit of the cut-out, half its side."""
    return torch.linalg.det(frames[:, :, :2]).abs().sqrt()


def mirror_points(points: Tensor) -> Tensor:
    """68 points ``(B, 68, 2)`` in [−1, 1] of the mirrored picture: x changes its sign, left and right their names."""
    return points[:, list(MIRROR)] * points.new_tensor([-1.0, 1.0])
