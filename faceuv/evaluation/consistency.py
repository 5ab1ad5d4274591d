"""View consistency: differences of the colours of the same texels in images from two sides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.evaluation.masked import check_pair, masked_mean
from faceuv.geometry import bake, pose, project, sh_irradiance, vertex_normals
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.renderers.interpolation import interpolate, spread
from faceuv.structures import Coefficients, UVMaps

_TOLERANCE = 0.008  # of UV: the chart's side is some 30 cm, so 2 mm
_DARKEST = 0.05  # light below this says nothing about the surface


@dataclass(frozen=True, eq=False)
class TexelView:
    """Where a picture shows each texel of a map.

    grid   ``(B, Hm, Wm, 2)`` the texel's place in the picture, in [−1, 1] as ``grid_sample`` counts
    seen   ``(B, 1, Hm, Wm)`` in {0, 1}: texels that the picture shows there
    light  ``(B, 3, Hm, Wm)`` the light that falls on the texel, by the coefficients
    """

    grid: Tensor
    seen: Tensor
    light: Tensor


@torch.no_grad()
def texel_view(
    renderer: FaceRenderer,
    coefficients: Coefficients,
    maps: UVMaps | None = None,
    *,
    size: int,
    map_size: int,
    tolerance: float = _TOLERANCE,
) -> TexelView:
    """Where a picture of ``size``² pixels shows the texels of a ``map_size``² map.

    A texel is seen if the picture, read where the texel's surface point lies, is a picture of that very point: the UV
    coordinates of the drawn surface, read like the colours, are the texel's. So neither what lies behind something nor
    what a silhouette's pixel mixes with its neighbour counts.

    Args:
        renderer: draws the surface; its camera is used.
        coefficients, maps: of the face in the picture. Without maps the linear model's surface is meant, as for a
            picture of which only the coefficients are known.
        tolerance: in UV, the largest distance from the texel's own coordinates.
    """
    surface = renderer.mesh(coefficients, maps)
    model = renderer.face_model
    world = surface.at(pose(surface.vertices, coefficients.rotation, coefficients.translation))
    chart = model.chart(map_size, map_size)
    points = bake(world.vertices, chart).flatten(2).transpose(1, 2)
    pixels = project(points, renderer.renderer.camera, size, size)
    grid = (pixels[..., :2] * (2 / size) - 1).unflatten(1, (map_size, map_size))
    view = renderer.renderer.look(world, height=size, width=size)
    # outside the surface a coordinate far from every texel's
    drawn = spread(interpolate(model.uv.to(view.pixels.dtype) + 1, view.at), view.at).permute(0, 3, 1, 2) - 1
    centres = (torch.arange(map_size, device=grid.device, dtype=grid.dtype) + 0.5) / map_size
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    away = torch.linalg.vector_norm(_read(drawn, grid) - torch.stack([u, v]), dim=1, keepdim=True)
    inside = (grid.abs() <= 1 - 1 / size).all(3)[:, None]  # beyond the outermost pixel centres colours are repeated
    seen = (away <= tolerance) & inside & (chart.face_id >= 0)
    normals = F.normalize(bake(vertex_normals(world.vertices, world.faces, world.weld), chart), dim=1)
    light = sh_irradiance(normals.flatten(2).transpose(1, 2), coefficients.lighting)
    return TexelView(grid, seen.to(grid.dtype), light.transpose(1, 2).unflatten(2, (map_size, map_size)))


def unproject(picture: Tensor, view: TexelView, *, delight: bool = False) -> Tensor:
    """The colours of a picture ``(B, 3, S, S)`` as a map ``(B, 3, Hm, Wm)``; they mean something where ``view.seen``.

    With ``delight`` they are divided by the light on each texel: what the surface's own colour would be. A picture in
    which a head turns under fixed light changes at every texel; its surface does not.
    """
    check_shape("picture", picture, (view.grid.shape[0], 3, "S", "S"))
    colours = _read(picture, view.grid)
    return colours / view.light.clamp_min(_DARKEST) if delight else colours


def texel_difference(uv_a: Tensor, seen_a: Tensor, uv_b: Tensor, seen_b: Tensor) -> Tensor:
    """``(B,)``: mean absolute difference of the colours ``(B, 3, H, W)`` of texels that both views see, by their masks
    ``seen_… (B, 1, H, W)``; NaN where they share none."""
    check_pair(uv_a, uv_b, seen_a)
    check_shape("seen_b", seen_b, tuple(seen_a.shape))
    return masked_mean((uv_a - uv_b).abs(), seen_a * seen_b)


def view_difference(
    first: Tensor, first_view: TexelView, second: Tensor, second_view: TexelView, *, delight: bool = False
) -> Tensor:
    """``(B,)``: :func:`texel_difference` of two pictures ``(B, 3, S, S)`` of the same faces."""
    maps = (unproject(first, first_view, delight=delight), unproject(second, second_view, delight=delight))
    return texel_difference(maps[0], first_view.seen, maps[1], second_view.seen)


def _read(picture: Tensor, grid: Tensor) -> Tensor:
    """``picture (B, C, S, S)`` at places ``(B, H, W, 2)`` in [−1, 1]."""
    return F.grid_sample(picture, grid.to(picture), mode="bilinear", padding_mode="border", align_corners=False)
