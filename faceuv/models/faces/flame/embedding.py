"""The 68 landmarks of FLAME from its landmark embeddings: points in triangles, taken to their nearest vertices.

``flame_static_embedding.pkl`` has the 51 points inside the face; ``flame_dynamic_embedding.npy`` has the 17 of the
jaw for each degree of yaw, because the outline slides over a head that turns; DECA's ``landmark_embedding.npy`` has
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceuv.errors import AssetError, InputError
from faceuv.models.faces.flame.reading import Array, FlameFile, numbers, read_values

_INNER, _JAW, _ALL = 51, 17, 68
_EXPECTED = "landmark embedding of FLAME"
_SUM = 1e-2
_HELP = (
    "flame_static_embedding.pkl and flame_dynamic_embedding.npy (of FLAME_PyTorch), or landmark_embedding.npy (of DECA)"
)


@dataclass(frozen=True)
class Landmarks:
    """``vertices (68,)`` in the iBUG order, ``contour (17, K)`` candidates of the jaw's points, the first of each being
    the landmark, and how far the vertices lie from the embedded points at most, mm."""

    vertices: NDArray[np.int64]
    contour: NDArray[np.int64]
    error: float


def read_landmarks(paths: Sequence[str | Path], flame: FlameFile) -> Landmarks:
    """The landmarks of one or more embedding files."""
    if not paths:
        raise InputError(f"FLAME's landmarks lie in files of their own: give {_HELP}")
    inner: tuple[NDArray[np.int64], float] | None = None
    jaw: tuple[NDArray[np.int64], float] | None = None
    for path in map(Path, paths):
        data = read_values(path, _EXPECTED)
        found = False
        for faces_key, weights_key in (
            ("lmk_face_idx", "lmk_b_coords"),
            ("static_lmk_faces_idx", "static_lmk_bary_coords"),
            ("dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords"),
        ):
            if faces_key not in data or weights_key not in data:
                continue
            faces = numbers(path, faces_key, data[faces_key])
            weights = numbers(path, weights_key, data[weights_key])
            if faces.ndim == 1 and len(faces) == _INNER:
                inner, found = _nearest(path, faces, weights, flame), True
            elif faces.ndim == 2 and faces.shape[1] == _JAW:
                jaw, found = _nearest(path, faces, weights, flame), True
            else:
                raise AssetError(
                    f"{path}: {faces_key} must be ({_INNER},) or (views, {_JAW}), got {faces.shape}; expected {_HELP}"
                )
        if not found:
            raise AssetError(f"{path}: no embedded landmarks; found {', '.join(sorted(data))[:120]}; expected {_HELP}")
    if inner is None or jaw is None:
        lacking = "51 points inside the face" if inner is None else "17 points of the jaw"
        raise InputError(f"these files lack the {lacking}: give {_HELP}")
    views = jaw[0]
    lines = [list(dict.fromkeys(views[:, k].tolist())) for k in range(_JAW)]
    longest = max(map(len, lines))
    contour = np.array([line + line[:1] * (longest - len(line)) for line in lines], np.int64)
    return Landmarks(np.concatenate([views[0], inner[0]]), contour, max(inner[1], jaw[1]))


def _nearest(path: Path, faces: Array, weights: Array, flame: FlameFile) -> tuple[NDArray[np.int64], float]:
    """The corner with the largest weight of each point, and the largest distance from the point itself, mm."""
    index = faces.astype(np.int64)
    if weights.shape != (*faces.shape, 3) or np.abs(weights.sum(-1) - 1).max() > _SUM:
        raise AssetError(f"{path}: each landmark needs three weights that sum to 1, got shape {weights.shape}")
    if index.min() < 0 or index.max() >= len(flame.faces):
        raise AssetError(f"{path}: a landmark lies in triangle {index.max()}, the model has {len(flame.faces)}")
    corners = flame.faces[index]
    chosen = np.take_along_axis(corners, weights.argmax(-1)[..., None], -1)[..., 0]
    points = (flame.template[corners] * weights[..., None]).sum(-2)
    away = np.linalg.norm(points - flame.template[chosen], axis=-1).max()
    return chosen, float(away) * 1000
