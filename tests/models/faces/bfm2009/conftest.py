"""A head made by formula, and the files in which BFM 2009 would hold it: same keys, dtypes and layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from faceuv.models.faces import FaceModel
from faceuv.models.faces.bfm2009 import BFMSizes

Array = np.ndarray
SMALL = BFMSizes(
    full_vertices=2300, expression_vertices=2100, vertices=41 * 41, faces=3200, full_modes=9, full_expression_modes=8,
    identity=5, expression=4, albedo=6,
)  # fmt: skip

# x, y of the 68 iBUG points on a face that spans −1 … 1 upright; the subject's right is at −x
_EYE = [(-0.15, 0.0), (-0.05, 0.07), (0.05, 0.07), (0.15, 0.0), (0.05, -0.07), (-0.05, -0.07)]
_LANDMARKS = np.array(
    [(-0.7 * np.cos(t), 0.2 - 1.05 * np.sin(t)) for t in np.linspace(0, np.pi, 17)]
    + [(x, 0.55) for x in np.linspace(-0.6, -0.15, 5)]
    + [(x, 0.55) for x in np.linspace(0.15, 0.6, 5)]
    + [(0.0, y) for y in (0.35, 0.25, 0.12, 0.0)]
    + [(x, -0.1) for x in np.linspace(-0.15, 0.15, 5)]
    + [(x - 0.35, y + 0.35) for x, y in _EYE]
    + [(x + 0.35, y + 0.35) for x, y in _EYE]
    + [(0.3 * np.cos(t), -0.4 + 0.12 * np.sin(t)) for t in np.linspace(np.pi, -np.pi, 12, endpoint=False)]
    + [(0.2 * np.cos(t), -0.4 + 0.05 * np.sin(t)) for t in np.linspace(np.pi, -np.pi, 8, endpoint=False)]
)


@dataclass(frozen=True)
class Head:
    """The truth, in our units and frame; ``uv`` has v up, as the files have."""

    sizes: BFMSizes
    mean: Array
    identity_basis: Array
    expression_basis: Array
    mean_albedo: Array
    albedo_basis: Array
    faces: Array
    landmarks: Array
    skin_mask: Array
    uv: Array
    mirror: Array


def _noise(rng: np.random.Generator, *shape: int) -> Array:
    """A block of noise, repeated: BFM's own sizes would take seconds to draw."""
    return np.resize(rng.standard_normal(99_991, dtype=np.float32), shape)


def make_head(sizes: BFMSizes, seed: int = 0) -> Head:
    """A frontal shell on a square grid, cut to ``sizes.vertices`` and ``sizes.faces``."""
    rng = np.random.default_rng(seed)
    n = int(np.ceil(np.sqrt(sizes.vertices))) | 1  # odd: the midline is a column
    t, s = (a.ravel() for a in np.meshgrid(np.linspace(1, -1, n), np.linspace(-1, 1, n), indexing="ij"))
    angle, waist = np.radians(80) * s, np.sqrt(1 - 0.6 * t**2)
    nose = 0.25 * np.exp(-((s / 0.12) ** 2) - ((t - 0.05) / 0.2) ** 2)
    mean = np.stack([0.8 * np.sin(angle) * waist, t, 0.8 * np.cos(angle) * waist + nose], 1)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    quads = np.stack([corner, corner + n, corner + n + 1, corner, corner + n + 1, corner + 1], 1)
    faces = quads.reshape(-1, 3)
    v = sizes.vertices
    mean, s, t = mean[:v], s[:v], t[:v]
    faces = np.resize(faces[(faces < v).all(1)], (sizes.faces, 3))
    mirror = (np.arange(v) // n) * n + (n - 1 - np.arange(v) % n)
    return Head(
        sizes=sizes,
        mean=mean + np.array([0.0, 0.3, 0.4]),  # off centre: the reader has to recentre
        identity_basis=0.05 * _noise(rng, v, 3, sizes.identity),
        expression_basis=0.05 * _noise(rng, v, 3, sizes.expression),
        mean_albedo=rng.uniform(0.2, 0.9, (v, 3)),
        albedo_basis=0.05 * _noise(rng, v, 3, sizes.albedo),
        faces=faces,
        landmarks=np.argmin(((mean[None, :, :2] - _LANDMARKS[:, None]) ** 2).sum(-1), 1),
        skin_mask=rng.random(v) < 0.4,
        uv=np.stack([0.5 + 0.45 * s, 0.5 + 0.45 * t], 1),
        mirror=np.where(mirror < v, mirror, -1),
    )


def head_of(model: FaceModel) -> Head:
    """The head of a face model, in files whose larger arrays are a little larger than it."""
    arrays = {name: array.numpy() for name, array in model.arrays().items()}
    count, modes = len(arrays["mean"]), model.layout
    sizes = BFMSizes(
        full_vertices=count + 300, expression_vertices=count + 100, vertices=count, faces=len(arrays["faces"]),
        full_modes=modes.identity + 9, full_expression_modes=modes.expression + 5,
        identity=modes.identity, expression=modes.expression, albedo=modes.albedo,
    )  # fmt: skip
    return Head(sizes=sizes, **{**arrays, "uv": np.stack([arrays["uv"][:, 0], 1 - arrays["uv"][:, 1]], 1)})


def topology(head: Head) -> dict[str, Array]:
    """The keys of ``facemodel_info.mat``; Deng et al. store indices as 1-based float32."""
    v, f = head.sizes.vertices, head.sizes.faces
    front = np.arange(1, v // 2, dtype=np.float32)
    return {
        "tri": (head.faces + 1).astype(np.float32),
        "keypoints": (head.landmarks + 1).astype(np.float32)[None],
        "point_buf": np.full((v, 8), f + 1, np.float32),
        "frontmask2_idx": front[:, None],
        "tri_mask2": np.ones((f // 2, 3), np.float32),
        "skinmask": head.skin_mask.astype(np.float32)[None],
    }


def front_arrays(head: Head) -> dict[str, Array]:
    """The keys of ``BFM_model_front.mat``."""

    def flat(basis: Array) -> Array:
        return basis.reshape(3 * head.sizes.vertices, -1)

    return {
        "meanshape": head.mean.reshape(1, -1).astype(np.float32),
        "meantex": (255 * head.mean_albedo).reshape(1, -1).astype(np.float32),
        "idBase": flat(head.identity_basis).astype(np.float32),
        "exBase": flat(head.expression_basis),
        "texBase": flat(255 * head.albedo_basis).astype(np.float32),
        **topology(head),
    }


def write_front(folder: Path, head: Head, *, compress: bool = False, **changes: Any) -> Path:
    """``BFM_model_front.mat``; ``changes`` replace keys, None removes one."""
    path = folder / "BFM_model_front.mat"
    return write_mat(path, {**front_arrays(head), **changes}, compress=compress)


def write_mat(path: Path, arrays: dict[str, Any], *, compress: bool = False) -> Path:
    savemat(path, {k: v for k, v in arrays.items() if v is not None}, do_compression=compress)
    return path


def write_raw(folder: Path, head: Head, *, seed: int = 0) -> Path:
    """The raw files: the head hidden in larger arrays, whose other rows and modes are noise, in shuffled order."""
    rng, sizes = np.random.default_rng(seed), head.sizes
    trim = rng.permutation(sizes.full_vertices)[: sizes.expression_vertices]
    front = rng.permutation(sizes.expression_vertices)[: sizes.vertices]

    def hide(values: Array, rows: Array, count: int, modes: int) -> Array:
        full = 9 * _noise(rng, count, 3, modes)
        full[rows, :, : values.shape[2]] = values
        return full

    def pca(basis: Array, unit: float) -> tuple[Array, Array]:
        deviations = rng.uniform(100, 1000, sizes.full_modes).astype(np.float32)
        scaled = basis * unit / deviations[: basis.shape[2]]
        full = hide(scaled, trim[front], sizes.full_vertices, sizes.full_modes)
        return full.reshape(-1, sizes.full_modes), deviations[:, None]

    def mean(values: Array, unit: float) -> Array:
        return hide(values[..., None] * unit, trim[front], sizes.full_vertices, 1).reshape(-1, 1)

    shape, shape_deviations = pca(head.identity_basis, 1e5)
    colour, colour_deviations = pca(head.albedo_basis, 255)
    colours = np.abs(mean(head.mean_albedo, 255))
    write_mat(
        folder / "01_MorphableModel.mat",
        {
            "shapeMU": mean(head.mean, 1e5), "shapePC": shape, "shapeEV": shape_deviations,
            "texMU": colours, "texPC": colour, "texEV": colour_deviations,
            "tl": np.ones((7, 3), np.float64), "segbin": np.zeros((sizes.full_vertices, 4), np.uint8),
        },
    )  # fmt: skip
    sigma = rng.uniform(200, 450000, sizes.full_expression_modes)
    scaled = head.expression_basis * 1e5 / sigma[: sizes.expression]
    modes = hide(scaled, front, sizes.expression_vertices, sizes.full_expression_modes)
    with (folder / "Exp_Pca.bin").open("wb") as file:
        np.array([sizes.full_expression_modes], "<i4").tofile(file)
        rng.standard_normal(3 * sizes.expression_vertices).astype("<f4").tofile(file)
        np.ascontiguousarray(np.moveaxis(modes, 2, 0)).astype("<f4").tofile(file)
    (folder / "std_exp.txt").write_text(" ".join(f"{value:.9g}" for value in sigma))
    write_mat(folder / "facemodel_info.mat", topology(head))
    write_mat(folder / "BFM_front_idx.mat", {"idx": (front + 1).astype(np.float32)[:, None]})
    write_mat(folder / "BFM_exp_idx.mat", {"trimIndex": (trim + 1).astype(np.uint16)[:, None]})
    write_mat(folder / "select_vertex_id.mat", {"select_id": (trim[front] + 1).astype(np.uint16)[:, None]})
    return folder


def write_uv(path: Path, uv: Array, key: str = "UV_refine") -> Path:
    return write_mat(path, {key: uv})


@dataclass(frozen=True)
class BFMFiles:
    """What the tests use of this module (test modules cannot import a conftest)."""

    small: BFMSizes
    make_head: Callable[..., Head]
    head_of: Callable[[FaceModel], Head]
    front_arrays: Callable[..., dict[str, Array]]
    write_front: Callable[..., Path]
    write_raw: Callable[..., Path]
    write_uv: Callable[..., Path]
    write_mat: Callable[..., Path]
    replace: Callable[..., Any] = replace


@pytest.fixture(scope="session")
def files() -> BFMFiles:
    return BFMFiles(SMALL, make_head, head_of, front_arrays, write_front, write_raw, write_uv, write_mat)


@pytest.fixture(scope="session")
def head() -> Head:
    return make_head(SMALL)
