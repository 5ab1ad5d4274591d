"""Where each hair style would be seen around a fitted head.

The points of all styles on the mean head take a second or two to grow. They are the same for all people of a head model
and are kept in the user's cache.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from faceuv.geometry.boxes import box_max
from faceuv.geometry.projection import pose, project
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair import STYLES, Hair, hair_mesh
from faceuv.models.faces.hair.stored import stored
from faceuv.structures import Camera

SIDE = 96
"""Pixels of the frame in which hair is looked for."""
_POINTS = 0.3  # density of the hair whose points make the masks
_BEHIND = 0.06  # dm: hair this far behind the skin is hidden by it


@dataclass(frozen=True, eq=False)
class _Places:
    """Points of all styles on the mean head ``(N, 3)``, the style of each, and the vertex that it follows."""

    points: Tensor
    style: Tensor
    vertex: Tensor


_KNOWN: WeakKeyDictionary[FaceModel, _Places] = WeakKeyDictionary()


def style_masks(
    model: FaceModel, identity: Tensor, rotation: Tensor, translation: Tensor, camera: Camera, depth: Tensor
) -> Tensor:
    """``(K, S, S)`` in [0, 1]: where each style is seen on this head."""
    places = _places(model)
    rest = torch.zeros(1, model.layout.expression).to(identity)
    moved = places.points + (model.shape(identity, rest)[0] - model.mean)[places.vertex]
    pixels = project(pose(moved[None], rotation, translation), camera, SIDE, SIDE)[0]
    column, row = pixels[:, 0].long(), pixels[:, 1].long()
    inside = (pixels[:, 0] >= 0) & (column < SIDE) & (pixels[:, 1] >= 0) & (row < SIDE)
    place = row.clamp(0, SIDE - 1) * SIDE + column.clamp(0, SIDE - 1)
    seen = inside & (pixels[:, 2] < depth.flatten()[place] + _BEHIND)
    count = torch.zeros(len(STYLES) * SIDE * SIDE).to(identity)
    count.index_add_(0, (places.style * SIDE * SIDE + place)[seen], torch.ones_like(count[:1]).expand(int(seen.sum())))
    dots = (count.view(len(STYLES), 1, SIDE, SIDE) > 0).to(identity)
    return -box_max(-box_max(dots, 5), 5)[:, 0]  # the dots of one lock are some pixels apart


def _places(model: FaceModel) -> _Places:
    found = _KNOWN.get(model)
    if found is None or found.points.device != model.mean.device:
        name = f"points_{_recipe()}"
        kept = stored(model, name, lambda: _grown(model), lambda tensors: _sound(tensors, len(model.mean)))
        points, style, vertex = (kept[name].to(model.mean.device) for name in ("points", "style", "vertex"))
        found = _KNOWN[model] = _Places(points, style.long(), vertex.long())
    return found


def _grown(model: FaceModel) -> dict[str, Tensor]:
    """The points, the style and the vertex of each."""
    mean = torch.zeros(1, model.layout.identity).to(model.mean)
    parts, styles = [], []
    for k, name in enumerate(STYLES):
        made = hair_mesh(model, mean, Hair(name, density=_POINTS))
        corners = torch.from_numpy(made.vertices).view(len(made.level), -1, 2, 3)
        # tips are thin: half of the last piece is hardly seen
        tips = (corners[:, -1:] + corners[:, -2:-1]) / 2
        lines = torch.cat([corners[:, :-1], tips], 1).flatten(0, 1)
        parts += [lines.mean(1), lines[:, 0], lines[:, 1]]
        styles.append(torch.full((3 * len(lines),), k, dtype=torch.uint8))
    points = torch.cat(parts)
    _, vertex = cKDTree(model.mean.cpu().numpy()).query(points.numpy())
    return {"points": points, "style": torch.cat(styles), "vertex": torch.from_numpy(vertex.astype(np.int32))}


@cache
def _recipe() -> str:
    """A hash of the source of this module, which places the points."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]


def _sound(tensors: dict[str, Tensor], vertices: int) -> bool:
    points, style, vertex = tensors["points"], tensors["style"], tensors["vertex"]
    return bool(
        points.ndim == 2 and points.shape[1] == 3 and style.shape == vertex.shape == points.shape[:1]
        and points.dtype == torch.float32 and style.dtype == torch.uint8 and vertex.dtype == torch.int32
        and len(points) and int(style.max()) < len(STYLES) and 0 <= int(vertex.min()) and int(vertex.max()) < vertices
        and points.isfinite().all()
    )  # fmt: skip
