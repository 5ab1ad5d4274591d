"""Morph targets of a mesh file: how the normals turn when the vertices move.

A target moves few faces or many; only the faces that it moves are computed again. All sums are over the faces around a
surface point, so that both sides of a uv seam turn alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faceuv.export.mesh_file import MeshFile, in_metres

STILL = 1e-4  # decimetres: what moves less than a hundredth of a millimetre does not move
_STEADY = 5e-4  # of a unit normal: a turn of a thirtieth of a degree is not stored
_NO_AREA = 1e-12  # decimetres²: sheets with two sides cancel up to rounding


@dataclass(frozen=True, eq=False)
class SurfaceNormals:
    """Sums of area vectors at each surface point of a mesh at rest, from which moved normals follow.

    Planes lie one after the other, x, y, z: numpy gathers numbers faster than rows of three.

    planes (3, V)   the vertices, float64;  corners (3, F)  the faces
    points (3, F)   the surface points of the corners;  weld (V,)
    areas (3, F)    area vectors;  sums (3, V)  summed at surface points
    unit (V, 3)     the normals, +z where a point has no area
    """

    planes: np.ndarray
    corners: np.ndarray
    points: np.ndarray
    weld: np.ndarray
    areas: np.ndarray
    sums: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray, weld: np.ndarray | None = None) -> SurfaceNormals:
        """Of ``vertices (V, 3)`` and ``faces (F, 3)``, in float64."""
        planes, corners = np.ascontiguousarray(vertices.T, np.float64), np.ascontiguousarray(faces.T)
        weld = np.arange(len(vertices)) if weld is None else weld
        points, areas = weld[corners], _areas(planes, corners)
        sums = _summed(areas, points, len(vertices))
        return cls(planes, corners, points, weld, areas, sums, _unit(sums)[:, weld].T)

    def moved(self, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The vertices whose normal turns when ``offsets (V, 3)`` are added: numbers ``(K,)``, changes ``(K, 3)``."""
        moves = beyond(offsets, STILL)
        a, b, c = self.corners
        faces = np.flatnonzero(moves[a] | moves[b] | moves[c])
        if not len(faces):
            return np.zeros(0, np.int64), np.zeros((0, 3))
        change = _areas(self.planes + offsets.T, self.corners[:, faces]) - self.areas[:, faces]
        points = self.points[:, faces]
        reached = np.zeros(len(self.weld), bool)
        reached[points] = True
        around = np.flatnonzero(reached)
        turned = np.zeros_like(self.planes)
        sums = _summed(change, points, len(self.weld))[:, around] + self.sums[:, around]
        turned[:, around] = _unit(sums) - self.unit[around].T
        rows = np.flatnonzero(reached[self.weld])
        changes = turned[:, self.weld[rows]].T
        seen = beyond(changes, _STEADY)
        return rows[seen], changes[seen]


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


def _areas(planes: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Area vectors ``(3, F)`` of faces with ``corners (3, F)`` among ``planes (3, V)``."""
    ax, ay, az = (plane[corners[0]] for plane in planes)
    ux, uy, uz = (plane[corners[1]] - start for plane, start in zip(planes, (ax, ay, az)))
    vx, vy, vz = (plane[corners[2]] - start for plane, start in zip(planes, (ax, ay, az)))
    return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])


def _summed(values: np.ndarray, points: np.ndarray, count: int) -> np.ndarray:
    """Values of faces ``(3, F)`` added at their three ``points (3, F)`` → ``(3, count)``."""
    index = points.reshape(-1)
    return np.stack([np.bincount(index, np.tile(axis, 3), minlength=count) for axis in values])


def _unit(sums: np.ndarray) -> np.ndarray:
    x, y, z = sums
    length = np.sqrt(x * x + y * y + z * z)
    return np.where(length > _NO_AREA, sums / np.maximum(length, _NO_AREA), [[0.0], [0.0], [1.0]])
