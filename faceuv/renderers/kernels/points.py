# mypy: ignore-errors
"""The point of the mesh under a pixel, and look-ups of maps there: parts of the kernels, and their derivatives."""

from __future__ import annotations

import warp as wp

from faceuv.geometry.lighting import D0, DC_OFFSET, K0, K1, K2
from faceuv.renderers.interpolation import CANCELLED
from faceuv.renderers.texture import WIDEST

BAND0 = wp.constant(K0)
BAND1 = wp.constant(K1)
BAND2 = wp.constant(K2)
FLAT = wp.constant(D0)
OFFSET = wp.constant(DC_OFFSET)
NO_DIRECTION = wp.constant(CANCELLED)
WIDE = wp.constant(WIDEST)


@wp.struct
class Fragment:
    """A pixel's face: corner ids, corners from the pixel's centre, reciprocal depths, perspective-correct weights, view
    depth, and how the weights' numerators grow to the right and down, over their sum."""

    i: int
    j: int
    k: int
    x: wp.vec3
    y: wp.vec3
    r: wp.vec3
    weight: wp.vec3
    scale: float
    depth: float
    right: wp.vec3
    down: wp.vec3


@wp.func
def fragment_of(
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    image: int,
    face: int,
    row: int,
    column: int,
) -> Fragment:
    """Of the corners p from the point, e_i = cross(p_j, p_k), q_i = e_i / z_i; weights q / sum(q), depth
    sum(e) / sum(q)."""
    f = Fragment()
    f.i = int(faces[face, 0])
    f.j = int(faces[face, 1])
    f.k = int(faces[face, 2])
    a = points[image, f.i]
    b = points[image, f.j]
    c = points[image, f.k]
    cx = float(column) + 0.5
    cy = float(row) + 0.5
    f.x = wp.vec3(a[0] - cx, b[0] - cx, c[0] - cx)
    f.y = wp.vec3(a[1] - cy, b[1] - cy, c[1] - cy)
    f.r = wp.vec3(1.0 / a[2], 1.0 / b[2], 1.0 / c[2])
    e = wp.cross(f.x, f.y)
    q = wp.cw_mul(e, f.r)
    f.scale = 1.0 / (q[0] + q[1] + q[2])
    f.weight = q * f.scale
    f.depth = (e[0] + e[1] + e[2]) * f.scale
    f.right = wp.cw_mul(wp.vec3(f.y[1] - f.y[2], f.y[2] - f.y[0], f.y[0] - f.y[1]), f.r) * f.scale
    f.down = wp.cw_mul(wp.vec3(f.x[2] - f.x[1], f.x[0] - f.x[2], f.x[1] - f.x[0]), f.r) * f.scale
    return f


@wp.func
def push_points(f: Fragment, weight: wp.vec3, depth: float, image: int, grad: wp.array(dtype=float, ndim=3)):
    """Add the gradient toward the projected corners, from those of the weights and of the depth.

    With m = sum(weight * w), the gradient of e_k is scale * ((weight_k - m) / z_k + depth * (1 - d / z_k)) and that of
    z_k is w_k / z_k * (depth * d - (weight_k - m)).
    """
    centred = weight - wp.vec3(1.0, 1.0, 1.0) * wp.dot(weight, f.weight)
    e = (wp.cw_mul(centred, f.r) + (wp.vec3(1.0, 1.0, 1.0) - f.r * f.depth) * depth) * f.scale
    z = wp.cw_mul(wp.cw_mul(wp.vec3(1.0, 1.0, 1.0) * (depth * f.depth) - centred, f.weight), f.r)
    x = wp.cross(f.y, e)
    y = wp.cross(e, f.x)
    wp.atomic_add(grad, image, f.i, 0, x[0])
    wp.atomic_add(grad, image, f.i, 1, y[0])
    wp.atomic_add(grad, image, f.i, 2, z[0])
    wp.atomic_add(grad, image, f.j, 0, x[1])
    wp.atomic_add(grad, image, f.j, 1, y[1])
    wp.atomic_add(grad, image, f.j, 2, z[1])
    wp.atomic_add(grad, image, f.k, 0, x[2])
    wp.atomic_add(grad, image, f.k, 1, y[2])
    wp.atomic_add(grad, image, f.k, 2, z[2])


@wp.func
def push_corner(grad: wp.array(dtype=float, ndim=3), image: int, vertex: int, value: wp.vec3):
    wp.atomic_add(grad, image, vertex, 0, value[0])
    wp.atomic_add(grad, image, vertex, 1, value[1])
    wp.atomic_add(grad, image, vertex, 2, value[2])


@wp.func
def push_attribute(
    f: Fragment, attribute: wp.array(dtype=wp.vec3, ndim=2), value: wp.vec3, image: int,
    wanted: int, grad: wp.array(dtype=float, ndim=3),
) -> wp.vec3:  # fmt: skip
    """Add the gradient toward an interpolated attribute, if it is wanted; the gradient of the weights."""
    if wanted != 0:
        push_corner(grad, image, f.i, value * f.weight[0])
        push_corner(grad, image, f.j, value * f.weight[1])
        push_corner(grad, image, f.k, value * f.weight[2])
    return wp.vec3(
        wp.dot(attribute[image, f.i], value), wp.dot(attribute[image, f.j], value), wp.dot(attribute[image, f.k], value)
    )


@wp.func
def interpolated(f: Fragment, attribute: wp.array(dtype=wp.vec3, ndim=2), image: int) -> wp.vec3:
    return (
        attribute[image, f.i] * f.weight[0] + attribute[image, f.j] * f.weight[1] + attribute[image, f.k] * f.weight[2]
    )


@wp.struct
class Place:
    """Where a pixel looks on a map: uv, and how it changes from this pixel to the next, to the right and down."""

    u: float
    v: float
    right_u: float
    right_v: float
    down_u: float
    down_v: float


@wp.func
def place_of(f: Fragment, uv: wp.array(dtype=wp.vec2)) -> Place:
    p = Place()
    a = uv[f.i]
    b = uv[f.j]
    c = uv[f.k]
    u = wp.vec3(a[0], b[0], c[0])
    v = wp.vec3(a[1], b[1], c[1])
    p.u = wp.dot(u, f.weight)
    p.v = wp.dot(v, f.weight)
    du = u - wp.vec3(1.0, 1.0, 1.0) * p.u
    dv = v - wp.vec3(1.0, 1.0, 1.0) * p.v
    p.right_u = wp.dot(f.right, du)
    p.right_v = wp.dot(f.right, dv)
    p.down_u = wp.dot(f.down, du)
    p.down_v = wp.dot(f.down, dv)
    return p


@wp.func
def push_place(f: Fragment, uv: wp.array(dtype=wp.vec2), value: wp.vec2) -> wp.vec3:
    """The gradient of the weights, from that of uv."""
    return wp.vec3(wp.dot(uv[f.i], value), wp.dot(uv[f.j], value), wp.dot(uv[f.k], value))


@wp.func
def footprint(step: float, texels: int) -> float:
    """A step of uv per pixel, no wider than some texels."""
    widest = WIDE / float(texels)
    return wp.clamp(step, -widest, widest)


@wp.func
def texel(coordinate: float, texels: int) -> float:
    """A coordinate of uv in texels from the first centre, within the outermost centres."""
    return wp.clamp(coordinate * float(texels) - 0.5, 0.0, float(texels - 1))


@wp.func
def inside(coordinate: float, texels: int) -> float:
    """1 where the look-up moves with its coordinate, 0 beyond the outermost texel centres."""
    at = coordinate * float(texels) - 0.5
    if at > 0.0 and at < float(texels - 1):
        return 1.0
    return 0.0


@wp.func
def look_up(picture: wp.array(dtype=float, ndim=4), image: int, p: Place, samples: int) -> wp.vec3:
    """samples * samples bilinear look-ups over the pixel's footprint, averaged."""
    height = picture.shape[2]
    width = picture.shape[3]
    right_u = footprint(p.right_u, width)
    right_v = footprint(p.right_v, height)
    down_u = footprint(p.down_u, width)
    down_v = footprint(p.down_v, height)
    total = wp.vec3(0.0, 0.0, 0.0)
    for m in range(samples):
        for n in range(samples):
            along = (float(m) + 0.5) / float(samples) - 0.5
            over = (float(n) + 0.5) / float(samples) - 0.5
            tx = texel(p.u + along * right_u + over * down_u, width)
            ty = texel(p.v + along * right_v + over * down_v, height)
            x0 = int(wp.floor(tx))
            y0 = int(wp.floor(ty))
            x1 = wp.min(x0 + 1, width - 1)
            y1 = wp.min(y0 + 1, height - 1)
            fx = tx - float(x0)
            fy = ty - float(y0)
            for channel in range(3):
                upper = picture[image, channel, y0, x0] * (1.0 - fx) + picture[image, channel, y0, x1] * fx
                lower = picture[image, channel, y1, x0] * (1.0 - fx) + picture[image, channel, y1, x1] * fx
                total[channel] = total[channel] + upper * (1.0 - fy) + lower * fy
    return total / float(samples * samples)


@wp.func
def push_look_up(
    picture: wp.array(dtype=float, ndim=4),
    image: int,
    p: Place,
    samples: int,
    value: wp.vec3,
    wanted: int,
    grad: wp.array(dtype=float, ndim=4),
) -> wp.vec2:
    """Add the gradient toward the map, if it is wanted; the gradient of uv. The footprint carries none."""
    height = picture.shape[2]
    width = picture.shape[3]
    right_u = footprint(p.right_u, width)
    right_v = footprint(p.right_v, height)
    down_u = footprint(p.down_u, width)
    down_v = footprint(p.down_v, height)
    share = value / float(samples * samples)
    place = wp.vec2(0.0, 0.0)
    for m in range(samples):
        for n in range(samples):
            along = (float(m) + 0.5) / float(samples) - 0.5
            over = (float(n) + 0.5) / float(samples) - 0.5
            u = p.u + along * right_u + over * down_u
            v = p.v + along * right_v + over * down_v
            tx = texel(u, width)
            ty = texel(v, height)
            x0 = int(wp.floor(tx))
            y0 = int(wp.floor(ty))
            x1 = wp.min(x0 + 1, width - 1)
            y1 = wp.min(y0 + 1, height - 1)
            fx = tx - float(x0)
            fy = ty - float(y0)
            across = float(0.0)
            down = float(0.0)
            for channel in range(3):
                g = share[channel]
                v00 = picture[image, channel, y0, x0]
                v01 = picture[image, channel, y0, x1]
                v10 = picture[image, channel, y1, x0]
                v11 = picture[image, channel, y1, x1]
                across += g * ((v01 - v00) * (1.0 - fy) + (v11 - v10) * fy)
                down += g * ((v10 - v00) * (1.0 - fx) + (v11 - v01) * fx)
                if wanted != 0:
                    wp.atomic_add(grad, image, channel, y0, x0, g * (1.0 - fx) * (1.0 - fy))
                    wp.atomic_add(grad, image, channel, y0, x1, g * fx * (1.0 - fy))
                    wp.atomic_add(grad, image, channel, y1, x0, g * (1.0 - fx) * fy)
                    wp.atomic_add(grad, image, channel, y1, x1, g * fx * fy)
            place[0] = place[0] + across * float(width) * inside(u, width)
            place[1] = place[1] + down * float(height) * inside(v, height)
    return place


@wp.func
def direction(n: wp.vec3) -> wp.vec3:
    """Scaled to length 1; zero where unit vectors have cancelled each other."""
    length = wp.length(n)
    if length <= NO_DIRECTION:
        return wp.vec3(0.0, 0.0, 0.0)
    return n / length


@wp.func
def push_direction(n: wp.vec3, value: wp.vec3) -> wp.vec3:
    length = wp.length(n)
    if length <= NO_DIRECTION:
        return wp.vec3(0.0, 0.0, 0.0)
    d = n / length
    return (value - d * wp.dot(value, d)) / length


@wp.func
def light_at(lighting: wp.array(dtype=float, ndim=3), image: int, n: wp.vec3) -> wp.vec3:
    """Nine-band light on the unit normal n, a factor for each colour."""
    found = wp.vec3(0.0, 0.0, 0.0)
    x = n[0]
    y = n[1]
    z = n[2]
    for c in range(3):
        found[c] = (
            BAND0 * (lighting[image, c, 0] + OFFSET)
            + BAND1 * (lighting[image, c, 2] * z - lighting[image, c, 1] * y - lighting[image, c, 3] * x)
            + BAND2
            * (
                lighting[image, c, 4] * x * y
                - lighting[image, c, 5] * y * z
                + lighting[image, c, 6] * FLAT * (3.0 * z * z - 1.0)
                - lighting[image, c, 7] * x * z
                + lighting[image, c, 8] * 0.5 * (x * x - y * y)
            )
        )
    return found


@wp.func
def push_light(lighting: wp.array(dtype=float, ndim=3), image: int, n: wp.vec3, value: wp.vec3) -> wp.vec3:
    """The gradient of the normal, from that of the light."""
    found = wp.vec3(0.0, 0.0, 0.0)
    x = n[0]
    y = n[1]
    z = n[2]
    for c in range(3):
        l4 = lighting[image, c, 4]
        l5 = lighting[image, c, 5]
        l7 = lighting[image, c, 7]
        l8 = lighting[image, c, 8]
        found += value[c] * wp.vec3(
            BAND2 * (l4 * y - l7 * z + l8 * x) - BAND1 * lighting[image, c, 3],
            BAND2 * (l4 * x - l5 * z - l8 * y) - BAND1 * lighting[image, c, 1],
            BAND2 * (6.0 * FLAT * lighting[image, c, 6] * z - l5 * y - l7 * x) + BAND1 * lighting[image, c, 2],
        )
    return found
