"""Template registration: landmarks → similarity → thin-plate warp → rounds of closest points with a smooth field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import RBFInterpolator
from scipy.sparse.linalg import splu

from faceuv.models.faces.transfer.closest import Surface, vertex_normals
from faceuv.models.faces.transfer.skin import Array, Indices, Skin

INNER = np.arange(17, 68)  # landmarks of brows, nose, eyes and mouth; those of the jaw depend on the view
# Per round: the length (dm) below which the field is smooth, how far a counterpart may lie (dm), weight of landmarks.
SCHEDULE: tuple[tuple[float, float, float], ...] = (
    (0.60, 0.50, 1.0), (0.45, 0.45, 1.0), (0.34, 0.40, 0.8), (0.26, 0.34, 0.6), (0.20, 0.30, 0.5), (0.15, 0.26, 0.4),
    (0.115, 0.22, 0.3), (0.085, 0.20, 0.2), (0.065, 0.18, 0.1), (0.05, 0.15, 0.05), (0.04, 0.12, 0.03),
    (0.032, 0.10, 0.02), (0.026, 0.08, 0.0), (0.022, 0.08, 0.0),
)  # fmt: skip
_ARC_POINTS = 9  # per pair of landmarks along lids and lips
_ARC_WEIGHT = 1.0
_LANDMARK_AREA = 0.02  # dm²: a landmark counts as this much surface
_UNIT_SCALES = (0.8, 1.25)  # both models are in decimetres: a scale outside is one of units, one inside is of people
_LEAST_COTANGENT = 0.02
# Landmarks that mean one point of anatomy keep this weight: tip of the nose, its base, corners of eyes and mouth, lips.
_KEPT = np.zeros(68)
_KEPT[[30, 31, 33, 35, 36, 39, 42, 45, 48, 54, 50, 51, 52, 57]] = 0.3
_TOLERANCE, _STEPS = 0.003, 60  # of the conjugate gradients


@dataclass(frozen=True, eq=False)
class Similarity:
    """``p ↦ scale · rotation @ p + offset``."""

    scale: float
    rotation: Array  # (3, 3)
    offset: Array  # (3,)

    def __call__(self, points: Array) -> Array:
        return self.scale * points @ self.rotation.T + self.offset

    def inverse(self) -> Similarity:
        rotation = self.rotation.T
        return Similarity(1 / self.scale, rotation, -(rotation @ self.offset) / self.scale)


def similarity(points: Array, goals: Array) -> Similarity:
    """The least-squares one that takes ``points (P, 3)`` to ``goals``; without scale where both have one unit."""
    middle, goal = points.mean(0), goals.mean(0)
    u, s, vt = np.linalg.svd((points - middle).T @ (goals - goal))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign @ vt).T
    scale = float((s * sign).sum() / ((points - middle) ** 2).sum())
    if _UNIT_SCALES[0] <= scale <= _UNIT_SCALES[1]:
        scale = 1.0
    return Similarity(scale, rotation, goal - scale * rotation @ middle)


def register(moving: Skin, fixed: Skin, progress: Callable[[float], None] = lambda part: None) -> Array:
    """The vertices of ``moving`` laid on ``fixed``: ``(N, 3)`` in the frame of ``fixed``."""
    placed = similarity(moving.vertices[moving.landmarks[INNER]], fixed.vertices[fixed.landmarks[INNER]])
    start = placed(moving.vertices)
    goals = fixed.vertices[fixed.landmarks]
    warp = _thin_plate(start[moving.landmarks[INNER]], goals[INNER])
    start = start + warp(start)
    surface = Surface(fixed.vertices, fixed.faces, fixed.labels)
    smooth = Smoother(start, moving.faces)
    area = smooth.area
    arc_index, arc_goal = _arc_goals(moving, fixed)
    field = np.zeros_like(start)
    for number, (length, reach, pull) in enumerate(SCHEDULE):
        progress(number / len(SCHEDULE))
        now = start + field
        normals = vertex_normals(now, moving.faces)
        hits = surface.closest(now, normals, moving.labels)
        spot = (fixed.vertices[fixed.faces[hits.face]] * hits.weights[..., None]).sum(1)
        sure = hits.allowed & (hits.distance < reach) & ~_beyond(hits.weights, hits.face, surface, now, spot)
        data = area * sure * np.clip(hits.cosine, 0, 1)
        right = data[:, None] * (spot - start)
        marks = moving.landmarks[INNER]
        hold = np.maximum(pull, _KEPT[INNER]) * _LANDMARK_AREA
        np.add.at(data, marks, hold)
        np.add.at(right, marks, hold[:, None] * (goals[INNER] - start[marks]))
        np.add.at(data, arc_index, _ARC_WEIGHT * _LANDMARK_AREA)
        np.add.at(right, arc_index, _ARC_WEIGHT * _LANDMARK_AREA * (arc_goal - start[arc_index]))
        field = smooth.solve(data, right, length, field)
    progress(1.0)
    return start + field


def _thin_plate(points: Array, goals: Array) -> RBFInterpolator:
    """The smooth field that takes points to goals; landmarks at one place count once. φ(r) = r is the thin plate of
    three dimensions; with a constant it stays bounded far from the landmarks, where an affine one shears the skull."""
    _, first = np.unique(np.round(points, 4), axis=0, return_index=True)
    first.sort()
    return RBFInterpolator(points[first], (goals - points)[first], kernel="linear", degree=0, smoothing=1e-3)


class Smoother:
    """Fields over a mesh that follow data where there are any, and are smooth below a length.

    ``(W + ℓ⁴ S M⁻¹ S) x = W d`` with the stiffness S of cotangents and the areas M: the squared Laplacian is small. It
    is solved by conjugate gradients; ``(M + ℓ² S) M⁻¹ (M + ℓ² S)``, whose factors are thin, is the preconditioner.
    """

    def __init__(self, vertices: Array, faces: Indices) -> None:
        self.stiffness, self.area = cotangents(vertices, faces)

    def solve(self, data: Array, right: Array, length: float, start: Array) -> Array:
        """For ``data (N,)``, W's diagonal, and ``right (N, 3)`` = W d; ``start (N, 3)`` is a first guess."""
        stiffness, area = self.stiffness, self.area[:, None]
        weight = (data + 1e-6 * self.area)[:, None]
        half = splu(
            (sparse.diags(self.area) + length**2 * stiffness).tocsc(),
            permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True},
        )  # fmt: skip

        def system(x: Array) -> Array:
            return weight * x + length**4 * (stiffness @ ((stiffness @ x) / area))

        x, r = start, right - system(start)
        z = half.solve(area * half.solve(r))
        direction, power = z, (r * z).sum(0)
        enough = _TOLERANCE**2 * max(float((right * half.solve(area * half.solve(right))).sum()), 1e-30)
        for self.steps in range(_STEPS):
            if power.sum() <= enough:
                break
            moved = system(direction)
            step = power / np.maximum((direction * moved).sum(0), 1e-300)
            x, r = x + step * direction, r - step * moved
            z = half.solve(area * half.solve(r))
            power, before = (r * z).sum(0), power
            direction = z + power / np.maximum(before, 1e-300) * direction
        return x


def cotangents(vertices: Array, faces: Indices) -> tuple[sparse.csr_matrix, Array]:
    """The stiffness matrix ``(N, N)`` and the areas ``(N,)``."""
    count, rows, columns, values = len(vertices), [], [], []
    for k in range(3):
        i, j, apex = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        u, v = vertices[i] - vertices[apex], vertices[j] - vertices[apex]
        twice = np.maximum(np.linalg.norm(np.cross(u, v), axis=1), 1e-12)
        cot = np.clip((u * v).sum(1) / twice, _LEAST_COTANGENT, 1 / _LEAST_COTANGENT) / 2
        rows += [i, j]
        columns += [j, i]
        values += [-cot, -cot]
    off = sparse.coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count))
    off = off.tocsr()
    stiffness = off - sparse.diags(np.asarray(off.sum(1)).ravel())
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    size = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    area = np.bincount(faces.reshape(-1), np.repeat(size, 3), count)
    return stiffness, np.maximum(area, 1e-3 * np.median(area))


def _arc_goals(moving: Skin, fixed: Skin) -> tuple[Indices, Array]:
    """Vertices along the moving lids and lips, and the points of the fixed ones at the same part of the way."""
    index, goals = [], []
    for mine, other in zip(moving.arcs, fixed.arcs):
        for path, way in zip(mine, other):
            if len(path) < 2 or len(way) < 2:
                continue
            at, there = _fractions(moving.vertices[path]), _fractions(fixed.vertices[way])
            line = fixed.vertices[way]
            index.append(path)
            goals.append(np.stack([np.interp(at, there, line[:, k]) for k in range(3)], 1))
    if not index:
        return np.zeros(0, np.int64), np.zeros((0, 3))
    return np.concatenate(index), np.concatenate(goals)


def _fractions(line: Array) -> Array:
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return lengths / max(lengths[-1], 1e-12)


def _beyond(weights: Array, face: Indices, surface: Surface, points: Array, spots: Array) -> np.ndarray:
    """Whether a closest point lies on an open border of the surface, so that the point has no counterpart: what goes
    to it leaves sideways."""
    gap = points - spots
    distance = np.linalg.norm(gap, axis=1)
    along = np.abs((gap * surface.normals[face]).sum(1)) / np.maximum(distance, 1e-9)
    return (weights.min(1) < 1e-6) & (along < 0.5) & (distance > 0.02)
