"""The two layouts in which users hold BFM 2009, read to one crop in our units: the converted file and the raw files.

The raw files follow the preparation of Deng et al. ("Accurate 3D Face Reconstruction", 2019): vertices in micrometres,
every basis scaled by its standard deviations, the first 80 / 64 / 80 modes, and two index files in a row:
``BFM_front_idx`` picks the crop out of the vertices of the expression basis, which ``BFM_exp_idx`` picks out of the
full head. The mean of the expression basis is not added, as in theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceuv.errors import AssetError
from faceuv.models.faces.arrays import LANDMARKS
from faceuv.models.faces.bfm2009.matfile import Array, Field, read_mat
from faceuv.models.faces.bfm2009.sources import BASEL, FACE_INFO, FRONT, GUO, GUO_SIGMA, INDICES, BFMSizes, Source

_MICROMETRES = 1e5  # in a decimetre
_RAW = {
    "01_MorphableModel.mat": BASEL,
    "Exp_Pca.bin": GUO,
    "std_exp.txt": GUO_SIGMA,
    "facemodel_info.mat": FACE_INFO,
    "BFM_front_idx.mat": INDICES,
    "BFM_exp_idx.mat": INDICES,
}


@dataclass(frozen=True)
class Crop:
    """The frontal crop in decimetres and RGB 0 … 1, with 0-based indices; ``files`` are those it was read from."""

    mean: Array
    identity_basis: Array
    expression_basis: Array
    mean_albedo: Array
    albedo_basis: Array
    faces: Array
    landmarks: Array
    skin_mask: Array
    files: tuple[Path, ...]


@dataclass(frozen=True)
class CropIndices:
    """Where the vertices of the crop ``(V,)`` lie among those of the expression basis and of the full head."""

    in_expression: Array
    in_full: Array
    files: tuple[Path, ...]


def read_front(path: Path, sizes: BFMSizes) -> Crop:
    """``BFM_model_front.mat``: everything in one file, in decimetres and RGB 0 … 255."""
    coordinates = 3 * sizes.vertices
    arrays = read_mat(
        path,
        [
            Field("meanshape", (coordinates,)),
            Field("idBase", (coordinates, sizes.identity)),
            Field("exBase", (coordinates, sizes.expression)),
            Field("meantex", (coordinates,)),
            Field("texBase", (coordinates, sizes.albedo)),
            *_topology_fields(sizes),
        ],
        FRONT,
    )
    return Crop(
        mean=arrays["meanshape"].reshape(-1, 3),
        identity_basis=_per_vertex(arrays["idBase"]),
        expression_basis=_per_vertex(arrays["exBase"]),
        mean_albedo=_unit_rgb(path, "meantex", arrays["meantex"], FRONT),
        albedo_basis=_per_vertex(arrays["texBase"]) / 255,
        faces=arrays["tri"],
        landmarks=arrays["keypoints"],
        skin_mask=_mask(path, arrays["skinmask"], FRONT),
        files=(path,),
    )


def read_raw(folder: Path, sizes: BFMSizes) -> Crop:
    """``01_MorphableModel.mat``, ``Exp_Pca.bin``, ``std_exp.txt``, ``facemodel_info.mat`` and the index files."""
    _check_complete(folder)
    indices = read_indices(folder, sizes)
    model_path, info_path = folder / "01_MorphableModel.mat", folder / "facemodel_info.mat"
    coordinates, modes = 3 * sizes.full_vertices, sizes.full_modes
    arrays = read_mat(
        model_path,
        [
            Field("shapeMU", (coordinates,)),
            Field("shapePC", (coordinates, modes)),
            Field("shapeEV", (modes,)),
            Field("texMU", (coordinates,)),
            Field("texPC", (coordinates, modes)),
            Field("texEV", (modes,)),
        ],
        BASEL,
    )
    info = read_mat(info_path, _topology_fields(sizes), FACE_INFO)
    rows = indices.in_full

    def basis(components: str, deviations: str, count: int) -> Array:
        return _per_vertex(arrays[components])[rows, :, :count] * arrays[deviations][:count].astype(np.float64)

    return Crop(
        mean=arrays["shapeMU"].reshape(-1, 3)[rows] / _MICROMETRES,
        identity_basis=basis("shapePC", "shapeEV", sizes.identity) / _MICROMETRES,
        expression_basis=_read_expression_basis(folder, indices.in_expression, sizes) / _MICROMETRES,
        mean_albedo=_unit_rgb(model_path, "texMU", arrays["texMU"], BASEL)[rows],
        albedo_basis=basis("texPC", "texEV", sizes.albedo) / 255,
        faces=info["tri"],
        landmarks=info["keypoints"],
        skin_mask=_mask(info_path, info["skinmask"], FACE_INFO),
        files=(model_path, folder / "Exp_Pca.bin", folder / "std_exp.txt", info_path, *indices.files),
    )


def _check_complete(folder: Path) -> None:
    """All that is missing at once, so that one round of downloads is enough."""
    missing = [
        f"{name} ({source.what}; {source.where})" for name, source in _RAW.items() if not (folder / name).is_file()
    ]
    if missing:
        state = f"{folder} lacks" if folder.is_dir() else f"there is no folder {folder}; it should hold"
        raise AssetError(f"{state}: {'; '.join(missing)}")


def read_indices(folder: Path, sizes: BFMSizes) -> CropIndices:
    """``BFM_front_idx.mat`` and ``BFM_exp_idx.mat``; ``select_vertex_id.mat``, if it is there, must agree with them."""
    front_path, trim_path = folder / "BFM_front_idx.mat", folder / "BFM_exp_idx.mat"
    selected_path = folder / "select_vertex_id.mat"
    front = _read_index(front_path, "idx", sizes.vertices, sizes.expression_vertices)
    trim = _read_index(trim_path, "trimIndex", sizes.expression_vertices, sizes.full_vertices)
    files = [front_path, trim_path]
    if selected_path.is_file():
        files.append(selected_path)
        selected = _read_index(selected_path, "select_id", sizes.vertices, sizes.full_vertices)
        if not np.array_equal(selected, trim[front]):
            raise INDICES.error(
                selected_path,
                f"it picks other vertices than {trim_path.name} and {front_path.name} one after the other;"
                " the index files do not belong together",
            )
    return CropIndices(in_expression=front, in_full=trim[front], files=tuple(files))


def _read_index(path: Path, key: str, count: int, below: int) -> Array:
    index = read_mat(path, [Field(key, (count,), index_below=below)], INDICES)[key]
    if len(np.unique(index)) != count:
        raise INDICES.error(path, f"the key {key!r} names a vertex twice")
    return index


def _read_expression_basis(folder: Path, rows: Array, sizes: BFMSizes) -> Array:
    """Modes ``(V, 3, E)`` in micrometres per standard deviation.

    ``Exp_Pca.bin`` is little-endian: int32 number of modes, float32 mean (3·n), float32 modes (modes × 3·n).
    """
    path, sigma_path = folder / "Exp_Pca.bin", folder / "std_exp.txt"
    modes, coordinates = sizes.full_expression_modes, 3 * sizes.expression_vertices
    expected = 4 * (1 + coordinates * (1 + modes))
    try:
        size = path.stat().st_size
        declared = np.fromfile(path, "<i4", 1).tolist()
        wanted = np.fromfile(path, "<f4", coordinates * sizes.expression, offset=4 * (1 + coordinates))
    except OSError as error:
        raise GUO.error(path, f"cannot be read ({error.strerror or error})") from error
    if declared != [modes]:
        raise GUO.error(path, f"it must start with the number of modes {modes} (int32), got {declared}")
    if size != expected:
        raise GUO.error(
            path,
            f"it must have {expected:,} bytes ({modes} modes and a mean of {sizes.expression_vertices:,} vertices),"
            f" got {size:,}" + (": it was cut short" if size < expected else ""),
        )
    basis = wanted.reshape(sizes.expression, -1, 3)[:, rows]
    if not np.isfinite(basis).all():
        raise GUO.error(path, "it holds NaN or infinity")
    return np.moveaxis(basis, 0, 2) * _read_deviations(sigma_path, modes)[: sizes.expression]


def _read_deviations(path: Path, count: int) -> Array:
    try:
        values = np.array(path.read_text().split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise GUO_SIGMA.error(path, f"expected {count} numbers separated by blanks ({error})") from error
    if values.shape != (count,) or not (np.isfinite(values) & (values > 0)).all():
        raise GUO_SIGMA.error(path, f"expected {count} positive numbers separated by blanks, got {len(values)}")
    return values


def _topology_fields(sizes: BFMSizes) -> list[Field]:
    return [
        Field("tri", (sizes.faces, 3), index_below=sizes.vertices),
        Field("keypoints", (LANDMARKS,), index_below=sizes.vertices),
        Field("skinmask", (sizes.vertices,)),
    ]


def _per_vertex(basis: Array) -> Array:
    """``(3V, N)`` → ``(V, 3, N)``: the rows are x, y, z of one vertex after another."""
    return basis.reshape(-1, 3, basis.shape[1])


def _unit_rgb(path: Path, key: str, colours: Array, source: Source) -> Array:
    """RGB 0 … 255 → ``(V, 3)`` in [0, 1]."""
    low, high = float(colours.min()), float(colours.max())
    if low < -0.5 or not 2 <= high <= 255.5:  # a file already in 0 … 1 would come out black
        raise source.error(path, f"the key {key!r} must hold RGB in 0 … 255, got {low:.4g} … {high:.4g}")
    return colours.reshape(-1, 3) / 255.0


def _mask(path: Path, values: Array, source: Source) -> Array:
    if not np.isin(values, (0, 1)).all():
        raise source.error(path, f"the key 'skinmask' must hold 0 or 1 per vertex, got up to {values.max():.4g}")
    return values.astype(bool)
