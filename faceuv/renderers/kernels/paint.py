# mypy: ignore-errors
"""Interpolation, texture, normals and light of a pixel in one kernel, and their derivatives in another."""

from __future__ import annotations

import warp as wp

from faceuv.renderers.kernels.points import (
    BAND0,
    BAND1,
    BAND2,
    FLAT,
    direction,
    fragment_of,
    interpolated,
    light_at,
    look_up,
    place_of,
    push_attribute,
    push_direction,
    push_light,
    push_look_up,
    push_place,
    push_points,
)

wp.set_module_options({"enable_backward": False})

# what the colour comes from
NO_COLOUR = 0
TEXTURE = 1
COLOURS = 2
FROM_TEXTURE = wp.constant(TEXTURE)
FROM_COLOURS = wp.constant(COLOURS)
CHUNK = 64  # pixels that one thread of the light's gradient adds up


@wp.func
def write(picture: wp.array(dtype=float, ndim=4), image: int, row: int, column: int, value: wp.vec3):
    picture[image, 0, row, column] = value[0]
    picture[image, 1, row, column] = value[1]
    picture[image, 2, row, column] = value[2]


@wp.func
def read(picture: wp.array(dtype=float, ndim=4), image: int, row: int, column: int) -> wp.vec3:
    return wp.vec3(picture[image, 0, row, column], picture[image, 1, row, column], picture[image, 2, row, column])


@wp.kernel
def paint(
    face_id: wp.array(dtype=wp.int64, ndim=3),
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    uv: wp.array(dtype=wp.vec2),
    texture: wp.array(dtype=float, ndim=4),
    colours: wp.array(dtype=wp.vec3, ndim=2),
    normals: wp.array(dtype=wp.vec3, ndim=2),
    normal_map: wp.array(dtype=float, ndim=4),
    lighting: wp.array(dtype=float, ndim=3),
    has_uv: int,
    source: int,
    mapped: int,
    lit: int,
    samples: int,
    image: wp.array(dtype=float, ndim=4),
    depth: wp.array(dtype=float, ndim=3),
    normal: wp.array(dtype=float, ndim=4),
    uv_image: wp.array(dtype=float, ndim=4),
):
    """One thread per pixel; zeros where nothing is covered."""
    b, row, column = wp.tid()
    face = int(face_id[b, row, column])
    colour = wp.vec3(0.0, 0.0, 0.0)
    n = wp.vec3(0.0, 0.0, 0.0)
    far = float(0.0)
    u = float(0.0)
    v = float(0.0)
    if face >= 0:
        f = fragment_of(points, faces, b, face, row, column)
        far = f.depth
        if has_uv != 0:
            p = place_of(f, uv)
            u = p.u
            v = p.v
            if source == FROM_TEXTURE:
                colour = look_up(texture, b, p, samples)
            if mapped != 0:
                n = direction(look_up(normal_map, b, p, samples))
        if source == FROM_COLOURS:
            colour = interpolated(f, colours, b)
        if mapped == 0:
            n = direction(interpolated(f, normals, b))
        if lit != 0:
            colour = wp.cw_mul(colour, light_at(lighting, b, n))
    if source != 0:
        write(image, b, row, column, colour)
    depth[b, row, column] = far
    write(normal, b, row, column, n)
    uv_image[b, 0, row, column] = u
    uv_image[b, 1, row, column] = v


@wp.kernel
def push_paint(
    face_id: wp.array(dtype=wp.int64, ndim=3),
    points: wp.array(dtype=wp.vec3, ndim=2),
    faces: wp.array(dtype=wp.int64, ndim=2),
    uv: wp.array(dtype=wp.vec2),
    texture: wp.array(dtype=float, ndim=4),
    colours: wp.array(dtype=wp.vec3, ndim=2),
    normals: wp.array(dtype=wp.vec3, ndim=2),
    normal_map: wp.array(dtype=float, ndim=4),
    lighting: wp.array(dtype=float, ndim=3),
    has_uv: int,
    source: int,
    mapped: int,
    lit: int,
    samples: int,
    want_texture: int,
    want_colours: int,
    want_normals: int,
    want_map: int,
    want_light: int,
    image_grad: wp.array(dtype=float, ndim=4),
    depth_grad: wp.array(dtype=float, ndim=3),
    normal_grad: wp.array(dtype=float, ndim=4),
    uv_grad: wp.array(dtype=float, ndim=4),
    has_image: int,
    has_depth: int,
    has_normal: int,
    has_uv_grad: int,
    points_grad: wp.array(dtype=float, ndim=3),
    texture_grad: wp.array(dtype=float, ndim=4),
    colours_grad: wp.array(dtype=float, ndim=3),
    normals_grad: wp.array(dtype=float, ndim=3),
    map_grad: wp.array(dtype=float, ndim=4),
    light_grad: wp.array(dtype=float, ndim=4),
):
    """One thread per pixel adds its gradients to those of its face's corners and of the texels that it read."""
    b, row, column = wp.tid()
    face = int(face_id[b, row, column])
    if face >= 0:
        f = fragment_of(points, faces, b, face, row, column)
        weight = wp.vec3(0.0, 0.0, 0.0)
        far = float(0.0)
        to_normal = wp.vec3(0.0, 0.0, 0.0)
        to_colour = wp.vec3(0.0, 0.0, 0.0)
        if has_depth != 0:
            far = depth_grad[b, row, column]
        if has_normal != 0:
            to_normal = read(normal_grad, b, row, column)
        p = place_of(f, uv)
        raw = wp.vec3(0.0, 0.0, 0.0)
        if mapped != 0:
            raw = look_up(normal_map, b, p, samples)
        else:
            raw = interpolated(f, normals, b)
        if has_image != 0 and source != 0:
            to_colour = read(image_grad, b, row, column)
            if lit != 0:
                albedo = wp.vec3(0.0, 0.0, 0.0)
                if source == FROM_TEXTURE:
                    albedo = look_up(texture, b, p, samples)
                else:
                    albedo = interpolated(f, colours, b)
                n = direction(raw)
                to_light = wp.cw_mul(to_colour, albedo)
                to_colour = wp.cw_mul(to_colour, light_at(lighting, b, n))
                to_normal += push_light(lighting, b, n, to_light)
                if want_light != 0:
                    write(light_grad, b, row, column, to_light)
        to_raw = push_direction(raw, to_normal)
        to_uv = wp.vec2(0.0, 0.0)
        if has_uv_grad != 0:
            to_uv = wp.vec2(uv_grad[b, 0, row, column], uv_grad[b, 1, row, column])
        if mapped != 0:
            to_uv += push_look_up(normal_map, b, p, samples, to_raw, want_map, map_grad)
        else:
            weight += push_attribute(f, normals, to_raw, b, want_normals, normals_grad)
        if source == FROM_TEXTURE:
            to_uv += push_look_up(texture, b, p, samples, to_colour, want_texture, texture_grad)
        if source == FROM_COLOURS:
            weight += push_attribute(f, colours, to_colour, b, want_colours, colours_grad)
        if has_uv != 0:
            weight += push_place(f, uv, to_uv)
        push_points(f, weight, far, b, points_grad)


@wp.kernel
def sum_light(
    light_grad: wp.array(dtype=float, ndim=3),
    normal: wp.array(dtype=float, ndim=3),
    face_id: wp.array(dtype=wp.int64, ndim=2),
    partial: wp.array(dtype=wp.vec3, ndim=3),
):
    """One thread per n-th pixel of an image: the sum of the light's gradient times the nine-band basis."""
    b, chunk = wp.tid()
    chunks = partial.shape[1]
    s0 = wp.vec3(0.0, 0.0, 0.0)
    s1 = wp.vec3(0.0, 0.0, 0.0)
    s2 = wp.vec3(0.0, 0.0, 0.0)
    s3 = wp.vec3(0.0, 0.0, 0.0)
    s4 = wp.vec3(0.0, 0.0, 0.0)
    s5 = wp.vec3(0.0, 0.0, 0.0)
    s6 = wp.vec3(0.0, 0.0, 0.0)
    s7 = wp.vec3(0.0, 0.0, 0.0)
    s8 = wp.vec3(0.0, 0.0, 0.0)
    at = int(chunk)
    while at < face_id.shape[1]:
        if face_id[b, at] >= wp.int64(0):
            g = wp.vec3(light_grad[b, 0, at], light_grad[b, 1, at], light_grad[b, 2, at])
            x = normal[b, 0, at]
            y = normal[b, 1, at]
            z = normal[b, 2, at]
            s0 += g * BAND0
            s1 -= g * (BAND1 * y)
            s2 += g * (BAND1 * z)
            s3 -= g * (BAND1 * x)
            s4 += g * (BAND2 * x * y)
            s5 -= g * (BAND2 * y * z)
            s6 += g * (BAND2 * FLAT * (3.0 * z * z - 1.0))
            s7 -= g * (BAND2 * x * z)
            s8 += g * (0.5 * BAND2 * (x * x - y * y))
        at += chunks
    partial[b, chunk, 0] = s0
    partial[b, chunk, 1] = s1
    partial[b, chunk, 2] = s2
    partial[b, chunk, 3] = s3
    partial[b, chunk, 4] = s4
    partial[b, chunk, 5] = s5
    partial[b, chunk, 6] = s6
    partial[b, chunk, 7] = s7
    partial[b, chunk, 8] = s8
