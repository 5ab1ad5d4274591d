"""Scan conversion in plain torch: the nearest triangle at each pixel centre.

The work is one candidate per (triangle, pixel of its bounding box), so it grows with the pixels that triangles could
touch, never with triangles × pixels. The nearest triangle wins by one integer ``amin`` on (depth bits, face id).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from faceuv.checks import check_floating, check_same_device, check_shape
from faceuv.errors import InputError

Cull = Literal["none", "back", "front"]
Schedule = Literal["blocks", "batched"]

_EMPTY = torch.iinfo(torch.int64).max
_BLOCK_FACES = 16384  # faces per block on a CPU: its arrays stay in the second-level cache
_DENSE_BOX = 2048  # pixels; a larger box is evaluated densely on a CPU, without gathers
_CPU_CHUNK = 1 << 17  # candidates evaluated at once
_GPU_CHUNK = 1 << 22
_EXACT_FLOAT32_PIXELS = 1 << 22  # up to here float32 holds (row, column) arithmetic within a box exactly


@torch.no_grad()
def scan_triangles(
    pixels: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    near: float = 1e-4,
    cull: Cull = "none",
    schedule: Schedule | None = None,
    chunk: int | None = None,
) -> Tensor:
    """Face ids ``(B, H, W)`` int64 seen at the pixel centres, −1 where there is none. Carries no gradient.

    Args:
        pixels: ``(B, V, 3)``: x right and y down in pixels, z = view depth; pixel (row r, column c) has its centre at
            (c + ½, r + ½). Evaluated in float32.
        faces: ``(F, 3)`` int64, shared by the batch.
        near: a face with a vertex at z ≤ near, or with a vertex that is not finite, is dropped.
        cull: ``"back"`` drops faces that turn clockwise as seen on the screen, ``"front"`` the others.
        schedule: ``"blocks"`` (one image and a cache-sized block of faces at a time, default on a CPU) or ``"batched"``
            (everything at once, few kernels, default elsewhere). The result is the same.
        chunk: candidates evaluated at once; bounds the memory (about 100 bytes each), never the result.

    Edges are inclusive and shared edges are decided by values that negate exactly, so meshes are watertight; of equal
    depths the lower face id wins; a triangle without area covers nothing.
    """
    check_scan_input(pixels, faces, height, width, cull)
    batch, count, _ = pixels.shape
    device = pixels.device
    schedule = schedule or ("blocks" if device.type == "cpu" else "batched")
    chunk = chunk or (_CPU_CHUNK if device.type == "cpu" else _GPU_CHUNK)
    nearest = torch.full((batch, height * width), _EMPTY, dtype=torch.int64, device=device)
    if nearest.numel() and faces.numel():
        x, y, z = (plane.contiguous() for plane in pixels.detach().float().unbind(-1))
        usable = (z > near) & (z < torch.inf) & (x.abs() < torch.inf) & (y.abs() < torch.inf)
        x = torch.where(usable, x, torch.nan)  # NaN spreads to the bounding box, whose comparison then drops the face
        corners = [corner.contiguous() for corner in faces.unbind(1)]
        if schedule == "blocks":
            for b in range(batch):
                planes = (x[b], y[b], z[b].reciprocal())
                for first in range(0, faces.shape[0], _BLOCK_FACES):
                    block = [corner[first : first + _BLOCK_FACES] for corner in corners]
                    _scan(planes, block, first, None, nearest[b], height, width, cull, chunk, _DENSE_BOX)
        else:
            offset = torch.arange(batch, device=device)[:, None] * count
            everything = [(corner + offset).view(-1) for corner in corners]
            planes = (x.view(-1), y.view(-1), z.reciprocal().view(-1))
            _scan(planes, everything, 0, faces.shape[0], nearest.view(-1), height, width, cull, chunk, None)
    return torch.where(nearest != _EMPTY, nearest & 0xFFFFFFFF, -1).view(batch, height, width)


def check_scan_input(pixels: Tensor, faces: Tensor, height: int, width: int, cull: str) -> None:
    """The checks that every rasterizer shares: shapes, dtypes, devices, image size."""
    check_shape("pixels", pixels, ("B", "V", 3))
    check_floating("pixels", pixels)
    check_shape("faces", faces, ("F", 3))
    check_same_device(pixels=pixels, faces=faces)
    if faces.dtype != torch.int64:
        raise InputError(f"faces must be int64, got {faces.dtype}; convert them with .long()")
    if height < 1 or width < 1:
        raise InputError(f"an image needs height ≥ 1 and width ≥ 1, got {height} × {width}")
    if cull not in ("none", "back", "front"):
        raise InputError(f"cull must be 'none', 'back' or 'front', got {cull!r}")


def _scan(
    planes: tuple[Tensor, Tensor, Tensor],
    corners: list[Tensor],
    first: int,
    faces_per_image: int | None,
    nearest: Tensor,
    height: int,
    width: int,
    cull: Cull,
    chunk: int,
    dense_box: int | None,
) -> None:
    """Lower ``nearest`` to the keys of these faces. ``planes`` are x, y, 1/z by vertex; ``corners`` three vertex ids by
    face, numbered from ``first``; with ``faces_per_image`` they run through a whole batch, image after image."""
    take = torch.index_select  # several times faster than t[i] on a CPU
    smallest, largest = torch.minimum, torch.maximum
    x, y, inverse = planes
    x0, x1, x2 = (take(x, 0, c) for c in corners)
    y0, y1, y2 = (take(y, 0, c) for c in corners)
    left = smallest(smallest(x0, x1), x2).sub_(0.5).ceil_().clamp_(min=0)
    right = largest(largest(x0, x1), x2).sub_(0.5).floor_().clamp_(max=width - 1)
    top = smallest(smallest(y0, y1), y2).sub_(0.5).ceil_().clamp_(min=0)
    bottom = largest(largest(y0, y1), y2).sub_(0.5).floor_().clamp_(max=height - 1)
    columns = right.sub_(left).add_(1)
    rows = bottom.sub_(top).add_(1)
    touched = (columns > 0) & (rows > 0)  # false for NaN
    if dense_box is not None:
        large = touched & (columns * rows > dense_box)
        for face in large.nonzero().flatten().tolist():
            box = [int(v[face]) for v in (left, top, columns, rows)]
            ids = [corner[face] for corner in corners]
            _scan_box([x[i] for i in ids], [y[i] for i in ids], [inverse[i] for i in ids],
                      first + face, box, nearest.view(height, width), cull, chunk)  # fmt: skip
        touched &= ~large
    chosen = touched.nonzero().squeeze(1)
    if chosen.numel() == 0:
        return
    size = take(columns, 0, chosen).to(torch.int64) * take(rows, 0, chosen).to(torch.int64)
    end = size.cumsum(0)
    total = int(end[-1])
    exact = torch.float32 if height * width <= _EXACT_FLOAT32_PIXELS else torch.float64
    for start in range(0, total, chunk):
        length = min(chunk, total - start)
        position = torch.arange(start, start + length, device=x.device)
        if length == total:
            face = torch.repeat_interleave(chosen, size, output_size=total)
            rank = position - torch.repeat_interleave(end - size, size, output_size=total)
        else:
            j = torch.searchsorted(end, position, right=True)
            face = take(chosen, 0, j)
            rank = position - take(end - size, 0, j)
        rank = rank.to(exact)
        across = take(columns, 0, face).to(exact)
        down = torch.floor((rank + 0.5) / across)
        column = (rank - down * across).to(torch.float32) + take(left, 0, face)
        row = down.to(torch.float32) + take(top, 0, face)
        # Corners relative to the pixel: swapping two of them negates the edge value exactly, so there are no holes.
        px, py = column + 0.5, row + 0.5
        a0, a1, a2 = take(x0, 0, face).sub_(px), take(x1, 0, face).sub_(px), take(x2, 0, face).sub_(px)
        b0, b1, b2 = take(y0, 0, face).sub_(py), take(y1, 0, face).sub_(py), take(y2, 0, face).sub_(py)
        e0, e1, e2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        area = e0 + e1 + e2
        hit = _inside(e0, e1, e2, area, cull).nonzero().squeeze(1)
        if hit.numel() == 0:
            continue
        seen = take(face, 0, hit)
        depth = take(area, 0, hit) / (
            take(e0, 0, hit) * take(inverse, 0, take(corners[0], 0, seen))
            + take(e1, 0, hit) * take(inverse, 0, take(corners[1], 0, seen))
            + take(e2, 0, hit) * take(inverse, 0, take(corners[2], 0, seen))
        )
        at = take(row, 0, hit).to(torch.int64) * width + take(column, 0, hit).to(torch.int64)
        if faces_per_image is not None:
            image = torch.div(seen, faces_per_image, rounding_mode="floor")
            seen = seen - image * faces_per_image
            at += image * (height * width)
        nearest.scatter_reduce_(0, at, _key(depth, seen + first), "amin")


def _scan_box(
    x: list[Tensor],
    y: list[Tensor],
    inverse: list[Tensor],
    face: int,
    box: list[int],
    nearest: Tensor,
    cull: Cull,
    chunk: int,
) -> None:
    """One large triangle over its bounding box ``[left, top, columns, rows]``, in bands; the same arithmetic."""
    left, top, columns, rows = box
    px = torch.arange(left, left + columns, device=nearest.device, dtype=torch.float32) + 0.5
    a0, a1, a2 = ((v - px)[None] for v in x)
    band = max(1, chunk // columns)
    for first in range(top, top + rows, band):
        last = min(first + band, top + rows)
        py = torch.arange(first, last, device=nearest.device, dtype=torch.float32) + 0.5
        b0, b1, b2 = ((v - py)[:, None] for v in y)
        e0, e1, e2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        area = e0 + e1 + e2
        depth = area / (e0 * inverse[0] + e1 * inverse[1] + e2 * inverse[2])
        key = torch.where(_inside(e0, e1, e2, area, cull), _key(depth, face), _EMPTY)
        view = nearest[first:last, left : left + columns]
        torch.minimum(view, key, out=view)


def _inside(e0: Tensor, e1: Tensor, e2: Tensor, area: Tensor, cull: Cull) -> Tensor:
    """Inclusive on the edges. With y down, a face that is counter-clockwise to the viewer has negative edge values."""
    back = torch.minimum(torch.minimum(e0, e1), e2) >= 0
    front = torch.maximum(torch.maximum(e0, e1), e2) <= 0
    side = front if cull == "back" else back if cull == "front" else front | back
    return side & (area != 0)


def _key(depth: Tensor, face: Tensor | int) -> Tensor:
    """(depth, face) as one integer that sorts like the pair: the bits of a positive float sort like the float."""
    key = (depth.view(torch.int32).to(torch.int64) << 32) | face
    return torch.where((depth > 0) & (depth < torch.inf), key, _EMPTY)
