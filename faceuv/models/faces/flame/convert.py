"""From FLAME's files to the arrays of a face model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceuv.errors import AssetError
from faceuv.files.artefacts import sha256_of
from faceuv.models.faces.appearance import MARK, albedo_arrays
from faceuv.models.faces.bfm2009.surface import mirror_map
from faceuv.models.faces.flame.articulation import FULL, LIMITS, POSE, posed
from faceuv.models.faces.flame.chart import CYLINDRICAL, cylindrical_chart, read_chart
from faceuv.models.faces.flame.embedding import read_landmarks
from faceuv.models.faces.flame.reading import IDENTITY_MODES, JOINTS, PARENTS, Array, FlameFile, read_flame

Indices = NDArray[np.int64]

EYES_AT = (0.0, 0.2975, 0.1831)
"""Decimetres: the mean of the eyes' landmarks, where the procedural face has it."""
_DM_PER_METRE = 10.0
_GAUSSIAN = 3.0  # deviations: the limits of modes without other ones
_IRIS = 0.42  # radians about the eye's axis
_NEAR = 0.05  # dm: vertices this near to brows, lip seam or nostrils are no skin for colours
_BROWS, _NOSTRILS, _SEAM = slice(17, 27), slice(31, 36), slice(60, 68)
_SKIN_BACK, _SKIN_UP, _SKIN_DOWN = 0.35, 0.55, 0.15  # dm behind the jaw's ends, above the brows, below the chin
LICENCES = {
    "open": {"name": "CC-BY-4.0", "commercial": "yes"},
    "other": {"name": "FLAME model licence of its release", "commercial": "ask"},
}


def convert(
    path: str | Path,
    landmarks: Sequence[str | Path],
    uv: str | Path,
    *,
    identity_modes: int = IDENTITY_MODES,
) -> tuple[dict[str, Tensor], dict[str, list[str]], dict[str, Any]]:
    """Arrays, mode names and metadata; see :meth:`FLAME.from_files` for the arguments."""
    flame = read_flame(path, identity_modes)
    marks = read_landmarks(landmarks, flame)
    chart = cylindrical_chart(flame) if str(uv) == CYLINDRICAL else read_chart(uv, flame)
    source = chart.source
    first = np.full(len(flame.template), -1, np.int64)
    first[source[::-1]] = np.arange(len(source))[::-1]  # the first copy of each vertex
    used = np.unique(np.concatenate([marks.vertices, marks.contour.ravel()]))
    if (first[used] < 0).any():
        raise AssetError(f"{path}: a landmark lies on a vertex that no triangle of the UV chart uses")
    shift = np.array(EYES_AT) - flame.template[marks.vertices[36:48]].mean(0) * _DM_PER_METRE
    mean = flame.template[source] * _DM_PER_METRE + shift
    _check_frame(flame.path, mean, first[marks.vertices])
    regressor = np.zeros((len(PARENTS), len(source)))
    lost = np.abs(flame.regressor[:, first < 0]).max(initial=0.0)
    if lost > 1e-6:
        raise AssetError(f"{path}: its joints depend on vertices that no triangle of the UV chart uses")
    regressor[:, first[first >= 0]] = flame.regressor[:, first >= 0]
    landmark_index = first[marks.vertices]
    parts, part = _parts(flame, chart.faces, source, mean, regressor @ mean)
    tensors = {
        "mean": mean,
        "identity_basis": flame.identity[source] * _DM_PER_METRE,
        "expression_basis": flame.expression[source] * _DM_PER_METRE,
        "uv": chart.uv,
        "joint_weights": regressor,
        "skin_weights": flame.weights[source],
        "pose_correctives": flame.correctives[source] * _DM_PER_METRE,
    }
    arrays = {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in tensors.items()}
    arrays |= {
        "faces": torch.from_numpy(chart.faces),
        "landmarks": torch.from_numpy(landmark_index),
        "contour": torch.from_numpy(first[marks.contour]),
        "weld": torch.from_numpy(first[source]),
        "part": torch.from_numpy(part),
        "skin_mask": torch.from_numpy(_skin(mean, landmark_index, flame.weights[source])),
        "mirror": torch.from_numpy(_mirror(flame, marks.vertices, first, source)),
    }
    arrays["expression_basis"] = torch.cat([arrays["expression_basis"], _pose_basis(arrays)], 2)
    modes = flame.expression.shape[2]
    limits = [(-_GAUSSIAN, _GAUSSIAN)] * modes + [LIMITS[name] for name in POSE]
    arrays["expression_limits"] = torch.tensor(limits)
    head = {**arrays, "parts": parts}
    arrays["mean_albedo"], arrays["albedo_basis"], albedo_names = albedo_arrays(head)
    expressions = [f"expression_{k:02d}" for k in range(modes)]
    names = {"expression": [*expressions, *POSE], "albedo": albedo_names}
    full = dict.fromkeys(expressions, _GAUSSIAN) | {name: FULL.get(name, 4.0) for name in POSE}
    licence = LICENCES["open" if "open" in flame.path.stem.lower() else "other"]
    metadata = {
        "source": flame.path.name,
        "sha256": sha256_of(flame.path),
        "parts": parts,
        "joints": list(JOINTS),
        "joint_parents": list(PARENTS),
        "full_expression": full,
        "landmark_error_mm": round(marks.error, 3),
        "albedo": MARK,
        "licence": {**licence, "source": "https://flame.is.tue.mpg.de/"},
    }
    return arrays, names, metadata


def _check_frame(path: Path, mean: Array, landmarks: Indices) -> None:
    """Unit and axes, by the landmarks: decimetres, the subject's left at +x, y up, z out of the face."""
    marks = mean[landmarks]
    apart = float(np.linalg.norm(marks[36:42].mean(0) - marks[42:48].mean(0)))
    if not 0.3 <= apart <= 1.2:
        raise AssetError(f"{path}: its eyes are {apart * 10:.3g} cm apart; expected a FLAME model in metres")
    upright = marks[8, 1] < marks[33, 1] < marks[17:27, 1].min()
    outward = marks[30, 2] > max(marks[0, 2], marks[16, 2])
    sides = marks[36:42, 0].max() < marks[42:48, 0].min()
    if not (upright and outward and sides):
        raise AssetError(
            f"{path}: its landmarks do not lie as on a face with +x to the subject's left, +y up and +z out of the"
            " face; the landmark files belong to another mesh"
        )


def _parts(flame: FlameFile, faces: Indices, source: Indices, mean: Array, joints: Array) -> tuple[list[str], Indices]:
    """Skin, and the front of each eyeball as its iris."""
    names = ["skin"]
    part = np.zeros(len(faces), np.int64)
    for column, side in ((3, "left"), (4, "right")):
        own = (flame.weights[source][:, column] > 0.5)[faces].all(1)
        if not own.any():
            continue
        if (side == "left") != (joints[column, 0] > 0):
            raise AssetError(f"{flame.path}: joint {column} should be the {side} eye, but lies on the other side")
        middle = mean[faces[own]].mean(1) - joints[column]
        forward = middle[:, 2] / np.linalg.norm(middle, axis=1).clip(1e-9)
        names += [f"sclera_{side}", f"iris_{side}"]
        part[own] = np.where(forward > np.cos(_IRIS), len(names) - 1, len(names) - 2)
    return names, part


def _skin(mean: Array, landmarks: Indices, weights: Array) -> NDArray[np.bool_]:
    """``(V,)`` bool: the face without eyeballs, brows, nostrils and the seam of the lips."""
    marks = mean[landmarks]
    back = min(marks[0, 2], marks[16, 2]) - _SKIN_BACK
    inside = (mean[:, 2] > back) & (weights[:, 3:].sum(1) < 0.5)
    inside &= (mean[:, 1] < marks[17:27, 1].max() + _SKIN_UP) & (mean[:, 1] > marks[8, 1] - _SKIN_DOWN)
    spared = np.concatenate([marks[_BROWS], marks[_NOSTRILS], marks[_SEAM]])
    away = np.linalg.norm(mean[:, None] - spared[None], axis=2).min(1)
    return inside & (away > _NEAR)


def _mirror(flame: FlameFile, landmarks: Indices, first: Indices, source: Indices) -> Indices:
    """``(N,)`` int64: the first copy of the vertex on the other side."""
    partner = mirror_map(flame.template, landmarks)
    found = first[partner[source]]
    return np.where(found < 0, np.arange(len(source)), found)


def _pose_basis(arrays: dict[str, Tensor]) -> Tensor:
    """``(V, 3, 10)``: how the mean head moves with each pose coefficient at rest."""
    rest = arrays["mean"][None].double()
    joints = arrays["joint_weights"].double() @ rest
    weights, correctives = arrays["skin_weights"].double(), arrays["pose_correctives"].double()

    def moved(pose: Tensor) -> Tensor:
        return posed(rest, joints, pose, weights, correctives)[0]

    zero = torch.zeros(1, len(POSE), dtype=torch.float64)
    columns = []
    for column in range(len(POSE)):
        direction = torch.zeros_like(zero)
        direction[0, column] = 1
        columns.append(torch.func.jvp(moved, (zero,), (direction,))[1])
    return torch.stack(columns, -1).float()
