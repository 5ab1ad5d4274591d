"""Closest points on a triangle mesh, exactly, among the faces around the nearest vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from faceuv.models.faces.transfer.skin import Array, Indices

_CHUNK = 1 << 15  # pairs of a point and a face at a time: what is computed of them stays in the processor's cache
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
        point, column = np.nonzero(candidates >= 0)
        faces = candidates[point, column]  # (N,): pads cost nothing
        corners = self.faces[faces].T
        a, b, c = (self.vertices.T[:, corners[k]] for k in range(3))  # (3, N): an operation runs over one axis' row
        spots = points.T[:, point]
        weights = _weights(spots, a, b, c)
        distance = np.sqrt(_dot(*[weights[0] * a + weights[1] * b + weights[2] * c - spots] * 2))
        cosine = _dot(self.normals.T[:, faces], normals.T[:, point])
        allowed = cosine > LEAST_COSINE
        if labels is not None and self.labels is not None:
            other, own = self.labels[faces], labels[point]
            allowed &= (other == own) | (other < 0) | (own < 0)
        any_allowed = np.bincount(point[allowed], minlength=len(points)) > 0
        cost = np.full(candidates.shape, np.inf)
        cost[point, column] = np.where(allowed | ~any_allowed[point], distance, np.inf)
        pair = np.zeros(candidates.shape, np.int64)
        pair[point, column] = np.arange(len(point))
        best = pair[np.arange(len(points)), cost.argmin(1)]
        return faces[best], weights[:, best].T, distance[best], cosine[best], any_allowed


def triangle_weights(p: Array, a: Array, b: Array, c: Array) -> Array:
    """Barycentric weights of the points of triangles closest to ``p``; all ``(…, 3)``."""
    return np.moveaxis(_weights(*(np.moveaxis(value, -1, 0) for value in np.broadcast_arrays(p, a, b, c))), 0, -1)


def _dot(a: Array, b: Array) -> Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]  # a sum over an axis of three is several times as slow


def _weights(p: Array, a: Array, b: Array, c: Array) -> Array:
    """:func:`triangle_weights` with the axes x, y, z, and those of the weights, in front: ``(3, …)``."""
    ab, ac, ap = b - a, c - a, p - a
    aa, cc, ac_ab = _dot(ab, ab), _dot(ac, ac), _dot(ab, ac)
    pb, pc = _dot(ap, ab), _dot(ap, ac)
    area = np.maximum(aa * cc - ac_ab * ac_ab, 1e-30)
    v, w = (cc * pb - ac_ab * pc) / area, (aa * pc - ac_ab * pb) / area
    u = 1 - v - w
    found = np.stack([u, v, w])
    outside = (u < 0) | (v < 0) | (w < 0)
    if outside.any():
        p, a, b, c, ab, ac, ap = (value[:, outside] for value in (p, a, b, c, ab, ac, ap))
        found[:, outside] = _on_sides(p - b, c - b, ab, ac, ap, *(value[outside] for value in (aa, cc, pb, pc)))
    return found


def _on_sides(bp: Array, bc: Array, ab: Array, ac: Array, ap: Array, aa: Array, cc: Array, pb: Array, pc: Array
) -> Array:  # fmt: skip
    """Weights ``(3, N)`` of the closest points on the sides: the best of the three."""
    along = [
        np.clip(pb / np.maximum(aa, 1e-30), 0, 1),
        np.clip(pc / np.maximum(cc, 1e-30), 0, 1),
        np.clip(_dot(bp, bc) / np.maximum(_dot(bc, bc), 1e-30), 0, 1),
    ]
    gaps = [ap - along[0] * ab, ap - along[1] * ac, bp - along[2] * bc]
    side = np.stack([_dot(gap, gap) for gap in gaps]).argmin(0)
    zero = np.zeros_like(pb)
    return np.stack(
        [
            np.choose(side, [1 - along[0], 1 - along[1], zero]),
            np.choose(side, [along[0], zero, 1 - along[2]]),
            np.choose(side, [zero, along[1], along[2]]),
        ]
    )


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
