"""View masks: which texels of a UV map a view uses.

Three rules, each ``(B, 1, Hm, Wm)`` in {0, 1}. ``gradient_mask`` is the paper's rule; ``splat_mask`` gives the same
texels without autograd, for a fraction of the time; ``visibility_mask`` tests each texel's own surface point.

The first two say which vertices move the image. Their texels are those that the vertices read, and those that any
point of a face with three such vertices reads, so that a map finer than the mesh has no holes between the vertices.
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
from faceuv.geometry.weld import welded_faces, welded_mean
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
    chart: UVCorrespondence,
    *,
    height: int,
    width: int,
) -> Tensor:
    """The paper's mask: texels of a displacement map with a gradient ≠ 0 of the rendered image.

    A white surface ``mesh`` (object frame, with uv) is lit at its vertices by ``lighting (B, 3, 9)``, posed by
    ``rotation (B, 3)`` and ``translation (B, 3)``, and rendered; the sum of its colours is derived with respect to a
    displacement map that is zero. ``chart`` is the UV correspondence of the mask's resolution. The vertices alone read
    the displacement map, so the faces between vertices with a gradient are filled. Texels that the light happens not to
    distinguish are holes of this rule.
    """
    uv = _uv_of(mesh)
    batch = mesh.vertices.shape[0]
    with torch.enable_grad():
        displacement = mesh.vertices.new_zeros(batch, 3, chart.height, chart.width).requires_grad_()
        offset = welded_mean(sample_map(displacement, uv), mesh.weld)
        vertices = pose(mesh.vertices.detach() + offset, rotation.detach(), translation.detach())
        colours = sh_irradiance(vertex_normals(vertices, mesh.faces, mesh.weld), lighting.detach())
        view = renderer.look(mesh.at(vertices), height=height, width=width)
        total = interpolate(colours, view.at).sum()
        of_texels, of_vertices = torch.autograd.grad(total, (displacement, offset))
    moved = (of_vertices != 0).any(2).T.contiguous()
    read = (of_texels != 0).any(1) | _faces_between(moved, mesh.faces, chart)
    return read[:, None].to(mesh.vertices.dtype)


def splat_mask(
    face_id: Tensor,
    faces: Tensor,
    uv: Tensor,
    chart: UVCorrespondence,
    *,
    rings: int = 1,
    weld: Tensor | None = None,
) -> Tensor:
    """The texels of :func:`gradient_mask`, from the ``face_id (B, H, W)`` of a render.

    A vertex moves the image if it belongs to a visible face, or by its neighbours' normals if it lies one ring
    further; it takes its displacement from the four texels around its ``uv (V, 2)``, as do the other copies of its
    point that a UV seam splits. The faces between such vertices are filled.
    """
    check_shape("face_id", face_id, ("B", "H", "W"))
    batch = face_id.shape[0]
    seen = torch.zeros(batch, faces.shape[0] + 1, dtype=torch.bool, device=uv.device)  # column 0: nothing is seen
    seen.scatter_(1, face_id.flatten(1) + 1, True)
    welded = welded_faces(faces, weld)
    moved = _vertices_of(seen[:, 1:].T, welded, uv.shape[0])
    for _ in range(rings):
        touched = moved.index_select(0, welded[:, 0])
        for corner in (welded[:, 1], welded[:, 2]):
            touched |= moved.index_select(0, corner)
        moved = _vertices_of(touched, welded, uv.shape[0])
    moved = moved if weld is None else moved.index_select(0, weld)
    weight = moved.T[:, :, None].to(uv.dtype)
    with torch.enable_grad():  # the sampler's own transpose: exactly the texels that sampling reads
        texels = uv.new_zeros(batch, 1, chart.height, chart.width).requires_grad_()
        (splat,) = torch.autograd.grad(sample_map(texels, uv), texels, weight)
    return ((splat[:, 0] > 0) | _faces_between(moved, faces, chart))[:, None].to(uv.dtype)


def _vertices_of(chosen: Tensor, faces: Tensor, count: int) -> Tensor:
    """``(V, B)`` bool: the corners of the ``chosen (F, B)`` faces of each image."""
    rows = chosen.to(torch.float32)  # adding rows of floats is several times as fast as writing single truths
    total = rows.new_zeros(count, chosen.shape[1])
    for corner in faces.unbind(1):
        total.index_add_(0, corner, rows)
    return total > 0


def _faces_between(moved: Tensor, faces: Tensor, chart: UVCorrespondence) -> Tensor:
    """``(B, Hm, Wm)`` bool: the texels that points on faces with three ``moved (V, B)`` corners read.

    They are those whose centre lies on such a face, and their neighbours, as a point reads the four texels around it.
    """
    filled = moved.index_select(0, faces[:, 0])
    for corner in (faces[:, 1], faces[:, 2]):
        filled &= moved.index_select(0, corner)
    filled = torch.cat([filled.new_zeros(1, filled.shape[1]), filled]).T.contiguous()  # column 0: off the chart
    centre = filled.index_select(1, chart.face_id.flatten() + 1).unflatten(1, (chart.height, chart.width))
    rows = centre.clone()
    rows[:, 1:] |= centre[:, :-1]
    rows[:, :-1] |= centre[:, 1:]
    read = rows.clone()
    read[:, :, 1:] |= rows[:, :, :-1]
    read[:, :, :-1] |= rows[:, :, 1:]
    return read


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
