"""What the generator does not reproduce, brought from the picture onto the UV chart: residual, visibility, cosine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.geometry.lighting import sh_irradiance
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose, project
from faceuv.geometry.uv import bake, unit_planes
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.renderers.masks import visibility_mask
from faceuv.structures import Coefficients, Render, UVMaps

CHANNELS = 18
"""residual 3, visibility 1, cosine 1, mirrored residual 3 and visibility 1, diffuse 3, displacement 3, positions 3."""
_DARKEST = 0.15  # of the shading that a residual is divided by: below, noise would be blown up
_COVERED = 0.999  # of a pixel, by the face: less, and the background is in its colour
_MM_PER_DM = 100.0
_SPREAD_MM = 1.0  # displacements are given to the network in these units


@dataclass(frozen=True, eq=False)
class Sight:
    """How a picture of ``size``² pixels shows the texels of a map, for B faces.

    grid      ``(B, H, W, 2)`` where each texel's surface point lies in the picture, in [−1, 1] as grid_sample reads it
    seen      ``(B, 1, H, W)`` in {0, 1}: nothing lies before the point, and it looks to the camera
    cosine    ``(B, 1, H, W)`` between the surface's normal and the way to the camera, 0 where it is not seen
    normals   ``(B, 3, H, W)`` of the displaced surface, world frame
    shading   ``(B, 3, H, W)`` light on the texel
    positions ``(B, 3, H, W)`` of the displaced surface in decimetres, object frame
    """

    grid: Tensor
    seen: Tensor
    cosine: Tensor
    normals: Tensor
    shading: Tensor
    positions: Tensor


@torch.no_grad()
def sight(renderer: FaceRenderer, coefficients: Coefficients, maps: UVMaps, *, size: int, map_size: int) -> Sight:
    """Which texels of ``map_size``² maps a picture of ``size``² pixels shows; visibility is exact for each texel's own
    surface point (:func:`~faceuv.renderers.masks.visibility_mask`)."""
    model, camera = renderer.face_model, renderer.renderer.camera
    surface = renderer.mesh(coefficients, maps)
    world = surface.at(pose(surface.vertices, coefficients.rotation, coefficients.translation))
    chart = model.chart(map_size, map_size)
    points = bake(world.vertices, chart)  # (B, 3, H, W)
    pixels = project(points.flatten(2).transpose(1, 2), camera, size, size)
    grid = (pixels[..., :2] * (2 / size) - 1).unflatten(1, (map_size, map_size))
    normals = unit_planes(bake(vertex_normals(world.vertices, world.faces, world.weld), chart))
    away = points.new_tensor([0.0, 0.0, camera.distance])[None, :, None, None] - points
    facing = (normals * unit_planes(away)).sum(1, keepdim=True)
    seen = visibility_mask(renderer.renderer, world, chart, height=size, width=size) * (facing > 0)
    light = sh_irradiance(normals.flatten(2).transpose(1, 2), coefficients.lighting)
    shading = light.transpose(1, 2).unflatten(2, (map_size, map_size))
    return Sight(grid, seen, facing.clamp_min(0) * seen, normals, shading, bake(surface.vertices, chart))


@torch.no_grad()
def unlit_residual(image: Tensor, render: Render, view: Sight, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What a picture ``(B, 3, S, S)`` has and the render has not, per texel and without the light: ``(B, 3, H, W)``,
    and where it is known ``(B, 1, H, W)``.

    The difference is taken between pixels, so that both are equally blurred, then read where texels lie and divided by
    their shading. Pixels that the face does not cover, and those outside ``mask (B, 1, S, S)`` (hair, glasses), are
    not known.
    """
    check_shape("image", image, tuple(render.image.shape))
    covered = covered_by(render, mask)
    difference = (image - render.image) * covered
    known = (read(covered, view.grid) > 0.5).to(image) * view.seen
    residual = read(difference, view.grid) / read(covered, view.grid).clamp_min(0.5)
    return residual / view.shading.clamp_min(_DARKEST) * known, known


def covered_by(render: Render, mask: Tensor | None = None) -> Tensor:
    """``(B, 1, S, S)`` in {0, 1}: pixels that the face covers fully and that ``mask`` says show the bare face."""
    covered = (render.mask >= _COVERED).to(render.image)
    if mask is None:
        return covered
    check_shape("mask", mask, tuple(render.mask.shape))
    return covered * (mask > 0.5).to(covered)


def read(image: Tensor, grid: Tensor) -> Tensor:
    """``image (B, C, S, S)`` at ``grid (B, H, W, 2)`` → ``(B, C, H, W)``."""
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def feathered(seen: Tensor) -> Tensor:
    """A mask ``(B, 1, H, W)`` that fades to its border over two texels."""
    return F.avg_pool2d(seen, 5, 1, 2, count_include_pad=False) * seen


class Mirror:
    """Maps of a face model's chart with left and right exchanged, by the model's mirrored vertices.

    Args:
        size: side of the maps.
    """

    def __init__(self, face_model: FaceModel, size: int) -> None:
        uv = face_model.uv[face_model.mirror][None]
        self.grid = (bake(uv, face_model.chart(size, size)) * 2 - 1).permute(0, 2, 3, 1).detach()

    def __call__(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)``."""
        grid = self.grid.to(maps).expand(len(maps), -1, -1, -1)
        return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def channels(residual: Tensor, known: Tensor, view: Sight, maps: UVMaps, mirror: Mirror) -> Tensor:
    """The input of the local branch ``(B, 18, H, W)``, see :data:`CHANNELS`."""
    diffuse = maps.diffuse
    if diffuse is None:
        raise InputError("a local branch corrects a diffuse map; this generator of faces makes none")
    size = diffuse.shape[-1]
    displacement = torch.zeros_like(diffuse) if maps.displacement is None else maps.displacement
    if displacement.shape[-1] != size:
        displacement = F.interpolate(displacement, (size, size), mode="bilinear", align_corners=False)
    cosine = view.cosine * feathered(known)
    parts = [
        residual, known, cosine, mirror(residual), (mirror(known) > 0.5).to(known), diffuse * 2 - 1,
        displacement * (_MM_PER_DM / _SPREAD_MM), view.positions,
    ]  # fmt: skip
    return torch.cat(parts, 1)


def position_error_mm(first: Tensor, second: Tensor) -> Tensor:
    """``(B, 1, H, W)`` mm between two maps of positions ``(B, 3, H, W)`` in decimetres."""
    return torch.linalg.vector_norm(first - second, dim=1, keepdim=True) * _MM_PER_DM
