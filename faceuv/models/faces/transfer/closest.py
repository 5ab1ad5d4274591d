"""Closest points on a triangle mesh, exactly, among the faces around the nearest vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from faceuv.models.faces.transfer.skin import Array, Indices

_CHUNK = 1 << 20  # pairs of a point and a face at a time
LEAST_COSINE = 0.35  # between the normals of a point and of the surface that it may lie on


@dataclass(frozen=True, eq=False)
class Hits:
    """For each of P points: the face ``(P,)``, barycentric weights ``(P, 3)``, the distance ``(P,)``, the cosine
    between normals ``(P,)``; ``allowed (P,)`` is False where no face passes the checks and the nearest one stands."""

    face: Indices
    weights: Array
    distance: Array
    cosine: Array
    allowed: np.ndarray


class Surface:
    """A mesh that is asked for closest points."""

    def __init__(self, vertices: Array, faces: Indices, labels: Indices | None = None) -> None:
        self.vertices, self.faces = vertices, faces
        self.labels = None if labels is None else _face_labels(labels, faces)
        self.tree = cKDTree(vertices)
        self.rings = _rings(faces, len(vertices))
        self.normals = face_normals(vertices, faces)

    def closest(self, points: Array, normals: Array, labels: Indices | None = None, *, nearest: int = 4) -> Hits:
        """The closest allowed point of the surface: its normal agrees with the point's, and the point does not lie on
        another lid or lip. ``nearest`` vertices are looked around."""
        count, valence = len(points), self.rings.shape[1]
        step = max(1, _CHUNK // (nearest * valence))
        parts = [
            self._closest(
                points[k : k + step], normals[k : k + step], None if labels is None else labels[k : k + step], nearest
            )
            for k in range(0, count, step)
        ]
        return Hits(*(np.concatenate([part[i] for part in parts]) for i in range(5)))

    def _closest(self, points: Array, normals: Array, labels: Indices | None, nearest: int) -> tuple[np.ndarray, ...]:
        _, near = self.tree.query(points, k=nearest)
        candidates = self.rings[near.reshape(len(points), -1)].reshape(len(points), -1)  # (P, C), −1 pads
        known = candidates >= 0
        faces = np.where(known, candidates, 0)
        a, b, c = (self.vertices[self.faces[faces, k]] for k in range(3))
        weights = triangle_weights(points[:, None], a, b, c)
        spots = weights[..., :1] * a + weights[..., 1:2] * b + weights[..., 2:] * c
        distance = np.linalg.norm(spots - points[:, None], axis=2)
        distance[~known] = np.inf
        cosine = (self.normals[faces] * normals[:, None]).sum(2)
        allowed = known & (cosine > LEAST_COSINE)
        if labels is not None and self.labels is not None:
            other = self.labels[faces]
            allowed &= (other == labels[:, None]) | (other < 0) | (labels[:, None] < 0)
        any_allowed = allowed.any(1)
        best = np.where(allowed | ~any_allowed[:, None], distance, np.inf).argmin(1)
        row = np.arange(len(points))
        return faces[row, best], weights[row, best], distance[row, best], cosine[row, best], any_allowed


def triangle_weights(p: Array, a: Array, b: Array, c: Array) -> Array:
    """Barycentric weights of the points of triangles closest to ``p``; all ``(…, 3)``."""
    ab, ac, ap = b - a, c - a, p - a
    aa, cc, ac_ab = (ab * ab).sum(-1), (ac * ac).sum(-1), (ab * ac).sum(-1)
    pb, pc = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = np.maximum(aa * cc - ac_ab * ac_ab, 1e-30)
    v, w = (cc * pb - ac_ab * pc) / area, (aa * pc - ac_ab * pb) / area
    u = 1 - v - w
    inside = (u >= 0) & (v >= 0) & (w >= 0)
    # Otherwise the closest point lies on a side: the best of the three.
    bc, bp = c - b, p - b
    along = [
        np.clip(pb / np.maximum(aa, 1e-30), 0, 1),
        np.clip(pc / np.maximum(cc, 1e-30), 0, 1),
        np.clip((bp * bc).sum(-1) / np.maximum((bc * bc).sum(-1), 1e-30), 0, 1),
    ]
    gaps = np.stack(
        [
            ((ap - along[0][..., None] * ab) ** 2).sum(-1),
            ((ap - along[1][..., None] * ac) ** 2).sum(-1),
            ((bp - along[2][..., None] * bc) ** 2).sum(-1),
        ]
    )
    side = gaps.argmin(0)
    zero = np.zeros_like(u)
    on_side = np.stack(
        [
            np.choose(side, [1 - along[0], 1 - along[1], zero]),
            np.choose(side, [along[0], zero, 1 - along[2]]),
            np.choose(side, [zero, along[1], along[2]]),
        ],
        -1,
    )
    return np.where(inside[..., None], np.stack([u, v, w], -1), on_side)


def face_normals(vertices: Array, faces: Indices) -> Array:
    """Unit normals ``(F, 3)``, zero for faces without area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    raw = np.cross(b - a, c - a)
    return raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)


def vertex_normals(vertices: Array, faces: Indices) -> Array:
    """Unit normals ``(N, 3)``, weighted by area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    raw = np.cross(b - a, c - a)
    total = np.stack([np.bincount(faces.reshape(-1), np.repeat(raw[:, k], 3), len(vertices)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _rings(faces: Indices, count: int) -> Indices:
    """The faces around each vertex ``(N, valence)``, padded with −1."""
    corner = faces.reshape(-1)
    order = np.argsort(corner, kind="stable")
    sizes = np.bincount(corner, minlength=count)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rings = np.full((count, max(int(sizes.max()), 1)), -1, np.int64)
    rank = np.arange(len(corner)) - np.repeat(first, sizes)
    rings[corner[order], rank] = order // 3
    return rings


def _face_labels(labels: Indices, faces: Indices) -> Indices:
    """The label that all three corners share, −1 for the others."""
    of = labels[faces]
    return np.where((of[:, 0] == of[:, 1]) & (of[:, 1] == of[:, 2]), of[:, 0], -1)
