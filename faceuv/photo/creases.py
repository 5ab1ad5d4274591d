"""The creases of one photograph on the chart of a head: taken out of its colours, kept as height."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.boxes import box_mean
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import project
from faceuv.geometry.uv import bake, bake_texels, unit_planes
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import kept, near_landmarks, on_parts
from faceuv.photo.projection import posed_mesh
from faceuv.photo.reading import View
from faceuv.photo.relief import Ground, relief
from faceuv.renderers.base import Renderer
from faceuv.structures import Mesh

_FINE = 512  # texels across: the map on which relief is found
_MM = 100.0  # in a decimetre
_FACE = (0.4, 0.55)  # dm from the landmarks of brows, eyes, nose and mouth: the skin whose creases are looked for
_BEFORE_THE_EARS = (0.05, 0.2)  # dm
_COARSE = 8  # texels of these
_HAIR = (0.25, 0.45)  # log brightness below the face's: bare skin, hair
_FEATURES = (0.08, 0.16)  # dm from the landmarks of brows, eyes, nostrils and lips: what is dark there is no crease


def without_creases(
    model: FaceModel, ratio: Tensor, smooth: Tensor, weight: Tensor, view: View, renderer: Renderer
) -> tuple[Tensor, Tensor]:
    """The logarithm ``ratio (3, T, T)`` of photograph over model without what relief explains, and that relief
    ``(1, T, T)``, mm: under the light of the photograph both together look as the ratio did.

    Args:
        smooth: ``(3, T, T)``, the fitted albedo.
        weight: ``(1, T, T)`` in [0, 1], of the skin that the photograph shows.
        view: the photograph, its coefficients with the light that was fitted.
    """
    size = ratio.shape[-1]
    fine = min(size, _FINE)
    plain, (top, bottom, left, right) = kept(model, "where creases are looked for", fine, lambda: _plain(model, fine))
    small, known, albedo = (
        (x if size == fine else F.adaptive_avg_pool2d(x[None], fine)[0])[:, top:bottom, left:right]
        for x in (ratio, weight, smooth)
    )
    known = known * plain[:, top:bottom, left:right]
    world, normals = posed_mesh(model, view.coefficients)
    attributes = torch.cat([normals, *model.tangents(world.vertices)], 2)[0]
    baked = bake_texels(attributes, model.chart(fine, fine), slice(top * fine, bottom * fine))
    normal, along_u, along_v = baked.view(9, bottom - top, fine)[:, :, left:right].split(3)
    ground = Ground(
        unit_planes(normal[None])[0], along_u * (_MM / fine), along_v * (_MM / fine), view.coefficients.lighting[0]
    )
    known = known * _bare(small.mean(0, keepdim=True) + torch.log(albedo.mean(0, keepdim=True).clamp_min(0.02)), known)
    height, shade = relief(small, known, ground, _pixel(model, world, view, renderer))
    found = F.pad(torch.cat([height[None], shade]), (left, fine - right, top, fine - bottom))
    if size != fine:
        found = F.interpolate(found[None], (size, size), mode="bicubic", align_corners=False)[0]
    return ratio - found[1:], found[:1]


def _bare(tone: Tensor, weight: Tensor) -> Tensor:
    """``(1, H, W)`` in [0, 1]: bare of beard and hair, where the log brightness ``tone (1, H, W)`` stays low."""
    coarse = (max(1, tone.shape[1] // _COARSE), max(1, tone.shape[2] // _COARSE))
    total, cover = (F.adaptive_avg_pool2d(x[None], coarse) for x in (tone * weight, weight))
    mean = box_mean(total, 3) / box_mean(cover, 3).clamp_min(1e-3)
    some = mean[cover > 0.5]
    if not len(some):
        return torch.zeros_like(tone)
    low, high = _HAIR
    bare = 1 - ((some.median() - mean - low) / (high - low)).clamp(0, 1)
    return F.interpolate(bare, tone.shape[1:], mode="bilinear", align_corners=False)[0]


def _pixel(model: FaceModel, world: Mesh, view: View, renderer: Renderer) -> float:
    """Of the photograph at the face, mm."""
    corners = world.vertices[:, model.landmarks[[36, 45, 27, 57]]]
    seen = project(corners, renderer.camera, 1, 1)[0, :, :2] * view.window.side
    across = max(float((seen[a] - seen[b]).norm()) for a, b in ((0, 1), (2, 3)))
    real = max(float((corners[0, a, :2] - corners[0, b, :2]).norm()) for a, b in ((0, 1), (2, 3)))
    return real * _MM / max(across, 1e-3)


def displacement_of(model: FaceModel, height: Tensor | None) -> Tensor | None:
    """``(1, 3, T, T)`` dm, object frame: ``height (1, T, T)``, mm, along the normals of the mean head. None without."""
    if height is None:
        return None
    size = height.shape[-1]
    return _normals(model, size) * height / _MM


def _normals(model: FaceModel, size: int) -> Tensor:
    """``(1, 3, T, T)`` of the mean head."""

    def made() -> Tensor:
        normals = vertex_normals(model.mean[None], model.faces, model.weld)
        return unit_planes(bake(normals, model.chart(size, size)))

    return kept(model, "normals", size, made)


def _plain(model: FaceModel, size: int) -> tuple[Tensor, tuple[int, int, int, int]]:
    """``(1, T, T)`` in [0, 1], plain skin of the face, and the rows and columns in which it lies."""
    face = near_landmarks(model, size, range(17, 68), _FACE)
    features = near_landmarks(model, size, (*range(17, 27), *range(31, 68)), _FEATURES)
    behind = model.mean[model.landmarks[[0, 16]], 2].mean()
    depth = bake(model.mean[None, :, 2:], model.chart(size, size))[0]
    low, high = _BEFORE_THE_EARS
    plain = on_parts(model, size, "skin") * face * (1 - features) * ((depth - behind - low) / (high - low)).clamp(0, 1)
    rows, columns = ((plain[0] > 0.05).any(axis).nonzero()[:, 0] for axis in (1, 0))
    return plain, (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
