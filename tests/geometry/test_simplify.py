"""Edge collapse: a closed surface stays closed, borders, seams and labels stay, and the shape stays."""

from __future__ import annotations

import numpy as np
import pytest
from plain_head import head_surface
from scipy.spatial import cKDTree

from faceuv.geometry.simplify import simplify


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return np.stack([u, 1 - v, np.zeros_like(u)], -1).reshape(-1, 3), faces


def area(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[column] for column in faces.T)
    return np.cross(b - a, c - a) / 2


def open_edges(faces: np.ndarray) -> set[tuple[int, int]]:
    edges = {(a, b) for f in faces.tolist() for a, b in zip(f, f[1:] + f[:1])}
    assert len(edges) == 3 * len(faces)  # no edge twice in one direction: the surface is still a surface
    return {(a, b) for a, b in edges if (b, a) not in edges}


def run(vertices, faces, targets, weld=None, labels=None, shapes=()):
    return simplify(
        np.stack([vertices, *shapes]),
        faces,
        targets,
        weld=np.arange(len(vertices)) if weld is None else weld,
        labels=np.zeros(len(faces), np.int64) if labels is None else labels,
    )


def test_a_plane_keeps_its_outline_and_area():
    vertices, faces = grid(15, 17)
    ((left, _),) = run(vertices, faces, [len(faces) // 6])
    assert len(left) <= len(faces) // 6 + 1
    areas = area(vertices, left)
    assert areas[:, 2].sum() == pytest.approx(1) and (areas[:, 2] > 0).all()
    corners = {0, 16, 14 * 17, 15 * 17 - 1}
    assert corners <= set(np.unique(left))
    open_edges(left)


def test_a_head_stays_where_it_was_and_levels_follow_each_other():
    surface, faces, _ = head_surface(45)
    vertices, faces = surface.numpy(), faces.numpy()
    levels = run(vertices, faces, [len(faces) // 2, len(faces) // 4, len(faces) // 8])
    away, before = [], set(range(len(vertices)))
    for (left, _), share in zip(levels, (2, 4, 8)):
        assert abs(len(left) - len(faces) / share) <= 2
        assert set(np.unique(left)) <= before  # each level is made of the one before
        before = set(np.unique(left))
        centres = vertices[left].mean(1)
        away.append(cKDTree(vertices[faces].mean(1)).query(centres)[0].mean())
        open_edges(left)
        normals = area(vertices, left)
        assert (normals[:, 2] > -1e-3).mean() > 0.97
    assert away[-1] < 0.03


def test_both_sides_of_a_seam_go_together():
    vertices, faces = grid(9, 9)
    cut = np.arange(9) * 9 + 4
    count = len(vertices)
    split = np.concatenate([vertices, vertices[cut]])
    right = (vertices[faces][..., 0].mean(1) > 0.5)[:, None]
    moved = faces.copy()
    for k, vertex in enumerate(cut):
        moved[(faces == vertex) & right] = count + k
    weld = np.concatenate([np.arange(count), cut])
    ((left, _),) = run(split, moved, [40], weld=weld)
    assert len(left) <= 41
    assert area(split, left)[:, 2].sum() == pytest.approx(1)  # no crack
    for face in left.tolist():  # no triangle reaches over the seam
        sides = {("right" if v >= count or split[v, 0] > 0.5 + 1e-9 else "left" if split[v, 0] < 0.5 - 1e-9 or v in cut
                  else "") for v in face}  # fmt: skip
        assert len(sides) == 1
    first = {int(weld[v]) for v in np.unique(left) if v >= count}
    assert first == {int(v) for v in np.unique(left) if v in cut}  # both copies stay or go


def test_borders_of_labels_stay():
    vertices, faces = grid(11, 11)
    labels = (vertices[faces][..., 0].mean(1) > 0.4).astype(np.int64)
    ((left, kept),) = run(vertices, faces, [50], labels=labels)
    for label, expected in ((0, 0.4), (1, 0.6)):
        assert area(vertices, left[kept == label])[:, 2].sum() == pytest.approx(expected)


def test_a_movement_is_kept_in_mind():
    """A fold that exists in another shape only keeps its vertices."""
    vertices, faces = grid(15, 15)
    folded = vertices.copy()
    folded[:, 2] = 0.3 * np.maximum(vertices[:, 0] - 0.5, 0)
    ((plain, _),) = run(vertices, faces, [30])
    ((aware, _),) = run(vertices, faces, [30], shapes=[folded])

    def error(left):
        centres = folded[left].mean(1)
        return np.abs(centres[:, 2] - 0.3 * np.maximum(centres[:, 0] - 0.5, 0)).max()

    assert error(aware) < 1e-9 < 0.01 < error(plain)
