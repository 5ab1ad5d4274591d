"""Morph targets of a mesh file: how the normals turn when the vertices move.

A target moves few faces or many; only the faces that it moves are computed again. All sums are over the faces around a
surface point, so that both sides of a uv seam turn alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faceuv.export.mesh_file import MeshFile, in_metres

STILL = 1e-5  # decimetres: what moves less than a micrometre does not move
_STEADY = 5e-4  # of a unit normal: a turn of a thirtieth of a degree is not stored
_NO_AREA = 1e-12  # decimetres²: sheets with two sides cancel up to rounding


@dataclass(frozen=True, eq=False)
class SurfaceNormals:
    """Sums of area vectors at each surface point of a mesh at rest, from which moved normals follow.

    vertices (V, 3) and faces (F, 3) as given; points (F, 3)  the surface point of each corner; weld (V,)
    sums (V, 3)   area vectors summed at surface points;  unit (V, 3)  the normals, +z where a point has no area
    """

    vertices: np.ndarray
    faces: np.ndarray
    weld: np.ndarray
    sums: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray, weld: np.ndarray | None = None) -> SurfaceNormals:
        """Of ``vertices (V, 3)`` and ``faces (F, 3)``, in float64."""
        points = vertices.astype(np.float64)
        weld = np.arange(len(points)) if weld is None else weld
        sums = _summed(_areas(points, faces), weld[faces], len(points))
        return cls(points, faces, weld, sums, _unit(sums)[weld])

    def moved(self, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The vertices whose normal turns when ``offsets (V, 3)`` are added: numbers ``(K,)``, changes ``(K, 3)``."""
        moves = beyond(offsets, STILL)
        a, b, c = self.faces.T
        faces = self.faces[moves[a] | moves[b] | moves[c]]
        if not len(faces):
            return np.zeros(0, np.int64), np.zeros((0, 3))
        change = _areas(self.vertices + offsets, faces) - _areas(self.vertices, faces)
        corners = self.weld[faces]
        reached = np.zeros(len(self.vertices), bool)
        reached[corners] = True
        around = np.flatnonzero(reached)
        local = np.zeros(len(self.vertices), np.int64)
        local[around] = np.arange(len(around))
        sums = self.sums[around] + _summed(change, local[corners], len(around))
        turned = np.zeros((len(self.vertices), 3))
        turned[around] = _unit(sums) - self.unit[around]
        turned = turned[self.weld]
        rows = np.flatnonzero(beyond(turned, _STEADY))
        return rows, turned[rows]


@dataclass(frozen=True, eq=False)
class TargetMove:
    """Where one morph target moves and turns the mesh.

    moved (K,), offsets (K, 3)  numbers of vertices, and metres
    turned (L,), turns (L, 3)   numbers of vertices, and changes of the normal
    """

    moved: np.ndarray
    offsets: np.ndarray
    turned: np.ndarray
    turns: np.ndarray


def target_moves(mesh: MeshFile) -> Iterator[TargetMove]:
    """The morph targets of a mesh in order. Normals are part of them: without those a smile would keep the resting
    face's shading."""
    if not mesh.morph_targets:
        return
    normals = SurfaceNormals.of(mesh.vertices, mesh.shading_faces, mesh.weld)
    for offsets in mesh.morph_targets.values():
        moved = np.flatnonzero(beyond(offsets, STILL))
        yield TargetMove(moved, in_metres(offsets[moved]), *normals.moved(offsets))


def beyond(rows: np.ndarray, limit: float) -> np.ndarray:
    """Which rows ``(N, 3)`` have an entry farther than ``limit`` from zero."""
    far = np.abs(rows) > limit
    return far[:, 0] | far[:, 1] | far[:, 2]


def _areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area vectors ``(F, 3)``."""
    a, b, c = (points[column] for column in faces.T)
    return np.cross(b - a, c - a)


def _summed(values: np.ndarray, corners: np.ndarray, count: int) -> np.ndarray:
    """Values of faces ``(F, 3)`` added at their three corners → ``(count, 3)``."""
    index = corners.T.reshape(-1)
    return np.stack([np.bincount(index, np.tile(axis, 3), minlength=count) for axis in values.T], 1)


def _unit(sums: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(length > _NO_AREA, sums / np.maximum(length, _NO_AREA), [0.0, 0.0, 1.0])
