"""The colour term of a fit: colours of points on the face's surface, compared with the picture where they are visible.

The comparison is made at points of the surface instead of at pixels. A point keeps its place on the face while the face
moves, so its colour, light and place have derivatives in closed form, and a Gauss–Newton step needs no renderer; the
renderer says which points are seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry import light_form, pose, project, sh_basis
from faceuv.geometry.normals import face_normals, scatter_to_vertices
from faceuv.geometry.weld import welded_faces
from faceuv.losses import saturating
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.kinematics import Posed, apply_basis, rotate_back, turning
from faceuv.models.faces.points import Points, without_specks
from faceuv.renderers.base import Renderer
from faceuv.renderers.interpolation import spread
from faceuv.structures import Coefficients, Mesh

_LOOK = 128  # pixels: the depth image that says which points are seen
_BEHIND = 0.04  # dm: a point this far behind what the depth image shows is hidden
_GRAZING = 0.1  # cosine: surface more oblique than this is not trusted


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """S vertices of a face model with what moves them: places, two tangents, colours.

    The tangents are linear in the places of vertices; their cross product is normal to the surface.
    """

    vertices: Tensor
    places: Points
    first: Points
    second: Points
    colour: Tensor  # (S, 3)
    colour_basis: Tensor  # (S, 3, A)
    model: FaceModel

    @classmethod
    def choose(cls, model: FaceModel, count: int) -> SurfaceSamples:
        """``count`` vertices of the skin, evenly spread over the mean face."""
        index = spread_out(model.mean, model.skin_mask, count)
        places = model.points(index)
        first, second = _tangents(model, index)
        colours = model.mean_albedo[index], without_specks(model.albedo_basis[index])
        return cls(index, places, first, second, *colours, model)


def spread_out(points: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Indices ``(min(count, allowed.sum()),)`` of ``points (V, 3)``: each the farthest from those before it."""
    candidates = allowed.nonzero()[:, 0]
    places = points[candidates]
    count = min(count, len(candidates))
    chosen = torch.zeros(count, dtype=torch.int64, device=points.device)
    distance = torch.full_like(places[:, 0], torch.inf)
    for k in range(1, count):  # the newest as a row of one: a single number as an index would be waited for
        distance = torch.minimum(distance, (places - places[chosen[k - 1 : k]]).square().sum(1))
        chosen[k] = distance.argmax()
    return candidates[chosen].sort().values


def _tangents(model: FaceModel, index: Tensor) -> tuple[Points, Points]:
    """Derivatives of the surface at some vertices along two directions of the mean shape's tangent plane.

    Around each vertex the neighbours' places are fitted, by least squares, by a linear function of their coordinates
    in that plane: a fixed linear combination of vertices, so it applies to the mean and to every mode alike.
    """
    mean, faces = model.mean, welded_faces(model.faces, model.weld)
    index = index if model.weld is None else model.weld[index]
    normal = F.normalize(scatter_to_vertices(face_normals(mean[None], faces), faces, len(mean))[0], dim=1)[index]
    helper = F.one_hot(normal.abs().argmin(1), 3).to(normal)
    along = F.normalize(torch.linalg.cross(helper, normal), dim=1)
    across = torch.linalg.cross(normal, along)
    centre, neighbour = _rings(faces, index, len(mean))
    away = mean[neighbour] - mean[index[centre]]
    local = torch.stack([(away * along[centre]).sum(1), (away * across[centre]).sum(1)], 1)  # (R, 2)
    moments = mean.new_zeros(len(index), 2, 2).index_add(0, centre, local[:, :, None] * local[:, None])
    weights = torch.linalg.solve(moments[centre], local[:, :, None])[:, :, 0]  # (R, 2)
    full = model.points(torch.cat([index, neighbour]))
    ring = torch.arange(len(index), len(index) + len(neighbour), device=index.device)
    rows, columns = torch.cat([centre, centre]), torch.cat([ring, centre])
    found = []
    for axis in range(2):
        part = weights[:, axis]
        found.append(full.combined(rows, columns, torch.cat([part, -part]), len(index)))
    return found[0], found[1]


def _rings(faces: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Pairs (position in ``index``, neighbouring vertex), each once."""
    position = torch.full((count,), -1, dtype=torch.int64, device=faces.device)
    position[index] = torch.arange(len(index), device=faces.device)
    pairs = torch.cat([faces[:, [i, j]] for i in range(3) for j in range(3) if i != j])
    pairs = pairs[position[pairs[:, 0]] >= 0].unique(dim=0)
    return position[pairs[:, 0]], pairs[:, 1]


class SurfaceTerm:
    """``weight · Σ_s a_s ρ(‖I(p_s) − albedo_s · light(n_s)‖²)`` over the surface points that are seen, weighted by the
    area that they cover in the picture (Σ a = 1); ρ(s) = c²s / (s + c²) as in
    :class:`~faceuv.losses.PhotometricLoss` with norm ``"saturating"``.

    Args:
        images: ``(B, 3, H, W)``; blurred to about the samples' distance, or a sample stands for too little.
        mask: ``(B, 1, H, W)`` what counts of the pictures, or None.
        outlier: c, in colour levels: what differs by much more is something before the face and does not count.
    """

    def __init__(
        self,
        samples: SurfaceSamples,
        renderer: Renderer,
        images: Tensor,
        mask: Tensor | None,
        *,
        weight: float,
        outlier: float,
    ) -> None:
        self.samples, self.renderer, self.weight, self.outlier = samples, renderer, weight, outlier
        self.layout, self.camera = samples.model.layout, renderer.camera
        self.height, self.width = images.shape[2:]
        self.side = min(self.height, self.width)
        self.maps = torch.cat([images, *_slopes(images, self.side)], 1)
        self.mask = mask
        self.areas = images.new_zeros(len(images), len(samples.vertices))

    def look(self, x: Tensor, rows: Tensor) -> None:
        """Find out which points are visible at ``x``, and how large they are; valid until the next call."""
        model, layout = self.samples.model, self.layout
        coefficients = Coefficients(x, layout)
        vertices = pose(model.mesh(coefficients).vertices, coefficients.rotation, coefficients.translation)
        view = self.renderer.look(Mesh(vertices, model.faces), height=_LOOK, width=_LOOK)
        depth = spread(view.at.depth[:, None], view.at, fill=torch.inf)[..., 0]
        depth = -F.max_pool2d(-depth[:, None].clamp_max(1e3), 3, 1, 1)
        posed = Posed.of(self.samples.places, x, layout)
        normals, _, _ = self._normals(x)
        normals = normals @ posed.rotation.transpose(1, 2)
        place = project(posed.world, self.camera, self.height, self.width)
        grid = self._grid(place[..., :2])
        behind = place[..., 2] - F.grid_sample(depth, grid, mode="nearest", align_corners=False)[:, 0, 0]
        toward = -posed.world + posed.world.new_tensor([0.0, 0.0, self.camera.distance])
        cosine = (normals * F.normalize(toward, dim=2)).sum(2)
        inside = (grid.abs() < 1).all(3)[:, 0]
        # what a fold hides lies behind the nearest depth around it by more than the slope of the surface explains
        slope = 3 * (1 - cosine.square()).clamp_min(0).sqrt() / cosine.clamp_min(_GRAZING) * self._pixel()
        seen = inside & (behind < _BEHIND + slope) & (cosine > _GRAZING)
        areas = (cosine - _GRAZING) * seen
        if self.mask is not None:
            areas = areas * F.grid_sample(self.mask[rows], grid, mode="bilinear", align_corners=False)[:, 0, 0]
        self.areas[rows] = areas / areas.sum(1, keepdim=True).clamp_min(1e-6)

    def _pixel(self) -> float:
        """The size of a pixel of the depth image on the face, dm."""
        return self.camera.distance / (self.camera.focal * _LOOK)

    def _normals(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit normals in the object frame and the two tangents, each ``(b, S, 3)``."""
        shape = x[:, : self.layout.identity + self.layout.expression]
        first, second = self.samples.first.place(shape), self.samples.second.place(shape)
        return F.normalize(torch.linalg.cross(first, second), dim=2), first, second

    def _grid(self, pixels: Tensor) -> Tensor:
        scale = pixels.new_tensor([self.width, self.height])
        return (2 * pixels / scale - 1)[:, None]

    def _read(self, posed: Posed, rows: Tensor, channels: int) -> Tensor:
        grid = self._grid(posed.pixels(self.camera, self.height, self.width))
        maps = self.maps[rows, :channels]
        return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)[:, :, 0].transpose(1, 2)

    def _albedo(self, x: Tensor) -> Tensor:
        moved = x[:, self.layout.slice("albedo")] @ self.samples.colour_basis.flatten(0, 1).T
        return moved.unflatten(1, (-1, 3)) + self.samples.colour

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        posed = Posed.of(self.samples.places, x, self.layout)
        normals = self._normals(x)[0] @ posed.rotation.transpose(1, 2)
        quadratic, linear, constant = light_form(Coefficients(x, self.layout).lighting)
        light = _light(normals, quadratic, linear, constant)
        squared = (self._read(posed, rows, 3) - self._albedo(x) * light).square().sum(2)
        return self.weight * (saturating(squared, self.outlier) * self.areas[rows]).sum(1)

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        layout, samples = self.layout, self.samples
        posed = Posed.of(samples.places, x, layout)
        own, first, second = self._normals(x)
        normals = own @ posed.rotation.transpose(1, 2)
        coefficients = Coefficients(x, layout)
        quadratic, linear, constant = light_form(coefficients.lighting)
        light, albedo = _light(normals, quadratic, linear, constant), self._albedo(x)
        picture, slopes = self._read(posed, rows, 9).split([3, 6], 2)
        residual = picture - albedo * light
        squared = residual.square().sum(2)
        weight = self.weight * self.areas[rows] * (self.outlier**2 / (squared + self.outlier**2)).square()

        # along the surface's way through the picture
        right, down = (half[..., None] for half in slopes.split(3, 2))
        of_right, of_down = (row[:, :, None] for row in posed.projection(self.camera).unbind(2))
        by_place = right * of_right + down * of_down  # (b, S, 3 colours, 3)
        # by the normal: light's slope, less its part along the normal, over the length of first × second
        by_normal = 2 * _slopes_of_light(normals, quadratic) + linear[:, None]
        by_normal = -albedo[..., None] * by_normal
        jacobian = residual.new_zeros(*residual.shape, layout.size)
        turns = turning(by_place, posed.turned, posed.axes) + turning(by_normal, normals, posed.axes)
        jacobian[..., layout.slice("rotation")] = turns
        jacobian[..., layout.slice("translation")] = by_place
        tangential = by_normal - (by_normal * normals[:, :, None]).sum(3, keepdim=True) * normals[:, :, None]
        span = torch.linalg.vector_norm(torch.linalg.cross(first, second), dim=2).clamp_min(1e-12)
        tangential = rotate_back(tangential, posed.rotation) / span[..., None, None]  # object frame
        # m·d(f × s) = df·(s × m) + ds·(m × f)
        along = torch.cat(
            [
                rotate_back(by_place, posed.rotation),
                torch.linalg.cross(second[:, :, None].expand_as(tangential), tangential),
                torch.linalg.cross(tangential, first[:, :, None].expand_as(tangential)),
            ],
            3,
        )
        bases = self._bases(x)
        jacobian[..., : bases.shape[-1]] = apply_basis(along, bases)
        jacobian[..., layout.slice("albedo")] = -light[..., None] * samples.colour_basis
        by_light = sh_basis(normals)
        start = layout.slice("lighting").start
        for colour in range(3):
            columns = slice(start + 9 * colour, start + 9 * colour + 9)
            jacobian[:, :, colour, columns] = -albedo[:, :, colour, None] * by_light
        root = weight.sqrt()[..., None]
        jacobian = (jacobian * root[..., None]).flatten(1, 2)
        residual = (residual * root).flatten(1)
        return jacobian.transpose(1, 2) @ jacobian, (residual[:, None] @ jacobian)[:, 0]

    def _bases(self, x: Tensor) -> Tensor:
        """``(S, 9, K)`` or ``(b, S, 9, K)``: slopes of places, first and second tangents, side by side."""
        shape, samples = x[:, : self.layout.identity + self.layout.expression], self.samples
        return torch.cat([points.slopes(shape) for points in (samples.places, samples.first, samples.second)], -2)


def _light(normals: Tensor, quadratic: Tensor, linear: Tensor, constant: Tensor) -> Tensor:
    """``(b, S, 3)`` of unit ``normals (b, S, 3)``."""
    slopes = _slopes_of_light(normals, quadratic) + linear[:, None]
    return (slopes * normals[:, :, None]).sum(3) + constant[:, None]


def _slopes_of_light(normals: Tensor, quadratic: Tensor) -> Tensor:
    """Q·n: ``(b, S, 3 colours, 3)``."""
    return (normals @ quadratic.flatten(1, 2).transpose(1, 2)).unflatten(2, (3, 3))


def _slopes(images: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Central differences to the right and down, per image side."""
    wide = F.pad(images, (1, 1, 1, 1), mode="replicate")
    right = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) * (0.5 * side)
    down = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) * (0.5 * side)
    return right, down
