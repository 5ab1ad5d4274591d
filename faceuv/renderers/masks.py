"""View masks: which texels of a UV map does a view use?

Three answers, each ``(B, 1, Hm, Wm)`` in {0, 1}. ``gradient_mask`` is the paper's rule; ``splat_mask`` gives the same
texels without autograd, for a fraction of the time; ``visibility_mask`` tests each texel's own surface point.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.geometry.lighting import sh_irradiance
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose, project
from faceuv.geometry.uv import UVCorrespondence, bake, sample_map
from faceuv.renderers.base import Renderer
from faceuv.renderers.interpolation import interpolate
from faceuv.renderers.occlusion import visible_points
from faceuv.structures import Mesh


def gradient_mask(
    renderer: Renderer,
    mesh: Mesh,
    rotation: Tensor,
    translation: Tensor,
    lighting: Tensor,
    *,
    map_size: tuple[int, int],
    height: int,
    width: int,
) -> Tensor:
    """The paper's mask: texels of a displacement map with a gradient ≠ 0 of the rendered image.

    A white surface ``mesh`` (object frame, with uv) is lit at its vertices by ``lighting (B, 3, 9)``, posed by
    ``rotation (B, 3)`` and ``translation (B, 3)``, and rendered; the sum of its colours is derived with respect to a
    displacement map that is zero. Texels that the light happens not to distinguish are holes of this rule.
    """
    uv = _uv_of(mesh)
    batch = mesh.vertices.shape[0]
    with torch.enable_grad():
        displacement = mesh.vertices.new_zeros(batch, 3, *map_size).requires_grad_()
        vertices = pose(mesh.vertices.detach() + sample_map(displacement, uv), rotation.detach(), translation.detach())
        colours = sh_irradiance(vertex_normals(vertices, mesh.faces), lighting.detach())
        view = renderer.look(Mesh(vertices, mesh.faces, uv), height=height, width=width)
        total = interpolate(colours, view.at).sum()
        (gradient,) = torch.autograd.grad(total, displacement)
    return (gradient != 0).any(1, keepdim=True).to(mesh.vertices.dtype)


def splat_mask(face_id: Tensor, faces: Tensor, uv: Tensor, *, map_size: tuple[int, int], rings: int = 1) -> Tensor:
    """The texels of :func:`gradient_mask`, from the ``face_id (B, H, W)`` of a render.

    A vertex moves the picture if it belongs to a visible face, or by its neighbours' normals if it lies one ring
    further; it takes its displacement from the four texels around its ``uv (V, 2)``.
    """
    check_shape("face_id", face_id, ("B", "H", "W"))
    batch, count = face_id.shape[0], uv.shape[0]
    # only what was seen is followed: a view sees a fraction of the faces
    view, pixel = (face_id.flatten(1) >= 0).nonzero(as_tuple=True)
    found = face_id.flatten(1)[view, pixel]
    vertices = torch.zeros(count, batch, dtype=torch.bool, device=uv.device)
    vertices[faces[found], view[:, None]] = True
    for _ in range(rings):
        touched, view = (vertices[faces[:, 0]] | vertices[faces[:, 1]] | vertices[faces[:, 2]]).nonzero(as_tuple=True)
        vertices[faces[touched], view[:, None]] = True
    weight = vertices.T[:, :, None].to(uv.dtype)
    with torch.enable_grad():  # the sampler's own transpose: exactly the texels that sampling reads
        texels = uv.new_zeros(batch, 1, *map_size).requires_grad_()
        (splat,) = torch.autograd.grad(sample_map(texels, uv), texels, weight)
    return (splat > 0).to(uv.dtype)


def visibility_mask(renderer: Renderer, mesh: Mesh, chart: UVCorrespondence, *, height: int, width: int) -> Tensor:
    """The texels whose own surface point the camera sees: on the chart, in the image, with nothing before them.

    ``mesh`` is in the world frame; ``chart`` is the UV correspondence of the mask's resolution. The test is exact for
    each point (see :func:`~faceuv.renderers.occlusion.visible_points`) and does not depend on the image's resolution.
    """
    camera = renderer.camera
    with torch.no_grad():
        pixels = project(mesh.vertices, camera, height, width)
        on_chart = (chart.face_id >= 0).flatten().nonzero().squeeze(1)
        surface = bake(mesh.vertices, chart).flatten(2).transpose(1, 2).index_select(1, on_chart)
        points = project(surface, camera, height, width)
        seen = visible_points(pixels, mesh.faces, points, height, width, near=camera.near)
        mask = mesh.vertices.new_zeros(seen.shape[0], chart.height * chart.width)
        mask[:, on_chart] = seen.to(mask.dtype)
    return mask.unflatten(1, (1, chart.height, chart.width))


def combine_view_masks(original: Tensor, symmetric: Tensor, *, override: float = 0.5) -> tuple[Tensor, Tensor]:
    """Weights of the texels in the two views of one face, from their masks ``(B, 1, Hm, Wm)`` in {0, 1}.

    Original view: 1 where it sees. Symmetric view: 1 where only it sees, ``override`` where the original sees too.
    """
    if original.shape != symmetric.shape:
        raise InputError(f"the two masks must have one shape, got {tuple(original.shape)} and {tuple(symmetric.shape)}")
    return original, symmetric * torch.where(original > 0, override, 1.0).to(symmetric.dtype)


def mask_in_view(mask: Tensor, uv: Tensor) -> Tensor:
    """A texel mask ``(B, 1, Hm, Wm)`` as the view shows it ``(B, 1, H, W)``, by the ``uv (B, 2, H, W)`` of a render."""
    grid = uv.permute(0, 2, 3, 1) * 2 - 1
    return F.grid_sample(mask, grid.to(mask.dtype), mode="bilinear", padding_mode="border", align_corners=False)


def _uv_of(mesh: Mesh) -> Tensor:
    if mesh.uv is None:
        raise InputError("a view mask needs mesh.uv (V, 2); this mesh has none")
    return mesh.uv
