"""Polygons whose points are linear in MakeHuman's vertices: Catmull–Clark subdivision and the cut at the shoulders.

Every step keeps a sparse matrix from MakeHuman's vertices to the points, so that whatever is linear in the former
(people, movements) follows without more work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

Array = np.ndarray
_SNAP = 0.3  # a vertex nearer to the border than this part of an edge moves onto it: no slivers


@dataclass(frozen=True)
class Cage:
    """Polygons over points that are ``points @ vertices``."""

    points: sparse.csr_matrix  # (N, 19158), rows sum to 1
    polygons: Array  # (P, 4) points; -1 as fourth corner of a triangle
    uv: Array  # (U, 2)
    uv_polygons: Array  # (P, 4) texture coordinates, -1 as above
    part: Array  # (P,)

    def compact(self) -> Cage:
        """Without points and texture coordinates that no polygon has."""
        used, polygons = _renumbered(self.polygons)
        used_uv, uv_polygons = _renumbered(self.uv_polygons)
        return Cage(self.points[used], polygons, self.uv[used_uv], uv_polygons, self.part)

    def of(self, keep: Array) -> Cage:
        """The polygons where ``keep`` is true."""
        return Cage(self.points, self.polygons[keep], self.uv, self.uv_polygons[keep], self.part[keep]).compact()


def _renumbered(table: Array) -> tuple[Array, Array]:
    used = np.unique(table[table >= 0])
    lookup = np.full(int(used[-1]) + 2, -1)
    lookup[used] = np.arange(len(used))
    return used, np.where(table >= 0, lookup[table], -1)


def joined(cages: list[Cage]) -> Cage:
    """One cage of several."""
    point = uv = 0
    polygons, uv_polygons = [], []
    for cage in cages:
        polygons.append(np.where(cage.polygons >= 0, cage.polygons + point, -1))
        uv_polygons.append(np.where(cage.uv_polygons >= 0, cage.uv_polygons + uv, -1))
        point, uv = point + cage.points.shape[0], uv + len(cage.uv)
    return Cage(
        sparse.vstack([cage.points for cage in cages]).tocsr(),
        np.concatenate(polygons),
        np.concatenate([cage.uv for cage in cages]),
        np.concatenate(uv_polygons),
        np.concatenate([cage.part for cage in cages]),
    )


def _edges(quads: Array) -> tuple[Array, Array]:
    """The edges ``(E, 2)`` of quads, and the edge of each side ``(P, 4)`` (from corner k to k + 1)."""
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    edges, of_side = np.unique(np.sort(sides, axis=1), axis=0, return_inverse=True)
    return edges, of_side.reshape(quads.shape)


def _averages(table: Array, columns: int) -> sparse.csr_matrix:
    """The matrix whose row is the mean of the columns that a row of ``table`` lists."""
    rows = np.repeat(np.arange(len(table)), table.shape[1])
    weight = np.full(table.size, 1 / table.shape[1])
    return sparse.csr_matrix((weight, (rows, table.ravel())), shape=(len(table), columns))


def _scaled(values: Array, matrix: sparse.spmatrix) -> sparse.csr_matrix:
    return (sparse.diags(values) @ matrix).tocsr()


def subdivided(cage: Cage) -> Cage:
    """One step of Catmull–Clark over a cage of quads; texture coordinates are halved linearly."""
    quads, count = cage.polygons, cage.points.shape[0]
    edges, side = _edges(quads)
    face_points = _averages(quads, count)
    middles = _averages(edges, count)
    per_edge = np.bincount(side.ravel(), minlength=len(edges))
    face_of_side = np.repeat(np.arange(len(quads)), 4)
    ones = np.ones(side.size)
    edge_faces = sparse.csr_matrix((ones, (side.ravel(), face_of_side)), shape=(len(edges), len(quads)))
    inner = per_edge == 2
    smooth = 0.5 * middles + _scaled(0.5 / per_edge, edge_faces @ face_points)
    edge_points = _scaled(inner.astype(float), smooth) + _scaled((~inner).astype(float), middles)

    vertex_faces = sparse.csr_matrix((ones, (quads.ravel(), face_of_side)), shape=(count, len(quads)))
    ends = sparse.csr_matrix(
        (np.ones(edges.size), (edges.ravel(), np.repeat(np.arange(len(edges)), 2))), shape=(count, len(edges))
    )
    valence = np.maximum(np.asarray(ends.sum(1)).ravel(), 1)
    faces_around = np.maximum(np.asarray(vertex_faces.sum(1)).ravel(), 1)
    identity = sparse.identity(count, format="csr")
    inside = (
        _scaled(1 / (faces_around * valence), vertex_faces @ face_points)
        + _scaled(2 / valence**2, ends @ middles)
        + _scaled((valence - 3) / valence, identity)
    )
    border_ends = ends @ sparse.diags((~inner).astype(float))
    at_border = np.asarray(border_ends.sum(1)).ravel()
    along = 0.5 * identity + _scaled(0.5 / np.maximum(at_border, 1), border_ends @ middles)
    on_border = at_border > 0
    vertex_points = _scaled((~on_border).astype(float), inside) + _scaled(on_border.astype(float), along)

    points = sparse.vstack([vertex_points, edge_points, face_points]).tocsr() @ cage.points
    uv_edges, uv_side = _edges(cage.uv_polygons)
    uv = np.concatenate([cage.uv, cage.uv[uv_edges].mean(1), cage.uv[cage.uv_polygons].mean(1)])
    return Cage(
        points.tocsr(),
        _children(quads, side, count, len(edges)),
        uv,
        _children(cage.uv_polygons, uv_side, len(cage.uv), len(uv_edges)),
        np.repeat(cage.part, 4),
    )


def _children(quads: Array, side: Array, points: int, edges: int) -> Array:
    """The four quads of each quad: corner, middle of the side after it, centre, middle of the side before it."""
    centre = points + edges + np.arange(len(quads))
    small = [np.stack([quads[:, k], points + side[:, k], centre, points + side[:, k - 1]], 1) for k in range(4)]
    return np.stack(small, axis=1).reshape(-1, 4)


def cut(cage: Cage, inside: Array) -> Cage:
    """The part of a cage of quads where ``inside (N,)``, a smooth function of the points, is not negative.

    The border runs along the zero line of the function: vertices near it move onto it, quads that it crosses are
    clipped. The points of the border are linear in the points of the cage too.
    """
    quads, value = cage.polygons, inside.astype(float).copy()
    edges, _ = _edges(quads)
    crossing = edges[value[edges[:, 0]] * value[edges[:, 1]] < 0]
    both = np.concatenate([crossing, crossing[:, ::-1]])
    at = value[both[:, 0]] / (value[both[:, 0]] - value[both[:, 1]])
    near = at < _SNAP
    order = np.argsort(-at[near], kind="stable")  # the nearest crossing of a vertex is written last
    moved, towards, share = both[near][order, 0], both[near][order, 1], at[near][order]
    step = np.zeros(len(value))
    other = np.arange(len(value))
    step[moved], other[moved] = share, towards
    points = (_scaled(1 - step, cage.points) + _scaled(step, cage.points[other])).tocsr()
    uv = _moved_uv(cage, step, other)
    value[moved] = 0.0

    extra: dict[tuple[int, int], int] = {}
    rows: list[tuple[int, int, float]] = []
    uv_extra: dict[tuple[int, int], int] = {}
    uv_rows: list[Array] = []
    polygons, uv_polygons, part = [], [], []
    signs = np.sign(value[quads])
    whole = (signs >= 0).all(1) & (signs > 0).any(1)
    for index in np.flatnonzero((signs > 0).any(1) & (signs < 0).any(1)):
        corners: list[int] = []
        uv_corners: list[int] = []
        for k in range(4):
            a, b = (int(i) for i in quads[index, [k, (k + 1) % 4]])
            ua, ub = (int(i) for i in cage.uv_polygons[index, [k, (k + 1) % 4]])
            if value[a] >= 0:
                corners.append(a)
                uv_corners.append(ua)
            if value[a] * value[b] < 0:
                low, high = min(a, b), max(a, b)
                t = value[low] / (value[low] - value[high])
                if (low, high) not in extra:
                    extra[low, high] = len(value) + len(rows)
                    rows.append((low, high, t))
                key = (min(ua, ub), max(ua, ub))
                if key not in uv_extra:
                    uv_extra[key] = len(uv) + len(uv_rows)
                    ul, uh = (ua, ub) if a == low else (ub, ua)
                    uv_rows.append((1 - t) * uv[ul] + t * uv[uh])
                corners.append(extra[low, high])
                uv_corners.append(uv_extra[key])
        for pick in _pieces(len(corners)):
            polygons.append([corners[i] if i >= 0 else -1 for i in pick])
            uv_polygons.append([uv_corners[i] if i >= 0 else -1 for i in pick])
            part.append(cage.part[index])
    if rows:
        table = np.array(rows)
        share, ends = table[:, 2], table[:, :2].astype(np.int64)
        between = _scaled(1 - share, points[ends[:, 0]]) + _scaled(share, points[ends[:, 1]])
        points = sparse.vstack([points, between]).tocsr()
        uv = np.concatenate([uv, np.stack(uv_rows)])
    made = np.array(polygons, np.int64).reshape(-1, 4)
    made_uv = np.array(uv_polygons, np.int64).reshape(-1, 4)
    return Cage(
        points,
        np.concatenate([quads[whole], made]),
        uv,
        np.concatenate([cage.uv_polygons[whole], made_uv]),
        np.concatenate([cage.part[whole], np.array(part, dtype=cage.part.dtype)]),
    ).compact()


def _pieces(corners: int) -> list[list[int]]:
    """A clipped polygon as quads and triangles (-1 as fourth corner)."""
    return {3: [[0, 1, 2, -1]], 4: [[0, 1, 2, 3]], 5: [[0, 1, 2, 3], [0, 3, 4, -1]]}.get(corners, [])


def _moved_uv(cage: Cage, step: Array, other: Array) -> Array:
    """Texture coordinates of points that moved by ``step`` along the edge to ``other``."""
    uv = cage.uv.copy()
    for k in range(4):
        for neighbour in (1, 3):
            a, b = cage.polygons[:, k], cage.polygons[:, (k + neighbour) % 4]
            hit = (step[a] > 0) & (other[a] == b)
            ua, ub = cage.uv_polygons[hit, k], cage.uv_polygons[hit, (k + neighbour) % 4]
            t = step[a[hit]][:, None]
            uv[ua] = (1 - t) * cage.uv[ua] + t * cage.uv[ub]
    return uv
