"""FLAME's UV chart: from its template OBJ or texture ``.npz``, or by formula."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceuv.checks import one_line
from faceuv.errors import AssetError
from faceuv.models.faces.flame.reading import Array, FlameFile, numbers, read_values

CYLINDRICAL = "cylindrical"
_WHERE = "the template with UV is head_template.obj of FLAME's downloads; FLAME_texture.npz has vt and ft"
_LARGEST = 100_000_000  # bytes
_MARGIN = 0.01
_EYE_BOX = 0.12  # of the chart's side, below the skin
_SKIN = 0.84  # of the chart's height


@dataclass(frozen=True)
class Chart:
    """``source (N,)``: the vertex that each split vertex is a copy of; ``faces (F, 3)`` over them; ``uv (N, 2)``, v
    down."""

    source: NDArray[np.int64]
    faces: NDArray[np.int64]
    uv: Array


def read_chart(path: str | Path, flame: FlameFile) -> Chart:
    """From ``head_template.obj`` or ``FLAME_texture.npz``; their v points up."""
    path = Path(path)
    texture, corners = _read_npz(path) if path.suffix.lower() == ".npz" else _read_obj(path, flame)
    if corners.shape != flame.faces.shape:
        raise AssetError(f"{path}: its UV faces must be {flame.faces.shape}, got {corners.shape}; {_WHERE}")
    if corners.min() < 0 or corners.max() >= len(texture):
        raise AssetError(f"{path}: its faces name UV points beyond the {len(texture)} that it has")
    if texture.min() < -0.01 or texture.max() > 1.01:
        raise AssetError(f"{path}: UV must lie in 0 … 1, got {texture.min():.3g} … {texture.max():.3g}")
    texture = np.stack([texture[:, 0], 1 - texture[:, 1]], 1).clip(0, 1)
    return split(flame.faces, corners, texture)


def split(faces: NDArray[np.int64], corners: NDArray[np.int64], texture: Array) -> Chart:
    """One vertex for each pair of a vertex and a UV point; the copies of a vertex follow in the vertices' order."""
    pairs, inverse = np.unique(np.stack([faces.ravel(), corners.ravel()], 1), axis=0, return_inverse=True)
    return Chart(pairs[:, 0], inverse.reshape(-1, 3).astype(np.int64), texture[pairs[:, 1]])


def cylindrical_chart(flame: FlameFile) -> Chart:
    """A chart by formula: the head unrolled about an upright axis with its seam at the back, and both eyeballs as seen
    from the front and from behind in boxes below. Folds (nostrils, lips, ears) share texels."""
    points, faces = flame.template, flame.faces
    ball = flame.weights[:, 3:].sum(1) > 0.5
    centre = points[~ball].mean(0)
    angle = np.arctan2(points[:, 0] - centre[0], points[:, 2] - centre[2]) / (2 * np.pi) + 0.5
    height = (points[:, 1].max() - points[:, 1]) / np.ptp(points[:, 1])
    corners_u = angle[faces]
    straddles = np.ptp(corners_u, axis=1) > 0.5
    corners_u = np.where(straddles[:, None] & (corners_u < 0.5), corners_u + 1, corners_u)
    low, high = corners_u.min(), corners_u.max()
    u = _MARGIN + (1 - 2 * _MARGIN) * (corners_u - low) / (high - low)
    v = _MARGIN + (_SKIN - 2 * _MARGIN) * height[faces]
    for k, column in enumerate((3, 4)):
        own = flame.weights[:, column] > 0.5
        if not own.any():
            continue
        middle, radius = points[own].mean(0), np.abs(points[own] - points[own].mean(0)).max()
        of_ball = own[faces].all(1)
        back = (points[faces].mean(1)[:, 2] < middle[2])[of_ball]
        flat = 0.5 * (1 + 0.9 * (points[faces[of_ball]] - middle) / radius)
        u[of_ball] = (2 * k + back[:, None] + flat[:, :, 0]) * _EYE_BOX + 0.02
        v[of_ball] = 1 - _MARGIN - flat[:, :, 1] * _EYE_BOX
    pairs = np.stack([u.ravel(), v.ravel()], 1).clip(0, 1)
    texture, corners = np.unique(pairs.round(6), axis=0, return_inverse=True)
    return split(faces, corners.reshape(faces.shape).astype(np.int64), texture)


def _read_npz(path: Path) -> tuple[Array, NDArray[np.int64]]:
    data = read_values(path, "UV chart of FLAME")
    if "vt" not in data or "ft" not in data:
        raise AssetError(f"{path}: a UV chart needs vt and ft, found {', '.join(sorted(data))[:120]}; {_WHERE}")
    texture = numbers(path, "vt", data["vt"])
    if texture.ndim != 2 or texture.shape[1] < 2:
        raise AssetError(f"{path}: vt must have shape (any, 2), got {texture.shape}")
    return texture[:, :2], numbers(path, "ft", data["ft"]).astype(np.int64)


def _read_obj(path: Path, flame: FlameFile) -> tuple[Array, NDArray[np.int64]]:
    """UV points and the UV corners of triangles, which must be the model's own in its order."""
    try:
        if path.stat().st_size > _LARGEST:
            raise AssetError(f"{path} is larger than any template of FLAME; {_WHERE}")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        texture = [[float(word) for word in line.split()[1:3]] for line in lines if line.startswith("vt ")]
        words = [[corner.split("/") for corner in line.split()[1:]] for line in lines if line.startswith("f ")]
        faces = np.array([[int(corner[0]) for corner in face] for face in words], np.int64)
        corners = np.array([[int(corner[1]) for corner in face] for face in words], np.int64)
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist; {_WHERE}") from None
    except (OSError, ValueError, IndexError) as error:
        raise AssetError(f"{path} is not a readable OBJ with UV ({one_line(error)}); {_WHERE}") from error
    if faces.shape != flame.faces.shape or not np.array_equal(faces - 1, flame.faces):
        raise AssetError(f"{path}: its triangles are not those of {flame.path.name}; {_WHERE}")
    return np.array(texture, np.float64).reshape(-1, 2), corners - 1
