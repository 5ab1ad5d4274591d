"""Dense correspondence: for every vertex of one model the point of another's surface, with confidence and distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.transfer.closest import Hits, Surface, vertex_normals
from faceuv.models.faces.transfer.fill import fill_weights
from faceuv.models.faces.transfer.regions import REGIONS, regions
from faceuv.models.faces.transfer.registration import INNER, Similarity, similarity
from faceuv.models.faces.transfer.skin import Array, Indices, Skin

_NEAR, _FAR = 0.02, 0.07  # dm: full confidence below, none above
_ALIKE, _APART = 0.70, 0.35  # cosine between normals: full confidence above, none below
_MM = 100.0


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Where the vertices of a target model lie on a source model.

    face (V,)          int64, face of the source;  weights (V, 3)  barycentric, on its corners
    confidence (V,)    1 on a sure counterpart, 0 where the source has none and on eyes, teeth and the mouth's inside
    distance (V,)      mm between the registered surfaces
    placed (V, 3)      dm: the target's mean laid on the source's, in the frame of ``source_placed``
    source_placed (N, 3)   dm: the source's skin in that frame
    source_points (Vs, 3)  dm: all vertices of the source in that frame
    anchors (V,) int64, fill (V, K)  patch of a vertex (−1: none) and weights of the patches where the confidence is
                       low, see :mod:`.fill`
    scale, rotation (3, 3), offset (3,)  the source's frame → the target's
    errors             region → median and 95th percentile of the distance, mm, and the share with a counterpart
    """

    face: Tensor
    weights: Tensor
    confidence: Tensor
    distance: Tensor
    placed: Tensor
    source_placed: Tensor
    source_points: Tensor
    anchors: Tensor
    fill: Tensor
    scale: Tensor
    rotation: Tensor
    offset: Tensor
    errors: Mapping[str, Mapping[str, float]]

    TENSORS = (
        "face", "weights", "confidence", "distance", "placed", "source_placed", "source_points", "anchors", "fill",
        "scale", "rotation", "offset",
    )  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """The arrays by name, for a file."""
        return {name: getattr(self, name).contiguous() for name in self.TENSORS}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Correspondence:
        """From the arrays and the metadata of a file."""
        return cls(**{name: tensors[name] for name in cls.TENSORS}, errors=metadata["errors"])

    def to(self, device: torch.device | str) -> Correspondence:
        """The same on a device."""
        moved = {name: getattr(self, name).to(device) for name in self.TENSORS}
        return replace(self, **moved)


@dataclass(frozen=True, eq=False)
class Placed:
    """A model's mean in the frame where two models are registered: its skin ``at (N, 3)``, all vertices ``points``."""

    skin: Skin
    mean: Array
    at: Array
    points: Array

    @classmethod
    def of(cls, model: FaceModel, skin: Skin, at: Array) -> Placed:
        """``at``: the registered vertices of the skin. What is not skin goes along with the nearest skin."""
        mean = model.mean.detach().cpu().double().numpy()
        on_skin, index = cls._index(skin, mean)
        turn = similarity(skin.vertices[skin.landmarks[INNER]], at[skin.landmarks[INNER]])
        points = at[index] + turn.scale * (mean - skin.vertices[index]) @ turn.rotation.T
        points[on_skin] = at[index[on_skin]]
        return cls(skin, mean, at, points)

    @property
    def index(self) -> tuple[np.ndarray, Indices]:
        """Which vertices of the model are skin, and the vertex of the skin that is each, or nearest to it."""
        return self._index(self.skin, self.mean)

    @staticmethod
    def _index(skin: Skin, mean: Array) -> tuple[np.ndarray, Indices]:
        on_skin = skin.of_vertex >= 0
        return on_skin, np.where(on_skin, skin.of_vertex, cKDTree(skin.vertices).query(mean)[1])


def look_up(source: Placed, target: Placed) -> Hits:
    """The points of the source's skin that are closest to the vertices of the target's."""
    surface = Surface(source.at, source.skin.faces, source.skin.labels)
    normals = vertex_normals(target.at, target.skin.faces)
    return surface.closest(target.at, normals, target.skin.labels, nearest=6)


def motion(source: Placed, target: Placed, hits: Hits) -> Similarity:
    """The motion from the source's frame to the target's, by all sure points."""
    weight = confidence(hits)
    spots = (source.skin.vertices[source.skin.faces[hits.face]] * hits.weights[..., None]).sum(1)
    chosen = weight > 0.5
    if chosen.sum() < len(INNER):
        chosen = weight >= np.sort(weight)[-min(len(INNER), len(weight))]
    return similarity(spots[chosen], target.skin.vertices[chosen])


def correspond(source: Placed, target: Placed, hits: Hits, frames: Similarity) -> Correspondence:
    """From two models in one frame, what :func:`look_up` found and the motion between their own frames."""
    sure = confidence(hits)
    on_skin, index = target.index
    patch, fill = fill_weights(target.skin, sure)
    return Correspondence(
        face=torch.from_numpy(source.skin.model_face[hits.face[index]]),
        weights=_float(hits.weights[index]),
        confidence=_float(np.where(on_skin, sure[index], 0.0)),
        distance=_float(hits.distance[index] * _MM),
        placed=_float(target.points),
        source_placed=_float(source.at),
        source_points=_float(source.points),
        anchors=torch.from_numpy(np.where(on_skin, patch[index], -1)),
        fill=_float(fill[index] * on_skin[:, None]),
        scale=torch.tensor(frames.scale, dtype=torch.float64),
        rotation=torch.from_numpy(np.ascontiguousarray(frames.rotation)),
        offset=torch.from_numpy(np.ascontiguousarray(frames.offset)),
        errors=_errors(target.skin, hits.distance * _MM, sure),
    )


def confidence(hits: Hits) -> Array:
    """``(P,)`` in [0, 1], from distance and normals."""
    near = np.clip((_FAR - hits.distance) / (_FAR - _NEAR), 0, 1)
    alike = np.clip((hits.cosine - _APART) / (_ALIKE - _APART), 0, 1)
    return near * alike * hits.allowed


def _errors(target: Skin, distance: Array, sure: Array) -> dict[str, dict[str, float]]:
    """Per region of the target and over all: distances of the vertices that have a counterpart, and their share."""
    found = {}
    of = regions(target)
    for number, name in (*enumerate(REGIONS), (-1, "all")):
        inside = np.ones(len(of), bool) if number < 0 else of == number
        known = inside & (sure > 0)
        median, high = np.percentile(distance[known], [50, 95]) if known.any() else (0.0, 0.0)
        share = known.sum() / max(int(inside.sum()), 1)
        found[name] = {"median_mm": float(median), "p95_mm": float(high), "share": float(share)}
    return found


def _float(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
