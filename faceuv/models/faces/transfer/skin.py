"""The skin of a head model as one sheet: seams welded, eyes and the inside of the mouth left out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from faceuv.errors import InputError
from faceuv.models.faces.arrays import LANDMARKS
from faceuv.models.faces.base import FaceModel

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Closed curves through landmarks (iBUG order); each entry is an arc of consecutive landmarks.
ARCS: tuple[tuple[int, ...], ...] = (
    (36, 37, 38, 39), (39, 40, 41, 36),  # the eye on the viewer's left: upper lid, lower lid
    (42, 43, 44, 45), (45, 46, 47, 42),  # the other eye
    (60, 61, 62, 63, 64), (64, 65, 66, 67, 60),  # upper and lower lip, where they meet
)  # fmt: skip
LOOPS = ((0, 1), (2, 3), (4, 5))  # arcs that close a curve: two eyes, the mouth
_LIP_REACH = 0.12  # dm along the surface from an arc, within which a vertex belongs to its lid or lip
_CORNER = 0.04  # dm from a corner of an eye or of the mouth, where lids and lips meet


@dataclass(frozen=True, eq=False)
class Skin:
    """The opaque skin of a model's mean face.

    vertices (N, 3)  decimetres, the model's frame;  faces (F, 3)  into them
    model_face (F,)  the face of the model that each is;  of_vertex (V,)  the model's vertex → here, −1 off the skin
    landmarks (68,)  into vertices
    arcs             per entry of :data:`ARCS` and pair of landmarks in it, the vertices of the path between them
    labels (N,)      index of the lid or lip (of :data:`ARCS`) that a vertex belongs to, −1 elsewhere
    """

    vertices: Array
    faces: Indices
    model_face: Indices
    of_vertex: Indices
    landmarks: Indices
    arcs: tuple[tuple[Indices, ...], ...]
    labels: Indices

    @classmethod
    def of(cls, model: FaceModel) -> Skin:
        """From a face model with 68 landmarks; parts by name where it has them, else by curves through landmarks."""
        mean = model.mean.detach().cpu().double().numpy()
        faces = model.faces.cpu().numpy()
        landmarks = model.landmarks.cpu().numpy()
        if len(landmarks) != LANDMARKS or len(np.unique(landmarks)) < LANDMARKS // 2:
            raise InputError(
                f"a transfer needs a face model with {LANDMARKS} landmarks at vertices of their own, got"
                f" {len(np.unique(landmarks))} different ones in {type(model).__name__}"
            )
        weld = np.arange(len(mean)) if model.weld is None else model.weld.cpu().numpy()
        joined, welded_landmarks = weld[faces], weld[landmarks]
        if model.part is None:
            arcs = _arcs(_graph(mean, joined), mean, welded_landmarks)
            chosen = _outside(joined, arcs)
        else:
            chosen = model.faces_of("skin").cpu().numpy()
        chosen &= (joined[:, 0] != joined[:, 1]) & (joined[:, 1] != joined[:, 2]) & (joined[:, 2] != joined[:, 0])
        if not chosen.any():
            raise InputError(f"{type(model).__name__} has no faces of skin, so nothing can be registered to it")
        kept, compact = np.unique(joined[chosen], return_inverse=True)
        here = np.full(len(mean), -1, np.int64)
        here[kept] = np.arange(len(kept))
        vertices, compact = mean[kept], compact.reshape(-1, 3).astype(np.int64)
        points = here[welded_landmarks]
        lost = np.flatnonzero(points < 0)
        for k in lost:  # a landmark on another part: the nearest vertex of skin
            points[k] = np.linalg.norm(vertices - mean[landmarks[k]], axis=1).argmin()
        graph = _graph(vertices, compact)
        paths = _arcs(graph, vertices, points)
        return cls(
            vertices, compact, np.flatnonzero(chosen), here[weld], points, paths, _labels(graph, vertices, paths)
        )


def _graph(vertices: Array, faces: Indices) -> sparse.csr_matrix:
    """Edge lengths, symmetric."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.sort(edges, 1), axis=0)
    lengths = np.maximum(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), 1e-9)
    half = sparse.csr_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(vertices),) * 2)
    return half + half.T


def _arcs(graph: sparse.csr_matrix, vertices: Array, landmarks: Indices) -> tuple[tuple[Indices, ...], ...]:
    """Shortest paths along edges between consecutive landmarks of every arc; empty where there is none."""
    found = []
    for arc in ARCS:
        paths = []
        for first, last in pairwise(arc):
            start, end = int(landmarks[first]), int(landmarks[last])
            limit = 4 * float(np.linalg.norm(vertices[start] - vertices[end])) + 1e-6
            _, before = csgraph.dijkstra(graph, indices=start, limit=limit, return_predecessors=True)
            path = [end]
            while path[-1] != start and before[path[-1]] >= 0:
                path.append(int(before[path[-1]]))
            paths.append(np.array(path[::-1] if path[-1] == start else [], np.int64))
        found.append(tuple(paths))
    return tuple(found)


def _outside(faces: Indices, arcs: tuple[tuple[Indices, ...], ...]) -> NDArray[np.bool_]:
    """Faces that the curves around eyes and mouth do not cut off from the largest part of the mesh."""
    fence = {(min(a, b), max(a, b)) for arc in arcs for path in arc for a, b in pairwise(path.tolist())}
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(len(faces)), 3)
    count = int(faces.max()) + 1
    key = edges[:, 0] * count + edges[:, 1]
    walls = np.array([a * count + b for a, b in sorted(fence)], np.int64)
    order = np.argsort(key, kind="stable")
    key, owner = key[order], owner[order]
    shared = (key[1:] == key[:-1]) & ~np.isin(key[1:], walls)
    one, two = owner[:-1][shared], owner[1:][shared]
    links = sparse.coo_matrix((np.ones(len(one)), (one, two)), shape=(len(faces),) * 2)
    _, component = csgraph.connected_components(links, directed=False)
    cut = np.zeros(len(faces), bool)
    on_fence = np.unique([v for pair in fence for v in pair]).astype(np.int64)
    largest = np.bincount(component).argmax()
    touching = np.unique(component[np.isin(faces, on_fence).any(1)])
    cut |= np.isin(component, touching[touching != largest])
    return ~cut


def _labels(graph: sparse.csr_matrix, vertices: Array, arcs: tuple[tuple[Indices, ...], ...]) -> Indices:
    """The lid or lip of each vertex; vertices near the corners and far from all arcs have none."""
    labels = np.full(graph.shape[0], -1, np.int64)
    owner: dict[int, int] = {}
    corners: list[int] = []
    for number, arc in enumerate(arcs):
        for path in arc:
            owner.update(dict.fromkeys(path.tolist(), number))
        corners += [int(path[end]) for path, end in ((arc[0], 0), (arc[-1], -1)) if len(path)]
    if not owner:
        return labels
    starts = np.array(sorted(owner), np.int64)
    distance, _, source = csgraph.dijkstra(
        graph, indices=starts, limit=_LIP_REACH, min_only=True, return_predecessors=True
    )
    near = np.isfinite(distance) & (source >= 0)
    labels[near] = [owner[int(s)] for s in source[near]]
    for corner in corners:
        labels[np.linalg.norm(vertices - vertices[corner], axis=1) < _CORNER] = -1
    return labels
