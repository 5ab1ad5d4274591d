"""What lies around a face: the head beyond an open shell, and points that follow a person's identity."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.procedural import head as sculpture
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.build import MM_PER_DM, ORIGIN
from faceuv.models.faces.procedural.sdf import Array, Points

_NEIGHBOURS = 12


def plain_head(p: Points) -> Array:
    """Signed distance, mm, to a head without features or ears."""
    q = Anatomy()
    d = sculpture.cranium(p, q)
    for part in (sculpture.middle_face, sculpture.jaw, sculpture.temples, sculpture.neck):
        d = part(d, p, q)
    return d


def march(origin: Array, direction: Array, start: float, steps: int = 60) -> Array:
    """Distances along rays ``(…, 3)`` to the outermost skin of :func:`plain_head`."""
    radius = np.full(origin.shape[:-1], start)
    for _ in range(steps):
        x, y, z = np.moveaxis(origin + radius[..., None] * direction, -1, 0)
        radius -= 0.85 * plain_head(Points(np.abs(x), y, z))
    return radius


def crossings(
    origin: Array, direction: Array, a: Array, ab: Array, ac: Array, *, slack: float
) -> tuple[Array, Array, Array]:
    """Of rays and triangles ``(N, 3)``, one ray with all or each with its own: the distance ``(N,)``, 0 without a
    crossing, and the shares of the second and the third corner, which may be short of 0 by ``slack``."""
    h = np.cross(direction, ac)
    det = (ab * h).sum(1)
    scale = 1 / np.where(np.abs(det) < 1e-12, np.inf, det)
    from_a = origin - a
    u = (from_a * h).sum(1) * scale
    q = np.cross(from_a, ab)
    v = (q * direction).sum(1) * scale
    t = (ac * q).sum(1) * scale
    inside = (u >= -slack) & (v >= -slack) & (u + v <= 1 + slack) & (np.abs(det) >= 1e-12)
    return np.where(inside, t, 0), u, v


def is_procedural(model: FaceModel) -> bool:
    """Whether the chart of a model is the grid of the procedural face."""
    return "rows" in model.metadata


def head_frame(model: FaceModel) -> Array:
    """The mean surface ``(V, 3)`` in mm, head frame."""
    found: Array = model.mean.cpu().numpy().astype(np.float64) * MM_PER_DM - np.array(ORIGIN)
    return found


class Follower(nn.Module):
    """Moves points with a face's identity: each takes the weighted mean of its nearest vertices' offsets."""

    def __init__(self, model: FaceModel, points: Array) -> None:
        from scipy.spatial import cKDTree

        super().__init__()
        mean = head_frame(model)
        distance, index = cKDTree(mean).query(points, k=_NEIGHBOURS)
        weight = 1 / (distance + 6.0) ** 2
        weight = weight / weight.sum(1, keepdims=True) * np.exp(-((distance.min(1) / 110.0) ** 2))[:, None]
        basis = model.identity_basis.cpu()[torch.from_numpy(index.reshape(-1))].unflatten(0, index.shape)
        moved = (basis * torch.tensor(weight, dtype=basis.dtype)[..., None, None]).sum(1)
        self.register_buffer("rest", to_object(points))
        self.register_buffer("basis", moved.flatten(0, 1).T.contiguous())

    rest: Tensor
    basis: Tensor

    def forward(self, identity: Tensor) -> Tensor:
        """``(B, N, 3)`` in decimetres, object frame."""
        return self.rest + (identity @ self.basis).unflatten(1, (-1, 3))


def to_object(points: Array) -> Tensor:
    """Millimetres in the head frame → decimetres in the object frame."""
    return torch.tensor((points + np.array(ORIGIN)) / MM_PER_DM, dtype=torch.float32)
