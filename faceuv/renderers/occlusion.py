"""Which of many surface points does a camera see? Answered exactly, point by point, not by way of a depth image."""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 1 << 19  # (face, point) pairs tested at once; bounds the memory


@torch.no_grad()
def visible_points(
    pixels: Tensor,
    faces: Tensor,
    points: Tensor,
    height: int,
    width: int,
    *,
    near: float = 1e-4,
    tolerance: float = 2e-5,
) -> Tensor:
    """``(B, N)`` bool: the points that lie in the image, in front of the near plane, with no face before them.

    Args:
        pixels: ``(B, V, 3)`` projected vertices with depth; ``faces (F, 3)``, the occluders.
        points: ``(B, N, 3)`` projected surface points with depth.
        tolerance: a face occludes if it is nearer by more than this share of the depth (the point's own face is not).

    Points are sorted into pixel cells; each face is tested against the points in the cells of its bounding box.
    """
    x, y, z = points.detach().float().unbind(-1)
    visible = (z > near) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    for b in range(points.shape[0]):
        kept = visible[b].nonzero().squeeze(1)
        if kept.numel() and faces.numel():
            seen = points[b].detach().float().index_select(0, kept)
            visible[b, kept] = ~_occluded(pixels[b].detach().float(), faces, seen, height, width, near, tolerance)
    return visible


def _occluded(
    pixels: Tensor, faces: Tensor, points: Tensor, height: int, width: int, near: float, tolerance: float
) -> Tensor:
    """``(N,)`` bool for one image, whose points all lie inside it."""
    take = torch.index_select
    cell = points[:, 1].floor().to(torch.int64) * width + points[:, 0].floor().to(torch.int64)
    order = torch.argsort(cell)
    in_cell = torch.bincount(cell, minlength=height * width)
    first_in_cell = in_cell.cumsum(0) - in_cell
    corners = take(pixels, 0, faces.flatten()).view(-1, 3, 3)
    x, y, z = corners.unbind(-1)
    drawn = (z > near).all(1) & torch.isfinite(corners).flatten(1).all(1)
    left, top = x.amin(1).floor().clamp(min=0), y.amin(1).floor().clamp(min=0)
    right, bottom = x.amax(1).floor().clamp(max=width - 1), y.amax(1).floor().clamp(max=height - 1)
    columns, rows = (right - left + 1).clamp(min=0), (bottom - top + 1).clamp(min=0)
    chosen = (drawn & (columns * rows > 0)).nonzero().squeeze(1)
    occluded = torch.zeros(points.shape[0], dtype=torch.bool, device=points.device)
    # Rows of cells are contiguous in the sorted points: one run of points per (face, row of its box).
    spans, rank = _expand(take(rows, 0, chosen).to(torch.int64))
    face = take(chosen, 0, spans)
    start = (take(top, 0, face).to(torch.int64) + rank) * width + take(left, 0, face).to(torch.int64)
    end = start + take(columns, 0, face).to(torch.int64) - 1
    begin = take(first_in_cell, 0, start)
    count = take(first_in_cell, 0, end) + take(in_cell, 0, end) - begin
    total = count.cumsum(0)
    span = 0
    while span < count.shape[0]:
        done = int(total[span - 1]) if span else 0
        last = max(span + 1, int(torch.searchsorted(total, done + _CHUNK, right=True)))
        owner, offset = _expand(count[span:last])
        point = take(order, 0, take(begin[span:last], 0, owner) + offset)
        p, triangle = take(points, 0, point), take(corners, 0, take(face[span:last], 0, owner))
        depth = _depth_at(triangle, p)
        hidden = point[depth < p[:, 2] * (1 - tolerance)]
        occluded[hidden] = True
        span = last
    return occluded


def _expand(count: Tensor) -> tuple[Tensor, Tensor]:
    """``count (K,)`` → for each of Σcount items its group and its number within the group."""
    group = torch.repeat_interleave(count)
    start = count.cumsum(0) - count
    return group, torch.arange(group.shape[0], device=count.device) - start.index_select(0, group)


def _depth_at(triangles: Tensor, points: Tensor) -> Tensor:
    """Depth of ``triangles (P, 3, 3)`` at ``points (P, 3)``, infinity where they do not cover them."""
    x, y = (triangles[..., k] - points[:, None, k] for k in (0, 1))
    e = torch.stack(
        [
            x[:, 1] * y[:, 2] - x[:, 2] * y[:, 1],
            x[:, 2] * y[:, 0] - x[:, 0] * y[:, 2],
            x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0],
        ],
        1,
    )
    inside = (e >= 0).all(1) | (e <= 0).all(1)
    area = e.sum(1)
    depth = area / (e / triangles[..., 2]).sum(1)
    return torch.where(inside & (area != 0), depth, torch.inf)
