"""A photograph on the chart: for each texel the colour that the picture shows there, and how far that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.data.window import Window
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose, project
from faceuv.geometry.uv import bake, unit_planes
from faceuv.models.faces.base import FaceModel
from faceuv.renderers.base import Renderer
from faceuv.renderers.occlusion import visible_points
from faceuv.structures import Coefficients, Mesh

_SQUARE = 512  # pixels: the frame in which margins are measured
_MARGIN = 9.0  # pixels of it at an outline: the fit is not better than that
_STEP = 0.35  # dm between neighbouring pixels: behind lies the background, the neck or an ear
_GRAZING = (0.22, 0.60)  # cosine of the angle of view: weight 0, weight 1
_GRAZING_INNER = (0.08, 0.25)  # the same between brows and chin, where nothing but the picture knows the person


@dataclass(frozen=True, eq=False)
class Projected:
    """One picture on a chart of H × W texels.

    colour   (3, H, W)  RGB of the picture at the texel's surface point; off the picture its border
    weight   (1, H, W)  in [0, 1]: 0 where the point is hidden, outside or seen at a grazing angle; less at outlines
    normal   (3, H, W)  unit normals after the pose
    place    (2, H, W)  column and row of the point in the square, in [−1, 1]; 0 where the surface faces away
    """

    colour: Tensor
    weight: Tensor
    normal: Tensor
    place: Tensor


_POSED: WeakKeyDictionary[FaceModel, tuple[Tensor, Mesh, Tensor]] = WeakKeyDictionary()


@torch.no_grad()
def posed_mesh(model: FaceModel, coefficients: Coefficients) -> tuple[Mesh, Tensor]:
    """The mesh of one face in its pose, and its vertices' normals ``(1, V, 3)``. The last one is kept: a photograph is
    read in several passes, in which only its light and albedo change."""
    key = torch.cat([getattr(coefficients, name) for name in ("identity", "expression", "rotation", "translation")], 1)
    known = _POSED.get(model)
    if known is None or known[0].shape != key.shape or known[0].device != key.device or not torch.equal(known[0], key):
        mesh = model.mesh(coefficients)
        world = mesh.at(pose(mesh.vertices, coefficients.rotation, coefficients.translation))
        known = _POSED[model] = (key.clone(), world, vertex_normals(world.vertices, world.faces, world.weld))
    return known[1], known[2]


@torch.no_grad()
def project_picture(
    model: FaceModel,
    coefficients: Coefficients,
    renderer: Renderer,
    picture: Tensor,
    window: Window,
    size: int,
    inner: Tensor | None = None,
) -> Projected:
    """The ``picture (3, H, W)`` on the chart of ``size × size`` texels of a face that was fitted in the square
    ``window`` of it. Visibility is exact for each texel.

    Args:
        inner: ``(1, size, size)`` in [0, 1], the texels between brows and chin, which are used at steeper angles.
    """
    sizes = check_shape("the picture", picture, (3, "H", "W"))
    chart = model.chart(size, size)
    world, normals = posed_mesh(model, coefficients)
    points, normal = bake(torch.cat([world.vertices, normals], 2), chart).split(3, 1)
    normal = unit_planes(normal)
    camera = renderer.camera
    on_chart = (chart.face_id >= 0).flatten()
    toward = unit_planes(points.new_tensor([0.0, 0.0, camera.distance])[:, None, None] - points)
    facing = (normal * toward).sum(1).flatten()
    share = torch.zeros_like(facing) if inner is None else inner.to(facing).flatten()
    low, high = (outer + share * (own - outer) for outer, own in zip(_GRAZING, _GRAZING_INNER))
    wanted = (on_chart & (facing > low)).nonzero()[:, 0]  # the others have no weight whoever sees them
    square = project(points.flatten(2)[:, :, wanted].transpose(1, 2), camera, _SQUARE, _SQUARE)
    corners = project(world.vertices, camera, _SQUARE, _SQUARE)
    seen = visible_points(corners, world.faces, square, _SQUARE, _SQUARE, near=camera.near)[0]
    place = window.to_picture(square[0, :, :2].double(), _SQUARE)
    inside = (place >= 0).all(1) & (place[:, 0] <= sizes["W"]) & (place[:, 1] <= sizes["H"])
    steep = ((facing - low) / (high - low))[wanted].clamp(0, 1)
    steep = steep * steep * (3 - 2 * steep)
    margin = _look_up(outline_margin(renderer, world), square[0, :, :2])[0]
    weight = points.new_zeros(size * size)
    weight[wanted] = (seen & inside).to(points) * steep * margin
    colour = points.new_zeros(3, size * size)
    colour[:, wanted] = _colours(picture, place, max(1, int(window.side / size)))
    where = points.new_zeros(2, size * size)
    where[:, wanted] = (square[0, :, :2] * 2 / _SQUARE - 1).T
    return Projected(colour.view(3, size, size), weight.view(1, size, size), normal[0], where.view(2, size, size))


def outline_margin(renderer: Renderer, world: Mesh) -> Tensor:
    """``(1, S, S)`` in [0, 1] over the square: 0 at outlines of the surface and at its own edges, 1 away from them."""
    from scipy import ndimage

    view = renderer.look(world, height=_SQUARE, width=_SQUARE)
    near = world.vertices.new_full((_SQUARE * _SQUARE,), torch.inf)
    near[view.at.flat] = view.at.depth
    near = near.view(_SQUARE, _SQUARE)
    edge = torch.zeros_like(near, dtype=torch.bool)
    for axis in range(2):
        first, second = near.narrow(axis, 0, _SQUARE - 1), near.narrow(axis, 1, _SQUARE - 1)
        step = (first - second).abs().nan_to_num(0.0, posinf=torch.inf) > _STEP
        edge.narrow(axis, 0, _SQUARE - 1).logical_or_(step)
        edge.narrow(axis, 1, _SQUARE - 1).logical_or_(step)
    if not bool(edge.any()):
        return torch.ones_like(near)[None]
    away = ndimage.distance_transform_edt(~edge.cpu().numpy())
    ramp = (torch.from_numpy(away).to(near) / _MARGIN).clamp(0, 1)
    return (ramp * ramp * (3 - 2 * ramp))[None]


def _colours(picture: Tensor, place: Tensor, shrink: int) -> Tensor:
    """``(3, N)`` at ``place (N, 2)``; a picture much finer than the texels is averaged first."""
    height, width = picture.shape[1:]
    if shrink > 1:
        padded = F.pad(picture[None], (0, -width % shrink, 0, -height % shrink), mode="replicate")
        picture = F.avg_pool2d(padded, shrink)[0]
    return _look_up(picture, place / shrink)


def _look_up(picture: Tensor, pixels: Tensor) -> Tensor:
    """``picture (C, H, W)`` at ``pixels (N, 2)`` → ``(C, N)``, bilinear."""
    size = pixels.new_tensor([picture.shape[2], picture.shape[1]])
    grid = (pixels * 2 / size - 1).to(picture)
    return F.grid_sample(picture[None], grid[None, None], padding_mode="border", align_corners=False)[0, :, 0]
