"""What stands where the source has no counterpart: a smooth continuation along the target's surface.

Colours and offsets of K patches near the border of what is known are continued harmonically: every vertex takes a
mean of the patches with fixed weights, so that a batch of faces is filled by one product.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from faceuv.models.faces.transfer.registration import cotangents
from faceuv.models.faces.transfer.skin import Array, Indices, Skin

PATCHES = 48
_KNOWN = 0.95  # of the confidence, for a vertex that others are filled from
_BAND = (0.04, 0.22)  # dm from what is unknown: patches are gathered between
_LEAST = 1e-9


def fill_weights(skin: Skin, confidence: Array) -> tuple[Indices, Array]:
    """Patch of every vertex ``(N,)``, −1 for those in none, and weights ``(N, K)`` that sum to 1 over patches."""
    count = len(skin.vertices)
    stiffness, area = cotangents(skin.vertices, skin.faces)
    unknown = confidence < 0.5
    known = confidence > _KNOWN
    if not unknown.any() or not known.any():
        return np.full(count, 0 if known.any() else -1, np.int64), np.ones((count, 1))
    band = known & _between(skin, unknown)
    seeds = _spread(skin.vertices, np.flatnonzero(band if band.any() else known))
    patch = np.full(count, -1, np.int64)
    members = np.flatnonzero(band if band.any() else known)
    apart = np.linalg.norm(skin.vertices[members, None] - skin.vertices[seeds][None], axis=2)
    patch[members] = apart.argmin(1)
    weights = np.zeros((count, len(seeds)))
    weights[members, patch[members]] = 1
    free = patch < 0
    inner = stiffness[free][:, free] + sparse.diags(_LEAST * area[free])
    pull = -(stiffness[free][:, ~free] @ weights[~free])
    weights[free] = splu(
        inner.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    ).solve(pull)
    total = weights.sum(1, keepdims=True)
    alone = total[:, 0] < 0.5  # an island without a patch: the mean of all
    weights[alone] = 1 / len(seeds)
    return patch, weights / np.where(alone[:, None], 1, total)


def _between(skin: Skin, unknown: np.ndarray) -> np.ndarray:
    """Vertices in the band around what is unknown, by the distance along edges; lids and lips are no part of it."""
    edges = np.concatenate([skin.faces[:, [0, 1]], skin.faces[:, [1, 2]], skin.faces[:, [2, 0]]])
    lengths = np.linalg.norm(skin.vertices[edges[:, 0]] - skin.vertices[edges[:, 1]], axis=1)
    order = np.unique(np.sort(edges, 1), axis=0, return_index=True)[1]
    edges, lengths = edges[order], np.maximum(lengths[order], 1e-9)
    graph = sparse.coo_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(unknown),) * 2).tocsr()
    away = csgraph.dijkstra(graph, directed=False, indices=np.flatnonzero(unknown), limit=_BAND[1], min_only=True)
    return np.isfinite(away) & (away >= _BAND[0]) & (skin.labels < 0)


def _spread(vertices: Array, among: Indices) -> Indices:
    """Up to :data:`PATCHES` of these vertices, each far from the others."""
    chosen = [int(among[0])]
    apart = np.linalg.norm(vertices[among] - vertices[chosen[0]], axis=1)
    while len(chosen) < min(PATCHES, len(among)) and apart.max() > 1e-6:
        chosen.append(int(among[apart.argmax()]))
        apart = np.minimum(apart, np.linalg.norm(vertices[among] - vertices[chosen[-1]], axis=1))
    return np.array(chosen, np.int64)
