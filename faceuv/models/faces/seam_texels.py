"""Texels at the seams of a chart: a small map shows the same on both sides of a seam.

Bilinear samples on a seam mix a texel inside the chart with one beyond it. Two sides of a seam have different texels,
so a line shows where they are large.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.weld import welded_faces
from faceuv.models.faces.base import FaceModel

LARGEST = 256  # maps beyond have texels that are too small for a line
_PER_TEXEL = 1.5  # samples along an edge of a seam
_TIE = (0.03, 10.0)  # to its own value, of a texel beyond the chart and on it; seams that share texels compromise
_KNOWN: WeakKeyDictionary[FaceModel, dict[tuple[int, int], SeamTexels]] = WeakKeyDictionary()


class SeamTexels:
    """Changes the texels at the skin's seams as little as possible, so that bilinear samples on a seam are those of
    values at the vertices. Differentiable. :meth:`of` keeps one for each model and size."""

    def __init__(self, model: FaceModel, height: int, width: int) -> None:
        self.first, self.second, along, uv = _seam_points(model, max(height, width))
        self.texels, self.corner, weight = _bilinear(uv, height, width)
        count = len(self.texels)
        # least squares with a tie to the map: (AᵀA + tie) change = Aᵀ missing, A the samples (N, T), four a row
        pairs = self.corner[:, :, None] * count + self.corner[:, None]
        square = uv.new_zeros(count * count).index_add_(
            0, pairs.flatten(), (weight[:, :, None] * weight[:, None]).flatten()
        )
        on_chart = (model.chart(height, width).face_id >= 0).flatten()[self.texels]
        system = square.view(count, count) + torch.where(on_chart, _TIE[1], _TIE[0]).to(uv).diag()
        self.factor = torch.linalg.cholesky(system).to(model.mean)
        self.weight, self.along = weight.to(model.mean), along.to(model.mean)

    @classmethod
    def of(cls, model: FaceModel, height: int, width: int) -> SeamTexels | None:
        """Those of the model's chart; None where nothing is to be done: a large map, or a chart without seams."""
        if model.weld is None or max(height, width) > LARGEST:
            return None
        known = _KNOWN.setdefault(model, {})
        found = known.get((height, width))
        if found is None or found.along.device != model.mean.device:
            found = known[height, width] = cls(model, height, width)
        return found if len(found.first) else None

    def __call__(self, maps: Tensor, values: Tensor) -> Tensor:
        """Maps ``(B, C, H, W)`` whose samples on the seams are those of ``values (B, V, C)`` at the vertices."""
        check_shape("maps", maps, ("B", "C", "H", "W"))
        flat, rows, weight = maps.flatten(2), values.transpose(1, 2), self.weight.to(maps)
        wanted = torch.lerp(rows[..., self.first], rows[..., self.second], self.along.to(maps))
        missing = wanted - (flat[..., self.texels[self.corner]] * weight).sum(-1)  # (B, C, N)
        gathered = torch.zeros_like(flat[..., : len(self.texels)]).index_add(
            2, self.corner.flatten(), (missing[..., None] * weight).flatten(2)
        )
        change = torch.cholesky_solve(gathered.flatten(0, 1).T, self.factor.to(maps)).T.view_as(gathered)
        return flat.index_add(2, self.texels, change).view_as(maps)


def _seam_points(model: FaceModel, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points on both sides of the skin's seams: their two vertices, the way from the first to the second, their uv."""
    skin = model.faces[model.faces_of("skin")]
    ends, points = (
        torch.stack([faces, faces.roll(-1, 1)], 2).flatten(0, 1).sort(1).values
        for faces in (skin, welded_faces(skin, model.weld))
    )
    sides = torch.cat([points, ends], 1).unique(dim=0)  # each side of each edge once
    _, place, count = sides[:, :2].unique(dim=0, return_inverse=True, return_counts=True)
    first, second = sides[count[place] > 1, 2:].unbind(1)
    uv = model.uv.double()
    count = ((uv[first] - uv[second]).norm(dim=1) * size * _PER_TEXEL).ceil().long().clamp_min(1)  # of each edge
    edge = torch.arange(len(first), device=uv.device).repeat_interleave(count)
    place = torch.arange(len(edge), device=uv.device) - (count.cumsum(0) - count)[edge]
    along = place.to(uv) / count[edge]
    first, second = first[edge], second[edge]
    return first, second, along, torch.lerp(uv[first], uv[second], along[:, None])


def _bilinear(uv: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The texels ``(T,)`` that samples at ``uv (N, 2)`` touch, which of them each touches ``(N, 4)``, and with which
    weights ``(N, 4)``, as in :func:`~faceuv.geometry.uv.sample_map`."""
    size = uv.new_tensor([width, height])
    place = (uv * size - 0.5).clamp_min(0).minimum(size - 1)
    low = place.floor().minimum(size - 2)
    right, down = (place - low).unbind(1)
    column, row = low.long().unbind(1)
    corners = torch.stack([row * width + column, row * width + column + 1], 1)
    weights = torch.stack([1 - right, right], 1)
    corners = torch.cat([corners, corners + width], 1)
    weights = torch.cat([weights * (1 - down)[:, None], weights * down[:, None]], 1)
    texels, touched = corners.unique(return_inverse=True)
    return texels, touched, weights
