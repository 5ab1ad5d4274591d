# mypy: ignore-errors
# Annotations are warp's types, and the bodies of kernels are a language of their own.
"""Scan conversion as kernels: the rules of :mod:`faceuv.geometry.scan`, the same ids.

One thread draws one small triangle. A large one is queued and drawn in tiles by groups of threads, so that no thread
works long. The nearest triangle of a pixel wins by a 64-bit atomic minimum of (depth bits, face id); the result does
not depend on the order of the threads.
"""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry.scan import Cull, check_scan_input
from faceuv.renderers.kernels.launching import launch

wp.set_module_options({"enable_backward": False})

_CULL = {"none": 0, "back": 1, "front": 2}
_EMPTY = torch.iinfo(torch.int64).max
_SMALL = 128  # pixels of a bounding box that one thread draws
_GROUPS = 4096  # groups of threads that share the tiles
_LANES = 32  # threads of a group, one column of a tile each
_START_BITS = 35  # of the queue's counter: tiles so far; the bits above count its triangles
_MOST_TRIANGLES = 1 << 28

TILE = wp.constant(32)
START_BITS = wp.constant(_START_BITS)
EMPTY = wp.constant(wp.int64(_EMPTY))


# A contracted multiply-add would break the exact negation that makes shared edges watertight.
@wp.func_native("""
#if defined(__CUDA_ARCH__)
    return __fsub_rn(__fmul_rn(a, d), __fmul_rn(b, c));
#else
    {
        #pragma clang fp contract(off)
        float first = a * d;
        float second = b * c;
        return first - second;
    }
#endif
""")
def cross(a: float, b: float, c: float, d: float) -> float:
    """a * d - b * c, each product rounded."""


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    return __fadd_rn(__fadd_rn(__fmul_rn(e0, r0), __fmul_rn(e1, r1)), __fmul_rn(e2, r2));
#else
    {
        #pragma clang fp contract(off)
        float first = e0 * r0;
        float second = e1 * r1;
        float third = e2 * r2;
        return (first + second) + third;
    }
#endif
""")
def dot(e0: float, e1: float, e2: float, r0: float, r1: float, r2: float) -> float:
    """e * r, each product rounded."""


@wp.func_native("""
    union { float number; int bits; } both;
    both.number = number;
    return both.bits;
""")
def bits(number: float) -> int:
    """The bits of a number; those of positive numbers sort as they do."""


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    if (keys.data[at] > key)
        atomicMin(reinterpret_cast<long long*>(keys.data) + at, static_cast<long long>(key));
#else
    if (keys.data[at] > key)
        keys.data[at] = key;
#endif
""")
def lower(keys: wp.array(dtype=wp.int64), at: wp.int64, key: wp.int64):
    """keys[at] = min(keys[at], key), atomically."""


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    return static_cast<wp::int64>(atomicAdd(reinterpret_cast<unsigned long long*>(counter.data),
        static_cast<unsigned long long>(step)));
#else
    wp::int64 before = counter.data[0];
    counter.data[0] = before + step;
    return before;
#endif
""")
def advance(counter: wp.array(dtype=wp.int64), step: wp.int64) -> wp.int64:
    """The counter before a step is added to it, atomically."""


@wp.struct
class Triangle:
    """Corners in pixels, reciprocal depths, and the pixels that its bounding box touches."""

    a: wp.vec3
    b: wp.vec3
    c: wp.vec3
    left: int
    right: int
    top: int
    bottom: int
    touched: bool


@wp.func
def usable(p: wp.vec3, near: float) -> bool:
    return p[2] > near and wp.isfinite(p[2]) and wp.isfinite(p[0]) and wp.isfinite(p[1])


@wp.func
def triangle_of(
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    image: int,
    face: int,
    near: float,
    height: int,
    width: int,
) -> Triangle:
    t = Triangle()
    t.touched = False
    a = points[image, int(faces[face, 0])]
    b = points[image, int(faces[face, 1])]
    c = points[image, int(faces[face, 2])]
    if usable(a, near) and usable(b, near) and usable(c, near):
        left = wp.max(wp.ceil(wp.min(wp.min(a[0], b[0]), c[0]) - 0.5), 0.0)
        right = wp.min(wp.floor(wp.max(wp.max(a[0], b[0]), c[0]) - 0.5), float(width - 1))
        top = wp.max(wp.ceil(wp.min(wp.min(a[1], b[1]), c[1]) - 0.5), 0.0)
        bottom = wp.min(wp.floor(wp.max(wp.max(a[1], b[1]), c[1]) - 0.5), float(height - 1))
        if left <= right and top <= bottom:
            t.touched = True
            t.left = int(left)
            t.right = int(right)
            t.top = int(top)
            t.bottom = int(bottom)
            t.a = wp.vec3(a[0], a[1], 1.0 / a[2])
            t.b = wp.vec3(b[0], b[1], 1.0 / b[2])
            t.c = wp.vec3(c[0], c[1], 1.0 / c[2])
    return t


@wp.func
def draw(
    t: Triangle,
    left: int,
    right: int,
    step: int,
    top: int,
    bottom: int,
    cull: int,
    image: int,
    face: int,
    height: int,
    width: int,
    nearest: wp.array(dtype=wp.int64),
):
    """Every ``step``-th column of a box of pixels."""
    row = top
    while row <= bottom:
        y = float(row) + 0.5
        b0 = t.a[1] - y
        b1 = t.b[1] - y
        b2 = t.c[1] - y
        column = left
        while column <= right:
            x = float(column) + 0.5
            a0 = t.a[0] - x
            a1 = t.b[0] - x
            a2 = t.c[0] - x
            e0 = cross(a1, a2, b1, b2)
            e1 = cross(a2, a0, b2, b0)
            e2 = cross(a0, a1, b0, b1)
            least = wp.min(wp.min(e0, e1), e2)
            most = wp.max(wp.max(e0, e1), e2)
            # with y down, a face that is counter-clockwise to the viewer has negative edge values
            if (cull != 1 and least >= 0.0) or (cull != 2 and most <= 0.0):
                area = e0 + e1 + e2
                if area != 0.0:
                    depth = area / dot(e0, e1, e2, t.a[2], t.b[2], t.c[2])
                    if depth > 0.0 and wp.isfinite(depth):
                        key = (wp.int64(bits(depth)) << wp.int64(32)) | wp.int64(face)
                        lower(nearest, (wp.int64(image) * wp.int64(height) + wp.int64(row)) * wp.int64(width)
                              + wp.int64(column), key)  # fmt: skip
            column += step
        row += 1


@wp.kernel
def scan_small(
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    near: float,
    cull: int,
    height: int,
    width: int,
    small: wp.int64,
    nearest: wp.array(dtype=wp.int64),
    counter: wp.array(dtype=wp.int64),
    starts: wp.array(dtype=wp.int64),
    queue: wp.array(dtype=wp.int64),
):
    """One thread per triangle: draws it if it is small, else queues it with the number of its first tile."""
    image, face = wp.tid()
    t = triangle_of(points, faces, image, face, near, height, width)
    if t.touched:
        columns = t.right - t.left + 1
        rows = t.bottom - t.top + 1
        if wp.int64(columns) * wp.int64(rows) <= small:
            draw(t, t.left, t.right, 1, t.top, t.bottom, cull, image, face, height, width, nearest)
        else:
            tiles = wp.int64((columns + TILE - 1) / TILE) * wp.int64((rows + TILE - 1) / TILE)
            # one addition counts triangles and tiles, so first tiles grow along the queue
            before = advance(counter, (wp.int64(1) << wp.int64(START_BITS)) + tiles)
            place = before >> wp.int64(START_BITS)
            starts[int(place)] = before & ((wp.int64(1) << wp.int64(START_BITS)) - wp.int64(1))
            queue[int(place)] = wp.int64(image) * wp.int64(faces.shape[0]) + wp.int64(face)


@wp.kernel
def scan_tiles(
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    near: float,
    cull: int,
    height: int,
    width: int,
    groups: int,
    lanes: int,
    nearest: wp.array(dtype=wp.int64),
    counter: wp.array(dtype=wp.int64),
    starts: wp.array(dtype=wp.int64),
    queue: wp.array(dtype=wp.int64),
):
    """Groups of threads draw the queued triangles, tile by tile."""
    group, lane = wp.tid()
    count = int(counter[0] >> wp.int64(START_BITS))
    tiles = counter[0] & ((wp.int64(1) << wp.int64(START_BITS)) - wp.int64(1))
    tile = wp.int64(group)
    while tile < tiles:
        low = int(0)  # the last triangle whose first tile is not beyond this one
        high = int(count)
        while high - low > 1:
            middle = (low + high) / 2
            if starts[middle] <= tile:
                low = middle
            else:
                high = middle
        face = int(queue[low] % wp.int64(faces.shape[0]))
        image = int(queue[low] / wp.int64(faces.shape[0]))
        t = triangle_of(points, faces, image, face, near, height, width)
        number = int(tile - starts[low])
        across = (t.right - t.left + TILE) / TILE
        left = t.left + (number % across) * TILE
        top = t.top + (number / across) * TILE
        right = wp.min(left + TILE - 1, t.right)
        bottom = wp.min(top + TILE - 1, t.bottom)
        draw(t, left + lane, right, lanes, top, bottom, cull, image, face, height, width, nearest)
        tile += wp.int64(groups)


@wp.kernel
def keys_to_ids(nearest: wp.array(dtype=wp.int64)):
    i = wp.tid()
    key = nearest[i]
    if key == EMPTY:
        nearest[i] = wp.int64(-1)
    else:
        nearest[i] = key - ((key >> wp.int64(32)) << wp.int64(32))


@torch.no_grad()
def scan_triangles_warp(
    pixels: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    near: float = 1e-4,
    cull: Cull = "none",
    small: int | None = None,
) -> Tensor:
    """Face ids ``(B, H, W)`` int64, −1 where nothing is seen: see :func:`~faceuv.geometry.scan.scan_triangles`.

    ``small``: bounding boxes of more pixels are drawn in tiles; by default 128 on CUDA and never on a CPU, which draws
    with one thread. The result is the same.
    """
    check_scan_input(pixels, faces, height, width, cull)
    batch, device = pixels.shape[0], pixels.device
    nearest = torch.full((batch, height, width), _EMPTY, dtype=torch.int64, device=device)
    triangles = batch * faces.shape[0]
    if triangles >= _MOST_TRIANGLES:
        raise InputError(
            f"the renderer 'warp' draws fewer than {_MOST_TRIANGLES:,} triangles at once, got {batch} ×"
            f" {faces.shape[0]:,}; draw a smaller batch"
        )
    if triangles == 0 or nearest.numel() == 0:
        return nearest.fill_(-1)
    on_cpu = device.type == "cpu"
    small = small if small is not None else height * width if on_cpu else _SMALL
    tiled = small < height * width
    counter = torch.zeros(1, dtype=torch.int64, device=device)
    starts, queue = torch.empty(2, triangles if tiled else 1, dtype=torch.int64, device=device).unbind(0)
    shared = (pixels.detach().float().contiguous(), faces.contiguous(), near, _CULL[cull], height, width)
    keys = nearest.view(-1)
    launch(scan_small, (batch, faces.shape[0]), (*shared, small, keys, counter, starts, queue), device)
    if tiled:
        groups, lanes = (1, 1) if on_cpu else (_GROUPS, _LANES)
        launch(scan_tiles, (groups, lanes), (*shared, groups, lanes, keys, counter, starts, queue), device)
    launch(keys_to_ids, (keys.numel(),), (keys,), device)
    return nearest
