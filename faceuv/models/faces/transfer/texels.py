"""The correspondence per texel of the target's chart, and maps resampled through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.transfer.closest import Surface, vertex_normals
from faceuv.models.faces.transfer.correspondence import Correspondence, confidence
from faceuv.models.faces.transfer.skin import Skin

_MM = 100.0
_LIP_FAR = 0.08  # dm


@dataclass(frozen=True, eq=False)
class Texels:
    """For every texel of an H × W chart of the target, the point of the source.

    face (H, W)        int64, face of the source;  weights (H, W, 3)  barycentric
    confidence (H, W)  1 on a sure counterpart, 0 without one;  distance (H, W)  mm
    skin (H, W)        bool: the texel shows skin, not an eye or the mouth's inside
    """

    face: Tensor
    weights: Tensor
    confidence: Tensor
    distance: Tensor
    skin: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """The arrays by name, for a file, in few bytes."""
        return {
            "face": self.face.int(),
            "weights": self.weights,
            "confidence": self.confidence.half(),
            "distance": self.distance.half(),
            "skin": self.skin,
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Texels:
        """From the arrays of a file."""
        weights, sure, distance = (tensors[name].float() for name in ("weights", "confidence", "distance"))
        return cls(tensors["face"].long(), weights, sure, distance, tensors["skin"])

    def grid(self, source: FaceModel) -> Tensor:
        """The source's uv at each texel ``(H, W, 2)``."""
        return (source.uv[source.faces[self.face.to(source.uv.device)]] * self.weights.to(source.uv)[..., None]).sum(-2)


def find_texels(source: FaceModel, target: FaceModel, found: Correspondence, height: int, width: int) -> Texels:
    """The texels' points on the source, by the registered surfaces of ``found``."""
    source_skin, target_skin = Skin.of(source), Skin.of(target)
    chart = target.chart(height, width)
    on_skin = np.zeros(len(target.faces), bool)
    on_skin[target_skin.model_face] = True
    covered = (chart.face_id >= 0).cpu().numpy()
    owner = _repeated(chart.face_id.cpu().numpy(), covered)
    skin = on_skin[owner]
    chosen = np.flatnonzero((skin & covered).ravel())
    corners = chart.vertices.cpu().numpy()[chosen]
    weights = chart.weights.cpu().double().numpy()[chosen]
    placed = found.placed.double().numpy()
    normals = np.zeros_like(placed)
    here = target_skin.of_vertex >= 0
    at = np.zeros_like(target_skin.vertices)
    at[target_skin.of_vertex[here]] = placed[here]
    normals[here] = vertex_normals(at, target_skin.faces)[target_skin.of_vertex[here]]
    labels = np.where(here, target_skin.labels[target_skin.of_vertex], -1)
    points = (placed[corners] * weights[..., None]).sum(1)
    directions = (normals[corners] * weights[..., None]).sum(1)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    of_corner = labels[corners]
    of_texel = np.where((of_corner == of_corner[:, :1]).all(1), of_corner[:, 0], -1)
    surface = Surface(found.source_placed.double().numpy(), source_skin.faces, source_skin.labels)
    hits = surface.closest(points, directions, of_texel, nearest=2)
    # On a lid or a lip the nearest point of the same one has the right colour, however the edge rolls in.
    close = np.clip((_LIP_FAR - hits.distance) / (_LIP_FAR / 2), 0, 1) * hits.allowed * (of_texel >= 0)
    sure = np.maximum(confidence(hits), close)
    found_at = np.zeros((height, width), bool)
    found_at.ravel()[chosen] = True
    spread = _source(found_at)

    def whole(values: np.ndarray, dtype: type) -> Tensor:
        full = np.zeros((height * width, *values.shape[1:]), dtype)
        full[chosen] = values
        return torch.from_numpy(full[spread.ravel()].reshape(height, width, *values.shape[1:]))

    return Texels(
        whole(source_skin.model_face[hits.face], np.int64),
        whole(hits.weights, np.float32),
        whole(sure, np.float32).half().float(),  # as a file keeps them
        whole(hits.distance * _MM, np.float32).half().float(),
        torch.from_numpy(skin),
    )


def resample(values: Tensor, texels: Texels, source: FaceModel) -> Tensor:
    """Maps of the source ``(B, C, h, w)`` on the target's chart ``(B, C, H, W)``, confident or not."""
    grid = texels.grid(source).to(values) * 2 - 1
    while values.shape[-1] >= 2 * grid.shape[1] and min(values.shape[-2:]) > 1:
        values = F.avg_pool2d(values, 2)
    return F.grid_sample(values, grid[None].expand(len(values), -1, -1, -1), padding_mode="border", align_corners=False)


def filled(
    values: Tensor, found: Correspondence, source: FaceModel, target: FaceModel, size: tuple[int, int]
) -> Tensor:
    """What stands without a counterpart: ``values (B, C, h, w)`` of the source continued along the target's surface,
    as maps ``(B, C, *size)``."""
    points = (
        (source.uv[source.faces[found.face.to(source.uv.device)]] * found.weights.to(source.uv)[..., None])
        .sum(1)
        .to(values)
    )
    grid = (points * 2 - 1)[None, :, None].expand(len(values), -1, -1, -1)
    seen = F.grid_sample(values, grid, padding_mode="border", align_corners=False)[..., 0]  # (B, C, V)
    return bake(continued(seen.transpose(1, 2), found.to(values.device)), target.chart(*size))


def continued(values: Tensor, found: Correspondence) -> Tensor:
    """Vertex values ``(B, V, C)`` known in the patches → smooth ones everywhere on the skin."""
    inside = found.anchors >= 0
    patch = found.anchors[inside]
    count = found.fill.shape[1]
    sums = values.new_zeros(len(values), count, values.shape[2]).index_add(1, patch, values[:, inside])
    sizes = torch.bincount(patch, minlength=count).clamp_min(1).to(values)
    return torch.einsum("vk,bkc->bvc", found.fill.to(values), sums / sizes[:, None])


def _source(covered: np.ndarray) -> np.ndarray:
    """The flat index of the nearest covered texel, itself if covered; ``(H, W)``."""
    from scipy import ndimage

    _, (rows, columns) = ndimage.distance_transform_edt(~covered, return_indices=True)
    return np.asarray(rows * covered.shape[1] + columns)


def _repeated(values: np.ndarray, covered: np.ndarray) -> np.ndarray:
    return values.ravel()[_source(covered).ravel()].reshape(values.shape)
