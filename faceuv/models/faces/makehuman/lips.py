"""Lips that meet: MakeHuman's neutral mouth stands open by 1 to 3 mm, which shows tongue and teeth as a dashed line."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from faceuv.models.faces.makehuman.source import Array, BaseMesh

_REACH = 0.22  # dm along the skin that a lip gives way
_BLUR = 0.035  # dm along the rim
_TUCK = (0.0, 0.009, -0.012)  # dm: the lower lip's edge goes up behind the upper lip's, so that the line is clean


def closing(base: BaseMesh, mean: Array, rim: Array) -> tuple[sparse.csr_matrix, Array]:
    """What closes the mouth of any person at rest: a matrix ``(19158, 19158)`` and then an offset ``(19158, 3)``.

    Args:
        mean: ``(19158, 3)`` where the vertices of the average person are; it decides which vertices face each other.
        rim: the vertices of the edge between the lips' outside and their inside, a closed loop.
    """
    loop = _ordered(base.quads, rim)
    at = mean[loop]
    left, right = int(at[:, 0].argmin()), int(at[:, 0].argmax())
    first, second = sorted((left, right))
    chains = [loop[first : second + 1], np.r_[loop[second:], loop[: first + 1]]]
    count = len(mean)
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for own, other in (chains, chains[::-1]):
        order = np.argsort(mean[other, 0], kind="stable")
        other = other[order]
        across = mean[other, 0]
        for vertex in own[1:-1]:
            k = int(np.clip(np.searchsorted(across, mean[vertex, 0]), 1, len(other) - 1))
            span = max(across[k] - across[k - 1], 1e-9)
            t = float(np.clip((mean[vertex, 0] - across[k - 1]) / span, 0, 1))
            rows += [vertex] * 3
            columns += [int(other[k - 1]), int(other[k]), vertex]
            values += [0.5 * (1 - t), 0.5 * t, -0.5]
    steps = sparse.csr_matrix((values, (rows, columns)), shape=(count, count))
    lower = min(chains, key=lambda chain: mean[chain, 1].mean())[1:-1]
    tuck = np.zeros((count, 3))
    corner = np.abs(mean[lower, 0]) / mean[right, 0]
    tuck[lower] = np.array(_TUCK) * (1 - corner**6)[:, None]
    spread = _spread(base, mean, loop)
    return (sparse.identity(count) + spread @ steps).tocsr(), spread @ tuck


def _ordered(quads: Array, rim: Array) -> Array:
    """The vertices of a closed loop in order."""
    inside = np.zeros(int(quads.max()) + 1, bool)
    inside[rim] = True
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], 2).reshape(-1, 2)
    sides = np.unique(np.sort(sides[inside[sides].all(1)], axis=1), axis=0)
    neighbours: dict[int, list[int]] = {int(v): [] for v in rim}
    for a, b in sides.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    loop = [int(rim[0])]
    while len(loop) < len(rim):
        following = [v for v in neighbours[loop[-1]] if v not in loop]
        if not following:
            break
        loop.append(following[0])
    return np.array(loop)


def _spread(base: BaseMesh, mean: Array, rim: Array) -> sparse.csr_matrix:
    """How much of the rim's steps each vertex takes: all on the rim, less with the way along the surface."""
    quads = base.quads[base.groups == "body"]
    sides = np.concatenate([quads[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3))])
    near = (np.abs(mean[sides[:, 0]] - mean[rim].mean(0)) < 0.8).all(1)
    sides = np.unique(np.sort(sides[near], axis=1), axis=0)
    length = np.linalg.norm(mean[sides[:, 0]] - mean[sides[:, 1]], axis=1)
    graph = sparse.csr_matrix((length, (sides[:, 0], sides[:, 1])), shape=(len(mean), len(mean)))
    way = dijkstra(graph, directed=False, indices=rim, limit=_REACH + 3 * _BLUR)  # (R, 19158)
    nearest = way.min(0)
    moved = np.flatnonzero(nearest < _REACH)
    t = 1 - nearest[moved] / _REACH
    share = t * t * (3 - 2 * t)
    kernel = np.exp(-(((way[:, moved] - nearest[moved]) / _BLUR) ** 2))  # of the rim's vertices, the nearest is 1
    kernel = np.where(np.isfinite(kernel), kernel, 0.0)
    kernel *= share / kernel.sum(0)
    on_rim = np.searchsorted(moved, np.sort(rim))
    kernel[:, on_rim] = 0
    rows = np.r_[np.tile(moved, (len(rim), 1)).ravel(), rim]
    columns = np.r_[np.repeat(rim, len(moved)), rim]
    values = np.r_[kernel.ravel(), np.ones(len(rim))]
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(mean), len(mean)))
