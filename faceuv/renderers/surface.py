"""A posed, lit, textured surface → image, by any renderer."""

from __future__ import annotations

from torch import Tensor

from faceuv.checks import picture_size
from faceuv.geometry.projection import pose
from faceuv.geometry.rotations import euler_to_matrix
from faceuv.renderers.base import Renderer
from faceuv.renderers.compositing import Background
from faceuv.structures import Mesh, Render, Surface


def draw_surface(
    renderer: Renderer, surface: Surface, *, size: int | tuple[int, int], background: Background = None
) -> Render:
    """Draw a batch of surfaces in their pose and light.

    Args:
        size: the image's side, or ``(height, width)``, in pixels.
        background: an image ``(B or 1, 3, H, W)``, an RGB triple, a grey value, or None for black.
    """
    height, width = picture_size(size)
    drawn: Render = renderer(
        world_mesh(surface),
        height=height,
        width=width,
        texture=surface.diffuse,
        vertex_colours=surface.vertex_colours,
        lighting=surface.lighting,
        normal_map=_world_normals(surface),
        background=background,
        camera=surface.camera,
    )
    return drawn


def world_mesh(surface: Surface) -> Mesh:
    """The surface's mesh after its rigid transform."""
    mesh = surface.mesh
    return mesh.at(pose(mesh.vertices, surface.rotation, surface.translation))


def _world_normals(surface: Surface) -> Tensor | None:
    """The normal map ``(B, 3, h, w)`` turned to the pose."""
    normals = surface.normal_map
    if normals is None:
        return None
    return (euler_to_matrix(surface.rotation) @ normals.flatten(2)).unflatten(2, normals.shape[2:])
