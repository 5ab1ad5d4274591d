"""Which surface points a camera sees: an exact test for each point, without a depth image."""

from __future__ import annotations

import importlib.util
import math

import torch
from torch import Tensor

_CHUNK = 1 << 17  # (face, point) pairs tested at once; bounds the memory
_CELLS_PER_POINT = 4  # measured: with fewer, faces meet points that they do not cover; with more, cells cost


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

    Points are sorted into cells; each face is tested against the points in the cells of its bounding box.
    """
    # Cells so fine that few hold two points: then a face meets hardly any point that it does not cover.
    fine = max(1, math.ceil(math.sqrt(_CELLS_PER_POINT * points.shape[1] / (height * width))))
    scale = torch.tensor([fine, fine, 1.0], device=points.device)
    height, width = height * fine, width * fine
    points, pixels = points.detach().float() * scale, pixels.detach().float() * scale
    x, y, z = points.unbind(-1)
    visible = (z > near) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    occluded = _occluded
    if points.device.type == "cpu" and importlib.util.find_spec("numba") is not None:
        from faceuv.renderers.occlusion_numba import occluded_numba as occluded
    for b in range(points.shape[0]):
        kept = visible[b].nonzero().squeeze(1)
        if kept.numel() and faces.numel():
            seen = points[b].index_select(0, kept)
            visible[b, kept] = ~occluded(pixels[b], faces, seen, height, width, near, tolerance)
    return visible


def _occluded(
    pixels: Tensor, faces: Tensor, points: Tensor, height: int, width: int, near: float, tolerance: float
) -> Tensor:
    """``(N,)`` bool for one image, whose points all lie inside it."""
    take = torch.index_select
    cell = points[:, 1].floor().to(torch.int64) * width + points[:, 0].floor().to(torch.int64)
    order = torch.argsort(cell)
    px, py, pz = points.index_select(0, order).t().contiguous()  # the points of a cell lie side by side
    in_cell = torch.bincount(cell, minlength=height * width)
    first_in_cell = in_cell.cumsum(0) - in_cell
    usable = (pixels[:, 2] > near) & torch.isfinite(pixels).all(1)
    x, y, z = (
        torch.where(usable[:, None], pixels, torch.nan).t().contiguous()
    )  # NaN fails the comparison of boxes below
    corners = [corner.contiguous() for corner in faces.unbind(1)]
    x0, x1, x2 = (take(x, 0, c) for c in corners)
    y0, y1, y2 = (take(y, 0, c) for c in corners)
    left = torch.minimum(torch.minimum(x0, x1), x2).floor().clamp(min=0)
    right = torch.maximum(torch.maximum(x0, x1), x2).floor().clamp(max=width - 1)
    top = torch.minimum(torch.minimum(y0, y1), y2).floor().clamp(min=0)
    bottom = torch.maximum(torch.maximum(y0, y1), y2).floor().clamp(max=height - 1)
    chosen = ((right >= left) & (bottom >= top)).nonzero().squeeze(1)
    left, right, top, bottom = (take(side, 0, chosen).to(torch.int64) for side in (left, right, top, bottom))
    # The cells of one row are neighbours in the sorted points: one run of points per (face, row of its box).
    span, rank = _expand(bottom - top + 1)
    row = (take(top, 0, span) + rank) * width
    start, end, face = row + take(left, 0, span), row + take(right, 0, span), take(chosen, 0, span)
    begin = take(first_in_cell, 0, start)
    count = take(first_in_cell, 0, end) + take(in_cell, 0, end) - begin
    total = count.cumsum(0)
    occluded = torch.zeros(points.shape[0], dtype=torch.bool, device=points.device)
    first = 0
    while first < count.shape[0]:
        done = int(total[first - 1]) if first else 0
        last = max(first + 1, int(torch.searchsorted(total, done + _CHUNK, right=True)))
        owner, offset = _expand(count[first:last])
        point, f = take(begin[first:last], 0, owner) + offset, take(face[first:last], 0, owner)
        cx, cy = take(px, 0, point), take(py, 0, point)
        a0, a1, a2 = (take(v, 0, f).sub_(cx) for v in (x0, x1, x2))
        b0, b1, b2 = (take(v, 0, f).sub_(cy) for v in (y0, y1, y2))
        e0, e1, e2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        area = e0 + e1 + e2
        back = torch.minimum(torch.minimum(e0, e1), e2) >= 0
        front = torch.maximum(torch.maximum(e0, e1), e2) <= 0
        hit = ((front | back) & (area != 0)).nonzero().squeeze(1)
        point, f = take(point, 0, hit), take(f, 0, hit)
        q = [take(e, 0, hit) / take(z, 0, take(c, 0, f)) for e, c in zip((e0, e1, e2), corners)]
        depth = take(area, 0, hit) / (q[0] + q[1] + q[2])
        occluded[take(order, 0, point[depth < take(pz, 0, point) * (1 - tolerance)])] = True
        first = last
    return occluded


def _expand(count: Tensor) -> tuple[Tensor, Tensor]:
    """``count (K,)`` → for each of Σcount items its group and its number within the group."""
    group = torch.repeat_interleave(count)
    start = count.cumsum(0) - count
    return group, torch.arange(group.shape[0], device=count.device) - start.index_select(0, group)
