"""Coarser meshes by quadric edge collapse: which vertices of a mesh stay, and the triangles between them.

A vertex is only ever moved onto a neighbour, so that what stays is a subset of the vertices as they are: positions,
texture coordinates, morph targets, skin weights and materials of the coarse mesh are rows of the fine one's. Cost is
the sum of squared distances to the planes of the faces (Garland and Heckbert), here over several shapes of the mesh, so
that lids and lips that close keep their form. Many collapses that do not touch each other are done at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BORDER = 10.0  # weight of the planes that hold a border in place
_FLIP = 0.2  # cosine between a face's normal before and after a collapse
_FLAT = 1e-3  # of its longest edge squared: a face with less area is a sliver
_SHARE = 0.15  # of the open edges that one round looks at, cheapest first
_ROUNDS = 400


@dataclass(eq=False)
class _Mesh:
    """The mesh as it shrinks.

    shapes (S, P, 3)  places of the surface points; quadrics (S, P, 10) upper triangles of the planes' sums
    faces (F, 3)      vertices (with seams); weld (V,) vertex → point; labels (F,) that no collapse may mix
    """

    shapes: np.ndarray
    quadrics: np.ndarray
    faces: np.ndarray
    weld: np.ndarray
    labels: np.ndarray


def simplify(
    shapes: np.ndarray,
    faces: np.ndarray,
    targets: list[int],
    *,
    weld: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Triangles ``(F', 3)`` and their labels at each of the ``targets``, falling numbers of triangles.

    Args:
        shapes: ``(S, V, 3)``, the vertices in S shapes; the first is the one at rest.
        faces: ``(F, 3)``; labels: ``(F,)``, for instance their parts: borders between labels stay.
        weights: ``(V,)``, how much an error counts there; 1 if absent.
        weld: ``(V,)``, the first copy of each surface point: both sides of a uv seam collapse together.
    """
    mesh = _Mesh(shapes.astype(np.float64), np.zeros(0), faces.copy(), weld, labels.copy())
    mesh.quadrics = _quadrics(mesh)
    if weights is not None:
        mesh.quadrics *= weights[:, None]
    found = []
    for target in targets:
        for _ in range(_ROUNDS):
            if len(mesh.faces) <= target or not _round(mesh, target):
                break
        found.append((mesh.faces.copy(), mesh.labels.copy()))
    return found


def _quadrics(mesh: _Mesh) -> np.ndarray:
    """Sums of the planes around each point, weighted by area; borders add planes that stand on the surface."""
    points = mesh.weld[mesh.faces]
    edges, border = _edges(points, mesh.labels)
    total = np.zeros((*mesh.shapes.shape[:2], 10))
    for sums, places in zip(total, mesh.shapes):
        a, b, c = (places[column] for column in points.T)
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1, keepdims=True)
        normal = normal / np.maximum(area, 1e-20)
        planes = _outer(normal, -(normal * a).sum(1)) * area
        for column in points.T:
            _add(sums, column, planes)
        # A border edge belongs to one face here: the plane through the edge, upright on that face.
        start, end, face = edges[border, 0], edges[border, 1], edges[border, 2]
        along = places[end] - places[start]
        upright = np.cross(along, normal[face])
        length = np.linalg.norm(upright, axis=1, keepdims=True)
        upright = upright / np.maximum(length, 1e-20)
        planes = _BORDER * _outer(upright, -(upright * places[start]).sum(1)) * (along**2).sum(1, keepdims=True)
        _add(sums, start, planes)
        _add(sums, end, planes)
    return total


def _outer(normal: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The ten numbers of plane · planeᵀ."""
    plane = np.concatenate([normal, offset[:, None]], 1)
    rows, columns = np.triu_indices(4)
    return plane[:, rows] * plane[:, columns]


def _add(sums: np.ndarray, index: np.ndarray, values: np.ndarray) -> None:
    for k in range(values.shape[1]):
        sums[:, k] += np.bincount(index, values[:, k], minlength=len(sums))


def _error(quadric: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Squared distances ``(M,)`` of places ``(M, 3)`` by quadrics ``(M, 10)``."""
    x, y, z = (np.ascontiguousarray(axis) for axis in place.T)
    q = np.ascontiguousarray(quadric.T)
    return (
        q[0] * x * x + 2 * q[1] * x * y + 2 * q[2] * x * z + 2 * q[3] * x
        + q[4] * y * y + 2 * q[5] * y * z + 2 * q[6] * y
        + q[7] * z * z + 2 * q[8] * z + q[9]
    )  # fmt: skip


def _edges(points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges of all faces ``(3F, 3)``: start, end, face; and which lie on a border: of the mesh, or between
    two labels."""
    count = len(points)
    start = np.concatenate([points[:, 0], points[:, 1], points[:, 2]])
    end = np.concatenate([points[:, 1], points[:, 2], points[:, 0]])
    face = np.tile(np.arange(count), 3)
    size = int(points.max()) + 1
    low, high = np.minimum(start, end), np.maximum(start, end)
    _, which, uses = np.unique(low * size + high, return_inverse=True, return_counts=True)
    first = np.full(len(uses), -1)
    first[which] = labels[face]
    mixed = np.zeros(len(uses), bool)
    np.logical_or.at(mixed, which, labels[face] != first[which])
    return np.stack([start, end, face], 1), (mixed | (uses != 2))[which]


def _round(mesh: _Mesh, target: int) -> bool:
    """Collapse some edges that do not touch each other; whether there were any."""
    points = mesh.weld[mesh.faces]
    edges, border = _edges(points, mesh.labels)
    moves = _allowed(mesh, points, edges, border)
    if not len(moves):
        return False
    cost = sum(_error(q[moves[:, 0]], places[moves[:, 1]]) for q, places in zip(mesh.quadrics, mesh.shapes))
    length = np.linalg.norm(mesh.shapes[0][moves[:, 0]] - mesh.shapes[0][moves[:, 1]], axis=1)
    cost = np.maximum(cost, 0) + 1e-9 * length  # of equals the short one
    order = np.argsort(cost, kind="stable")
    while len(order):
        cheap = order[: max(int(_SHARE * len(order)), 8)]
        chosen = _apart(moves[cheap], points, mesh.shapes.shape[1])
        picked = moves[cheap[chosen]]
        picked = picked[_sound(mesh, points, picked)]
        if len(picked):
            _collapse(mesh, picked[: max((len(mesh.faces) - target + 1) // 2, 1)])
            return True
        order = order[len(cheap) :]
    return False


def _allowed(mesh: _Mesh, points: np.ndarray, edges: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Moves ``(M, 2)`` of a point onto a neighbour, along a border for points on one, along a seam for points on a
    seam, and never of a point where several of them meet."""
    size = mesh.shapes.shape[1]
    pairs = np.concatenate([edges[:, :2], edges[:, 1::-1]])
    on_border = np.concatenate([border, border])
    key, first = np.unique(pairs[:, 0] * size + pairs[:, 1], return_index=True)
    start, end = key // size, key % size
    along = on_border[first]
    degree = np.bincount(start[along], minlength=size)
    # Copies of each point, and copies that have an edge to a copy of the neighbour.
    used = np.zeros(size, bool)
    used[mesh.faces] = True
    copies = np.bincount(mesh.weld[used], minlength=size)
    corner = mesh.faces
    one, other = corner.T.reshape(-1), corner[:, [1, 2, 0]].T.reshape(-1)
    between = _distinct(np.concatenate([one * size + other, other * size + one]))
    vertex, points_of = between // size, mesh.weld[between // size] * size + mesh.weld[between % size]
    place = np.searchsorted(key, points_of)
    links = np.bincount(place, minlength=len(key))
    starts = np.bincount(_distinct(place * size + vertex) // size, minlength=len(key))
    whole = (links == copies[start]) & (starts == copies[start])
    fits = np.where(degree[start] == 0, True, (degree[start] == 2) & along)
    keep = whole & fits
    return np.stack([start[keep], end[keep]], 1)


def _apart(moves: np.ndarray, points: np.ndarray, size: int) -> np.ndarray:
    """Which of ``moves``, cheapest first, are the cheapest of all that touch a face around them."""
    rank = np.full(size, len(moves))
    number = np.arange(len(moves))
    np.minimum.at(rank, moves[:, 0], number)
    np.minimum.at(rank, moves[:, 1], number)
    ring = rank.copy()
    lowest = rank[points].min(1)
    for column in points.T:
        np.minimum.at(ring, column, lowest)
    return np.flatnonzero((ring[moves[:, 0]] == number) & (ring[moves[:, 1]] >= number))


def _sound(mesh: _Mesh, points: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Which of ``moves`` keep the surface a surface, and turn no face over in any shape."""
    from scipy.sparse import csr_matrix

    size = mesh.shapes.shape[1]
    onto = np.full(size, -1)
    onto[moves[:, 0]] = moves[:, 1]
    number = np.full(size, -1)
    number[moves[:, 0]] = np.arange(len(moves))
    face, corner = np.nonzero(onto[points] >= 0)
    moved = points[face, corner]
    stays = (points[face] != onto[moved][:, None]).all(1)
    face, corner, moved = face[stays], corner[stays], moved[stays]
    changed = points[face].copy()
    changed[np.arange(len(face)), corner] = onto[moved]
    good = np.ones(len(moves), bool)
    for places in mesh.shapes:
        before, after = _areas(places, points[face]), _areas(places, changed)
        before_length, after_length = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
        cosine = (before * after).sum(1) / np.maximum(before_length * after_length, 1e-20)
        longest = np.square(places[changed] - places[np.roll(changed, 1, 1)]).sum(2).max(1)
        # A face that has hardly any area in this shape, such as a folded lid, says nothing about turning over.
        told = before_length > _FLAT * longest
        bad = told & ((cosine < _FLIP) | (after_length < _FLAT * longest))
        good[number[moved[bad]]] = False
    # The link condition: the two ends share the two corners opposite the edge (one on a border), and no more.
    start = np.concatenate([points[:, 0], points[:, 1], points[:, 2]])
    end = np.concatenate([points[:, 1], points[:, 2], points[:, 0]])
    ones = np.ones(2 * len(start), np.int32)
    rows, columns = np.concatenate([start, end]), np.concatenate([end, start])
    near = csr_matrix((ones, (rows, columns)), (size, size))
    near.data[:] = 1
    shared = np.asarray(near[moves[:, 0]].multiply(near[moves[:, 1]]).sum(1)).reshape(-1)
    opposite = np.zeros(len(moves), np.int64)
    face, corner = np.nonzero(onto[points] >= 0)
    touches = (points[face] == onto[points[face, corner]][:, None]).any(1)
    np.add.at(opposite, number[points[face, corner][touches]], 1)
    return good & (shared == opposite)


def _distinct(keys: np.ndarray) -> np.ndarray:
    """Sorted and without repetitions; several times as fast as ``np.unique`` on large arrays of whole numbers."""
    keys = np.sort(keys)
    return keys[np.concatenate([[True], keys[1:] != keys[:-1]])]


def _areas(places: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (places[column] for column in faces.T)
    return np.cross(b - a, c - a)


def _collapse(mesh: _Mesh, moves: np.ndarray) -> None:
    """Do moves that do not touch each other: every copy of the first point goes onto its copy of the second."""
    size = mesh.shapes.shape[1]
    onto = np.arange(size)
    onto[moves[:, 0]] = moves[:, 1]
    corner = mesh.faces
    edges = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    start, end = mesh.weld[edges[:, 0]], mesh.weld[edges[:, 1]]
    wanted = (onto[start] == end) & (onto[start] != start)
    vertex = np.arange(len(mesh.weld))
    vertex[edges[wanted, 0]] = edges[wanted, 1]
    mesh.faces = vertex[mesh.faces]
    mesh.quadrics[:, moves[:, 1]] += mesh.quadrics[:, moves[:, 0]]
    points = mesh.weld[mesh.faces]
    a, b, c = points.T
    kept = (a != b) & (b != c) & (c != a)
    mesh.faces, mesh.labels = mesh.faces[kept], mesh.labels[kept]
