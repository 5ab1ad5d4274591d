"""The texels of a head's chart as surface points: what detail is drawn on. Kept per model and size."""

from __future__ import annotations

import functools
import weakref
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.scan import scan_triangles
from faceuv.models.faces.appearance.frame import MM_PER_DM
from faceuv.models.faces.appearance.geometry import SIDES, Eyeball, Head, eye_rows, interpolate
from faceuv.models.faces.appearance.noise import FINEST, Cells
from faceuv.models.faces.appearance.paint import Points, lid_shadow, unevenness
from faceuv.models.faces.appearance.strands import around_brows
from faceuv.models.faces.arrays import PARTS
from faceuv.models.faces.base import FaceModel

SMOOTH_SIZE = 1024  # the largest map on which smooth colours are composed
_KEPT: weakref.WeakKeyDictionary[FaceModel, dict[int, Texels]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Texels:
    """T × T texels; ``N`` of them lie on the chart.

    rows        (N,) int64: their flat indices
    nearest     (T·T,) int64: for each texel the number (in 0 … N − 1) of the nearest one on the chart
    part        (N,) index into PARTS
    canonical   (N, 3) mm
    positions   (N, 3) mm of the mean head, object frame
    face_id     (T, T) int64, −1 off the chart
    island      (F,) int32: charts by number, for the faces
    normals     (V, 3) of the mean head
    """

    size: int
    head: Head
    uv: Tensor
    eyeballs: dict[str, Eyeball]
    rows: Tensor
    nearest: Tensor
    part: Tensor
    canonical: Tensor
    positions: Tensor
    face_id: Tensor
    island: Tensor
    normals: Tensor
    points: Points | None
    _zones: dict[str, Tensor] = field(default_factory=dict)
    _images: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, model: FaceModel, size: int) -> Texels:
        """Those of ``model`` at ``size × size``, kept from the last time."""
        kept = _KEPT.setdefault(model, {})
        if size not in kept:
            kept[size] = cls.build(model, size)
        return kept[size]

    @classmethod
    @torch.no_grad()
    def build(cls, model: FaceModel, size: int) -> Texels:
        head = Head.of(model)
        uv, faces = model.uv.detach().cpu().float(), head.faces
        flat = torch.cat([uv * size, torch.ones_like(uv[:, :1])], 1)[None]
        face_id = scan_triangles(flat, faces, size, size)[0]
        covered = (face_id >= 0).flatten()
        rows = covered.nonzero()[:, 0]
        owner = face_id.flatten()[rows]
        weights = _weights(flat[0, :, :2], faces, owner, rows, size)
        corners = faces[owner]
        both = torch.cat([head.canonical, head.mean * MM_PER_DM], 1)
        canonical, positions = interpolate(both, corners, weights).split(3, 1)
        canonical, positions = canonical.contiguous(), positions.contiguous()
        part = head.part_of_faces()[owner]
        eyeballs = head.eyeballs()
        vertex_normal = head.normals()
        points = None
        if size <= SMOOTH_SIZE:
            patches, within = unevenness(head.canonical), (corners, weights)
            normals = interpolate(vertex_normal, corners, weights)
            points = Points.of(positions / MM_PER_DM, canonical, part, eyeballs, normals, patches, within)
        return cls(
            size, head, uv, eyeballs, rows, _nearest(covered, size), part, canonical, positions, face_id,
            _islands(faces, len(head.mean)), vertex_normal, points,
        )  # fmt: skip

    def face_zones(self) -> dict[str, Tensor]:
        """The masks of the skin per face ``(F,)``, by zone."""
        if not self._zones:
            found = Points.of_vertices(self.head).regions.masks
            self._zones.update({name: mask[self.head.faces].mean(1) for name, mask in found.items()})
        return self._zones

    @functools.cached_property
    def eyes(self) -> dict[str, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Side → rows of the eye among the N texels, distance in iris radii, angle, shadow of the lids."""
        found = {}
        for side in SIDES:
            if side in self.eyeballs:
                rows, distance, angle = eye_rows(self.part, self.positions / MM_PER_DM, side, self.eyeballs[side])
                found[side] = (rows, distance, angle, lid_shadow(self.canonical[rows], side))
        return found

    @functools.cached_property
    def gaps(self) -> tuple[Tensor, Tensor]:
        """Flat indices of the texels off the chart, and of those on it that are nearest."""
        off = (self.face_id.view(-1) < 0).nonzero()[:, 0]
        return off, self.rows[self.nearest[off]]

    @functools.cached_property
    def brows(self) -> Tensor:
        """The texels, of the N, on which hairs of brows may lie."""
        return around_brows(self.canonical)

    @functools.cached_property
    def skin(self) -> tuple[Tensor, Cells]:
        """The texels, of the N, on skin, and where they lie in the finest noise."""
        rows = (self.part == PARTS.index("skin")).nonzero()[:, 0]
        return rows, Cells.of(self.positions[rows], FINEST)

    @functools.cached_property
    def slow(self) -> tuple[Cells, Cells]:
        """Where the N texels lie in the noises of 7 and of 2.1 mm."""
        return Cells.of(self.positions, 7.0), Cells.of(self.positions, 2.1, 0.31)

    def normals_image(self) -> Tensor:
        """``(3, T, T)``: unit normals of the mean head."""
        if "normals" not in self._images:
            self._images["normals"] = self.image(F.normalize(interpolate(self.normals, *_corners(self)), dim=1).T)
        return self._images["normals"]

    def image(self, values: Tensor) -> Tensor:
        """``(C, T, T)`` of values ``(C, N)``; off the chart the nearest one."""
        return values.index_select(1, self.nearest).view(-1, self.size, self.size)


def _corners(texels: Texels) -> tuple[Tensor, Tensor]:
    """The vertices around each texel ``(N, 3)`` and their weights ``(N, 3)``."""
    owner = texels.face_id.flatten()[texels.rows]
    weights = _weights(texels.uv * texels.size, texels.head.faces, owner, texels.rows, texels.size)
    return texels.head.faces[owner], weights


def _weights(texels: Tensor, faces: Tensor, owner: Tensor, rows: Tensor, size: int) -> Tensor:
    """Barycentric weights ``(N, 3)`` of texel centres in their faces: linear in row and column, so found per face."""
    a, b, c = (texels[faces[:, k]].double() for k in range(3))
    d1, d2 = b - a, c - a
    det = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    det = torch.where(det.abs() > 1e-12, det, torch.ones_like(det))
    right = torch.stack([d2[:, 1], -d1[:, 1]], 1) / det[:, None]
    down = torch.stack([-d2[:, 0], d1[:, 0]], 1) / det[:, None]
    row = torch.div(rows, size, rounding_mode="floor")
    start = a.float()[owner]
    x, y = (rows - row * size) + 0.5 - start[:, 0], row + 0.5 - start[:, 1]
    two = right.float()[owner] * x[:, None] + down.float()[owner] * y[:, None]
    return torch.cat([1 - two.sum(1, keepdim=True), two], 1)


def _nearest(covered: Tensor, size: int) -> Tensor:
    from scipy import ndimage

    number = torch.cumsum(covered, 0) - 1
    away = ~covered.view(size, size).numpy()
    _, (r, c) = ndimage.distance_transform_edt(away, return_indices=True)
    return number[torch.from_numpy(r * size + c).flatten().long()]


def _islands(faces: Tensor, count: int) -> Tensor:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, b, c = faces.numpy().T
    ones = [True] * (2 * len(faces))
    links = coo_matrix((ones, ([*a, *b], [*b, *c])), shape=(count, count))
    _, label = connected_components(links, directed=False)
    return torch.from_numpy(label[a]).to(torch.int32)
