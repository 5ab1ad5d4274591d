"""Tangent frames, and the tangent-space normal map that keeps a displacement map's detail on a coarse mesh.

The convention is glTF's (and MikkTSpace's): the tangent follows +u, bitangent = cross(normal, tangent) · w, and the
map's green points up the picture. Our v grows downward, so the bitangent is along −∂p/∂v and w = +1 on a chart that is
not mirrored. A texel (r, g, b) means the normal (2r − 1)·tangent + (2g − 1)·bitangent + (2b − 1)·normal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals, vertex_tangents
from faceuv.geometry.uv import (
    UVCorrespondence,
    bake_texels,
    cross_planes,
    map_gradients,
    sloped_normals,
    unit_planes,
)

_AT_ONCE = 1 << 15  # texels


@dataclass(frozen=True, eq=False)
class TangentFrame:
    """``normal (B, V, 3)`` unit; ``tangent (B, V, 4)``: unit xyz, orthogonal to the normal, and handedness ±1."""

    normal: Tensor
    tangent: Tensor


def unit_normals(vertices: Tensor, faces: Tensor, weld: Tensor | None = None) -> Tensor:
    """Area-weighted normals ``(B, V, 3)``, all of unit length as files demand: +z at a vertex without area."""
    return usable_normals(vertex_normals(vertices, faces, weld))


def usable_normals(normals: Tensor) -> Tensor:
    """``normals (B, V, 3)`` at unit length; +z where they vanish."""
    return _unit_or(normals, _outward(normals))


def tangent_frame(
    vertices: Tensor,
    faces: Tensor,
    uv: Tensor,
    *,
    normals: Tensor | None = None,
    weld: Tensor | None = None,
    tangents: tuple[Tensor, Tensor] | None = None,
) -> TangentFrame:
    """The frame at each vertex of ``vertices (B, V, 3)`` with ``faces (F, 3)`` and ``uv (V, 2)``.

    ``normals (B, V, 3)`` are normalised; absent, they are area-weighted ones. ∂p/∂u and ∂p/∂v are means over the
    faces around a vertex, weighted by area; ``tangents`` gives them where they are known. A vertex without area gets
    the normal +z, one without a chart any tangent.
    """
    sizes = check_shape("vertices", vertices, ("B", "V", 3))
    if normals is not None:
        check_shape("normals", normals, (sizes["B"], sizes["V"], 3))
    along_u, along_v = vertex_tangents(vertices, faces, uv) if tangents is None else tangents
    normal = unit_normals(vertices, faces, weld) if normals is None else usable_normals(normals)
    tangent = _unit_or(_on_plane(along_u, normal), _any_perpendicular(normal))
    mirrored = (torch.linalg.cross(normal, tangent) * along_v).sum(2, keepdim=True) > 0
    return TangentFrame(normal, torch.cat([tangent, torch.where(mirrored, -1.0, 1.0).to(tangent.dtype)], 2))


def tangent_normal_map(
    vertices: Tensor,
    faces: Tensor,
    uv: Tensor,
    displacement: Tensor,
    *,
    chart: UVCorrespondence | None = None,
    frame: TangentFrame | None = None,
    weld: Tensor | None = None,
    tangents: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The normals of the displaced surface as a tangent-space map ``(B, 3, H, W)`` in [0, 1].

    Args:
        vertices: ``(B, V, 3)`` decimetres, the surface *before* displacement.
        faces, uv, weld: ``(F, 3)``, ``(V, 2)`` and ``(V,)``: those of the mesh.
        displacement: ``(B, 3, H, W)`` decimetres, object space xyz; its resolution is the map's.
        chart: the texels' surface points, built if absent.
        frame: the frame of the mesh that will carry the map, that of ``vertices`` if absent. Pass the frame of the
            displaced vertices when those are exported: the map then holds only the detail between the vertices, and
            what they already show is not applied twice.
        tangents: ∂p/∂u and ∂p/∂v ``(B, V, 3)`` of ``vertices``, where they are known.

    Where the surface moves as a whole the map is flat, (½, ½, 1); so it is off the chart.
    """
    sizes = check_shape("vertices", vertices, ("B", "V", 3))
    maps = check_shape("displacement", displacement, (sizes["B"], 3, "H", "W"))
    if chart is None:
        chart = UVCorrespondence.build(uv, faces, maps["H"], maps["W"])
    if (chart.height, chart.width) != (maps["H"], maps["W"]):
        raise InputError(
            f"the chart is {chart.height} × {chart.width} but the displacement map {maps['H']} × {maps['W']}:"
            " build the chart at the map's size"
        )
    if frame is None:
        frame = tangent_frame(vertices, faces, uv, weld=weld)
    along = vertex_tangents(vertices, faces, uv) if tangents is None else tangents
    smooth = torch.cat([vertex_normals(vertices, faces, weld), *along], 2).expand(sizes["B"], -1, -1)

    def detail(image: int, rows: slice, baked: Tensor) -> Tensor:
        normal, along_u, along_v = baked.split(3, 1)
        du, dv = (slope.flatten(2) for slope in map_gradients(displacement[image : image + 1], rows))
        return sloped_normals(unit_planes(normal), along_u, along_v, du, dv)

    return _in_frame(detail, smooth, frame, chart)


def in_tangent_frame(normals: Tensor, frame: TangentFrame, chart: UVCorrespondence) -> Tensor:
    """Object-frame normals ``(B, 3, H, W)`` as a tangent-space map ``(B, 3, H, W)`` in [0, 1]; flat off the chart."""
    nothing = frame.normal[..., :0]
    return _in_frame(lambda image, rows, _: normals[image : image + 1, :, rows].flatten(2), nothing, frame, chart)


def _in_frame(
    detail: Callable[[int, slice, Tensor], Tensor], attributes: Tensor, frame: TangentFrame, chart: UVCorrespondence
) -> Tensor:
    """The tangent-space map of the normals ``(1, 3, N)`` that ``detail`` gives for an image, some rows of its texels
    and there the ``attributes (B, V, C)`` of vertices, ``(1, C, N)``."""
    axes = torch.cat([frame.normal, frame.tangent, attributes], 2)
    outward = _outward(axes)[:, None]
    covered, wide = (chart.face_id >= 0).flatten(), attributes.shape[2]
    maps = axes.new_empty(len(axes), 3, len(covered))
    step = max(1, _AT_ONCE // chart.width)
    for image, vertices in enumerate(axes):
        for start in range(0, chart.height, step):
            rows = slice(start, min(start + step, chart.height))
            texels = slice(rows.start * chart.width, rows.stop * chart.width)
            normal, tangent, side, baked = bake_texels(vertices, chart, texels)[None].split([3, 3, 1, wide], 1)
            normals = detail(image, rows, baked)
            n = unit_planes(normal)
            t = unit_planes(_on_plane(tangent, n, dim=1))
            b = cross_planes(n, t) * torch.where(side < 0, -1.0, 1.0).to(n.dtype)
            local = torch.stack([(normals * axis).sum(1) for axis in (t, b, n)], 1)[0]
            known = covered[texels] & ((local * local).sum(0) > 0.5)
            maps[image, :, texels] = 0.5 + 0.5 * torch.where(known, local, outward).clamp(-1, 1)
    return maps.view(len(axes), 3, chart.height, chart.width)


def _on_plane(vector: Tensor, normal: Tensor, dim: int = 2) -> Tensor:
    return vector - (vector * normal).sum(dim, keepdim=True) * normal


def _outward(like: Tensor) -> Tensor:
    return torch.tensor([0.0, 0.0, 1.0], device=like.device, dtype=like.dtype)


def _unit_or(vectors: Tensor, fallback: Tensor) -> Tensor:
    """Unit vectors along the last axis; ``fallback`` where the length vanishes."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    usable = length > 1e-12
    return torch.where(usable, vectors / length.clamp_min(1e-12), fallback.expand_as(vectors))


def _any_perpendicular(normal: Tensor) -> Tensor:
    """A unit vector orthogonal to each unit normal: from x, or from y where the normal is near x."""
    steep = normal[..., :1].abs() > 0.9
    axis = torch.cat([~steep, steep, torch.zeros_like(steep)], -1).to(normal.dtype)
    return F.normalize(_on_plane(axis, normal), dim=-1)
