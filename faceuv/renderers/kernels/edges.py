# mypy: ignore-errors
"""Silhouettes as kernels: the rules of :mod:`faceuv.renderers.antialias`.

Where a silhouette passes between two neighbouring pixels, the pair keeps one number (distance bits, edge, side) in the
place of its left or upper pixel, for rows and columns apart. Each pixel then gathers from its four pairs.
"""

from __future__ import annotations

import warp as wp

from faceuv.renderers.kernels.scan import bits, cross

wp.set_module_options({"enable_backward": False})


@wp.func_native("""
    union { int bits; float number; } both;
    both.bits = bits;
    return both.number;
""")
def number(bits: int) -> float:
    """The number with these bits."""


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    if (keys.data[at] < key)
        atomicMax(reinterpret_cast<long long*>(keys.data) + at, static_cast<long long>(key));
#else
    if (keys.data[at] < key)
        keys.data[at] = key;
#endif
""")
def lift(keys: wp.array(dtype=wp.int64), at: wp.int64, key: wp.int64):
    """keys[at] = max(keys[at], key), atomically."""


@wp.func
def turned(
    points: wp.array(dtype=wp.vec3, ndim=2), faces: wp.array(dtype=wp.int64, ndim=2), image: int, face: int
) -> bool:
    a = points[image, int(faces[face, 0])]
    b = points[image, int(faces[face, 1])]
    c = points[image, int(faces[face, 2])]
    return cross(b[0] - a[0], c[0] - a[0], b[1] - a[1], c[1] - a[1]) > 0.0


@wp.kernel
def cross_lines(
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    ends: wp.array(dtype=wp.int64, ndim=2),
    owners: wp.array(dtype=wp.int64, ndim=2),
    opposite: wp.array(dtype=wp.int64),
    face_id: wp.array(dtype=wp.int64),
    depth: wp.array(dtype=float),
    height: int,
    width: int,
    images: int,
    keys: wp.array(dtype=wp.int64),
):
    """One thread per edge: finds the pairs of pixels between which a silhouette edge is the outline."""
    image, edge = wp.tid()
    first_owner = int(owners[edge, 0])
    second_owner = int(owners[edge, 1])
    crease = second_owner < 0
    if not crease:
        crease = turned(points, faces, image, first_owner) != turned(points, faces, image, second_owner)
    a = points[image, int(ends[edge, 0])]
    b = points[image, int(ends[edge, 1])]
    if crease and a[2] > 0.0 and b[2] > 0.0:
        c = points[image, int(opposite[edge])]
        # each edge is tested along one axis only, the one that it crosses steeply: 0 rows of pixels, 1 columns
        axis = int(0)
        along_count = int(width)
        line_count = int(height)
        stride = int(1)
        line_stride = int(width)
        if wp.abs(b[0] - a[0]) > wp.abs(b[1] - a[1]):
            axis = 1
            along_count = height
            line_count = width
            stride = width
            line_stride = 1
        over = 1 - axis
        rise = b[over] - a[over]
        # half-open: a vertex exactly on a line belongs to one of its two edges
        line = int(wp.clamp(wp.ceil(wp.min(a[over], b[over]) - 0.5), 0.0, float(line_count)))
        last = int(wp.clamp(wp.ceil(wp.max(a[over], b[over]) - 0.5), 0.0, float(line_count)))
        # the surface lies where the opposite vertex lies: compare it with the edge's line at its own height
        at_opposite = a[axis] + (c[over] - a[over]) / rise * (b[axis] - a[axis])
        low_side = c[axis] < at_opposite
        while line < last:
            share = (float(line) + 0.5 - a[over]) / rise
            position = a[axis] + share * (b[axis] - a[axis])
            left = wp.floor(position - 0.5)
            if left >= 0.0 and left < float(along_count - 1):
                pair = (wp.int64(image) * wp.int64(height) * wp.int64(width)
                        + wp.int64(line) * wp.int64(line_stride) + wp.int64(int(left)) * wp.int64(stride))  # fmt: skip
                inner = pair
                outer = pair + wp.int64(stride)
                centre = left + 0.5
                side = wp.int64(1)
                if not low_side:
                    inner = outer
                    outer = pair
                    centre = left + 1.5
                    side = wp.int64(0)
                inner_depth = depth[int(inner)]
                outer_depth = depth[int(outer)]
                edge_depth = 1.0 / ((1.0 - share) / a[2] + share / b[2])
                if face_id[int(inner)] >= wp.int64(0) and (
                    face_id[int(outer)] < wp.int64(0) or (outer_depth > edge_depth and outer_depth > inner_depth)
                ):
                    # several edges may pass between two pixels: the outermost is the outline, and only one counts
                    key = (
                        (wp.int64(bits(wp.abs(position - centre))) << wp.int64(32))
                        | (wp.int64(edge) << wp.int64(1))
                        | side
                    )
                    plane = wp.int64(axis) * wp.int64(images) * wp.int64(height) * wp.int64(width)
                    lift(keys, plane + pair, key)
            line += 1


@wp.struct
class Pair:
    """A pair of pixels: whether a silhouette passes, the share in [-1/2, 1/2], the covered pixel, the one beyond, and
    the one of both that changes."""

    crossed: bool
    blend: float
    inner: int
    outer: int
    target: int
    edge: int
    low_side: bool


@wp.func
def pair_of(keys: wp.array(dtype=wp.int64), axis: int, pixel: int, pixels: int, stride: int) -> Pair:
    """The pair of ``pixel`` and the one ``stride`` further on."""
    p = Pair()
    p.crossed = False
    if pixel >= 0:
        key = keys[axis * pixels + pixel]
        if key >= wp.int64(0):
            p.crossed = True
            p.blend = number(int(key >> wp.int64(32))) - 0.5
            rest = key - ((key >> wp.int64(32)) << wp.int64(32))
            p.edge = int(rest >> wp.int64(1))
            p.low_side = (rest & wp.int64(1)) == wp.int64(1)
            p.inner = pixel
            p.outer = pixel + stride
            if not p.low_side:
                p.inner = pixel + stride
                p.outer = pixel
            p.target = p.inner
            if p.blend > 0.0:
                p.target = p.outer
    return p


@wp.func
def neighbour(keys: wp.array(dtype=wp.int64), number: int, pixel: int, pixels: int, width: int) -> Pair:
    """One of a pixel's four pairs: to the right, to the left, down, up."""
    if number == 0:
        return pair_of(keys, 0, pixel, pixels, 1)
    if number == 1:
        return pair_of(keys, 0, pixel - 1, pixels, 1)
    if number == 2:
        return pair_of(keys, 1, pixel, pixels, width)
    return pair_of(keys, 1, pixel - width, pixels, width)


@wp.func
def colour_at(picture: wp.array(dtype=float), pixel: int, plane: int) -> wp.vec3:
    """Of a flattened (B, 3, H, W), at a position in the flattened (B, H, W)."""
    first = (pixel / plane) * 3 * plane + pixel % plane
    return wp.vec3(picture[first], picture[first + plane], picture[first + 2 * plane])


@wp.func
def covered(face_id: wp.array(dtype=wp.int64), pixel: int) -> float:
    if face_id[pixel] >= wp.int64(0):
        return 1.0
    return 0.0


@wp.kernel
def blend(
    image: wp.array(dtype=float),
    face_id: wp.array(dtype=wp.int64),
    keys: wp.array(dtype=wp.int64),
    height: int,
    width: int,
    blended: wp.array(dtype=float),
    mask: wp.array(dtype=float),
    wanted: wp.array(dtype=float),
):
    """One thread per pixel: what the silhouettes beside it give or take; shares of one pixel make 1 at most."""
    pixel = wp.tid()
    pixels = face_id.shape[0]
    plane = height * width
    total = float(0.0)
    change = wp.vec3(0.0, 0.0, 0.0)
    cover = float(0.0)
    for k in range(4):
        p = neighbour(keys, k, pixel, pixels, width)
        if p.crossed and p.target == pixel:
            total += wp.abs(p.blend)
            change += p.blend * (colour_at(image, p.inner, plane) - colour_at(image, p.outer, plane))
            cover += p.blend * (covered(face_id, p.inner) - covered(face_id, p.outer))
    most = wp.max(total, 1.0)
    colour = colour_at(image, pixel, plane) + change / most
    first = (pixel / plane) * 3 * plane + pixel % plane
    blended[first] = colour[0]
    blended[first + plane] = colour[1]
    blended[first + 2 * plane] = colour[2]
    mask[pixel] = covered(face_id, pixel) + cover / most
    wanted[pixel] = total


@wp.kernel
def push_blend(
    points: wp.array(dtype=wp.vec3, ndim=2),
    ends: wp.array(dtype=wp.int64, ndim=2),
    image: wp.array(dtype=float),
    face_id: wp.array(dtype=wp.int64),
    keys: wp.array(dtype=wp.int64),
    wanted: wp.array(dtype=float),
    height: int,
    width: int,
    image_grad: wp.array(dtype=float),
    mask_grad: wp.array(dtype=float),
    plain_grad: wp.array(dtype=float),
    points_grad: wp.array(dtype=float, ndim=3),
):
    """One thread per pixel: gradients of the image before blending, and of the edges' ends."""
    pixel = wp.tid()
    pixels = face_id.shape[0]
    plane = height * width
    mine = colour_at(image_grad, pixel, plane)
    result = mine
    moved = float(0.0)  # sum of blend * gradient of its share, of the pairs that change this pixel
    for k in range(4):
        p = neighbour(keys, k, pixel, pixels, width)
        if p.crossed:
            share = p.blend / wp.max(wanted[p.target], 1.0)
            there = colour_at(image_grad, p.target, plane) * share
            if p.inner == pixel:
                result += there
            else:
                result -= there
            if p.target == pixel:
                step = wp.dot(mine, colour_at(image, p.inner, plane) - colour_at(image, p.outer, plane))
                step += mask_grad[pixel] * (covered(face_id, p.inner) - covered(face_id, p.outer))
                moved += step * p.blend
    first = (pixel / plane) * 3 * plane + pixel % plane
    plain_grad[first] = result[0]
    plain_grad[first + plane] = result[1]
    plain_grad[first + 2 * plane] = result[2]
    most = wp.max(wanted[pixel], 1.0)
    for k in range(4):
        p = neighbour(keys, k, pixel, pixels, width)
        if p.crossed and p.target == pixel:
            step = wp.dot(mine, colour_at(image, p.inner, plane) - colour_at(image, p.outer, plane))
            step += mask_grad[pixel] * (covered(face_id, p.inner) - covered(face_id, p.outer))
            step = step / most
            if wanted[pixel] >= 1.0:
                step -= moved / (most * most) * wp.sign(p.blend)
            if not p.low_side:
                step = -step
            number = pixel / plane
            one = int(ends[p.edge, 0])
            two = int(ends[p.edge, 1])
            a = points[number, one]
            b = points[number, two]
            within = wp.min(p.inner, p.outer) % plane
            axis = int(0)
            line = within / width
            if k >= 2:
                axis = 1
                line = within % width
            over = 1 - axis
            rise = b[over] - a[over]
            run = b[axis] - a[axis]
            share = (float(line) + 0.5 - a[over]) / rise
            wp.atomic_add(points_grad, number, one, axis, step * (1.0 - share))
            wp.atomic_add(points_grad, number, two, axis, step * share)
            wp.atomic_add(points_grad, number, one, over, step * run * (share - 1.0) / rise)
            wp.atomic_add(points_grad, number, two, over, -step * run * share / rise)
