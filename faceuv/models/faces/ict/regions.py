"""Which part each published polygon belongs to, and which polygons are transparent layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.transform import Rotation

from faceuv.models.faces.ict.folder import Published

Integers = NDArray[np.int64]

# First and last polygon of each part, as the repository's README lists them; the eye sockets are skin, the tongue is
# the island of the gums' texture that lies between the teeth.
_RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "skin": ((0, 11143), (13226, 14033)),
    "inner_mouth": ((11144, 13225),),
    "gums": ((14034, 16571),),
    "tongue": ((16572, 17005),),
    "teeth": ((17006, 21495),),
    "sclera_left": ((21496, 22295),),
    "iris_left": ((22296, 23093),),
    "sclera_right": ((23094, 23893),),
    "iris_right": ((23894, 24691),),
    "lacrimal": ((24692, 25017),),
    "eye_blend": ((25018, 25047),),
    "eye_occlusion": ((25048, 25303),),
    "lashes": ((25304, 26383),),
}
LAYERS = ("cornea_left", "cornea_right", "lacrimal", "eye_blend", "eye_occlusion", "lashes")
FACE = slice(0, 9409)  # vertices: the face without the back of the head, the neck and the sockets
HEAD_AND_NECK = slice(0, 11248)
EYEBALLS = {"left": slice(21451, 23021), "right": slice(23021, 24591)}
SCLERAS = {"left": slice(21451, 22221), "right": slice(23021, 23791)}
_LIMBUS_RING = 8  # the ring of vertices about the pole of the eyeball where the cornea begins


@dataclass(frozen=True)
class Regions:
    """``part (P,)`` as an index into ``names``; ``layer (P,)`` bool: transparent."""

    names: tuple[str, ...]
    part: Integers
    layer: NDArray[np.bool_]

    def of(self, *names: str) -> NDArray[np.bool_]:
        """``(P,)``: the polygons of these parts."""
        return np.isin(self.part, [self.names.index(name) for name in names])


def regions(published: Published) -> Regions:
    """The parts of the published polygons.

    The eyeball is a closed shell with an iris inside: the shell's front becomes ``cornea``, so that the iris shows.
    """
    names = (*_RANGES, "cornea_left", "cornea_right")
    part = np.full(len(published.corners), -1, np.int64)
    for name, ranges in _RANGES.items():
        for first, last in ranges:
            part[first : last + 1] = names.index(name)
    for side in ("left", "right"):
        shell = part == names.index(f"sclera_{side}")
        pole = int(published.corners[shell, 0, 0][np.argmin(_from_middle(published)[shell, 0])])
        ring = _rings(published.corners[shell][..., 0], pole)
        part[np.flatnonzero(shell)[ring.max(1) <= _LIMBUS_RING]] = names.index(f"cornea_{side}")
    layer = np.isin(part, [names.index(name) for name in LAYERS])
    return Regions(names, part, layer)


def _from_middle(published: Published) -> NDArray[np.float64]:
    """``(P, 4)``: how far each corner lies from the middle of its tile, which is the pupil in those of eyes."""
    return np.linalg.norm(np.mod(published.texture[published.corners[..., 1]], 1) - 0.5, axis=2)


def _rings(polygons: Integers, pole: int) -> Integers:
    """``(P, 4)``: the number of edges between each corner of polygons ``(P, 4)`` and the vertex ``pole``."""
    last = np.where(polygons[:, 3:] >= 0, polygons[:, 3:], polygons[:, 2:3])
    loop = np.concatenate([polygons[:, :3], last], 1)
    ends = np.stack([loop, np.roll(loop, -1, 1)], 2).reshape(-1, 2)
    size = int(polygons.max()) + 1
    edges = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    return shortest_path(edges.tocsr(), directed=False, unweighted=True, indices=pole)[loop].astype(np.int64)


def sphere_centre(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(3,)``: of the sphere nearest to ``points (N, 3)``."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    return np.linalg.lstsq(system, np.square(points).sum(1), rcond=None)[0][:3]


def looking_ahead(published: Published) -> Published:
    """With eyeballs turned about their middles until both look straight ahead: as published they part by 6° a side, and
    no one seems to look at the camera."""
    vertices, identity, expression = (a.copy() for a in (published.vertices, published.identity, published.expression))
    for side, ball in EYEBALLS.items():
        shell = vertices[SCLERAS[side]].astype(np.float64)
        middle = sphere_centre(shell)
        gaze = shell[np.argmax(np.linalg.norm(shell - middle, axis=1))] - middle  # the cornea bulges
        turn, _ = Rotation.align_vectors([[0, 0, 1]], [gaze / np.linalg.norm(gaze)])
        matrix = turn.as_matrix().T
        vertices[ball] = (vertices[ball] - middle) @ matrix + middle
        identity[:, ball], expression[:, ball] = identity[:, ball] @ matrix, expression[:, ball] @ matrix
    return replace(published, vertices=vertices, identity=identity, expression=expression)
