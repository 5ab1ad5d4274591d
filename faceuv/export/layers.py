"""What lies over the opaque surface of a head: lashes as cards with strands, shadow under the lids, clear shells.

Lashes and the shadow are laid out by distance from the skin, so that they need no picture of the face model: roots lie
on the lid, tips away from it.
"""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import numpy as np

from faceuv.export.parts import Part, part_material
from faceuv.models.faces.base import FaceModel

STRANDS, SHADOW = ("lashes", "brows"), "eye_occlusion"
_TILE = 0.05  # decimetres of a card that one picture of strands covers
_SHADOW = 0.015  # decimetres from the lid at which the shadow has faded to a third
_DARKEST = 0.55


def layer_look(model: FaceModel, part: str, faces: np.ndarray, name: str) -> Part:
    """The layer ``part`` with the triangles ``faces (G, 3)`` and its material."""
    known = _KNOWN.setdefault(model, {})
    if part in STRANDS:
        if part not in known:
            known[part] = _along(model, faces)
        return Part(part, faces, part_material(part, name=name, picture=strands()), uv=known[part], layer=True)
    if part == SHADOW and part not in known:
        known[part] = _shade(model, faces)
    return Part(part, faces, part_material(part, name=name), colours=known.get(part), layer=True)


_KNOWN: WeakKeyDictionary[FaceModel, dict[str, np.ndarray]] = WeakKeyDictionary()


def _shade(model: FaceModel, faces: np.ndarray) -> np.ndarray:
    """``(V, 4)``: opacity that fades with the distance from the lids."""
    rows = np.unique(faces)
    colours = np.ones((len(model.mean), 4), np.float32)
    colours[rows, 3] = _DARKEST * np.exp(-_distance(model, rows) / _SHADOW)
    return colours


def _distance(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Decimetres from each of ``vertices`` to the nearest vertex of the skin, on the mean head."""
    from scipy.spatial import cKDTree

    assert model.part is not None  # of a whole head
    mean, names = model.mean.cpu().numpy(), model.metadata["parts"]
    skin = np.unique(model.faces.cpu().numpy()[model.part.cpu().numpy() == names.index("skin")])
    return cKDTree(mean[skin]).query(mean[vertices])[0]


def _along(model: FaceModel, faces: np.ndarray) -> np.ndarray:
    """Texture coordinates ``(V, 2)`` of cards: u along the lid, v from the tip (0) to the root (1)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    mean = model.mean.cpu().numpy()
    used, corners = np.unique(faces, return_inverse=True)
    corners = corners.reshape(-1, 3)
    pairs = (np.concatenate([corners[:, 0], corners[:, 1]]), np.concatenate([corners[:, 1], corners[:, 2]]))
    _, card = connected_components(coo_matrix((np.ones(len(pairs[0])), pairs), (len(used), len(used))), directed=False)
    away = _distance(model, used)
    lowest, highest = np.full(card.max() + 1, np.inf), np.zeros(card.max() + 1)
    np.minimum.at(lowest, card, away)
    np.maximum.at(highest, card, away)
    uv = np.zeros((len(mean), 2), np.float32)
    uv[used, 0] = mean[used, 0] / _TILE
    uv[used, 1] = 1 - (away - lowest[card]) / np.maximum(highest[card] - lowest[card], 1e-6)
    return uv


@cache
def strands(size: int = 256, count: int = 18) -> np.ndarray:
    """Lashes ``(4, size, size)`` RGBA, roots at the bottom, that continue at the sides: fine dark hairs in loose groups
    that bend together, and grow thin and pale towards their tips. What lies between them has their colour, so that no
    mip-map shows a rim."""
    centres = (np.arange(size) + 0.5) / size
    height = 1 - centres[:, None]  # 0 at the root
    across = centres[None]
    opacity = np.zeros((size, size))
    for k in range(count):
        wander, luck = (np.sin(seed * (k + 1)) * 43758.5453 % 1.0 for seed in (12.9898, 78.233))  # the same every time
        length = 0.45 + 0.5 * wander
        group = (k // 3 * 3 + 1.5) / count  # three by three their tips meet
        root = (k + 0.5 + 0.7 * (luck - 0.5)) / count
        along = np.clip(height / length, 0, 1)
        middle = root + 0.45 * (group - root) * along**1.5 + 0.05 * (wander - 0.4) * along**2
        away = np.abs((across - middle + 0.5) % 1.0 - 0.5)
        width = (0.008 + 0.004 * luck) * (1 - along) ** 0.6
        hair = np.clip((width - away) * size + 0.5, 0, 1) * (height < length) * (1 - 0.6 * along**2)
        opacity = np.maximum(opacity, hair)
    opacity *= np.clip(height / 0.04, 0, 1)  # no hard line where the card meets the lid
    colour = np.full((3, size, size), 1.0) * np.array([0.055, 0.04, 0.035])[:, None, None]
    return np.concatenate([colour, opacity[None]]).astype(np.float32)
