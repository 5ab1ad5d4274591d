"""The files of FLAME as published: pickles of 2017, 2020 and 2023, or the same keys in an ``.npz``.

Pickles are read by :mod:`faceuv.files.pickles`, which runs none of their code; the arrays of old files, which are
chumpy's, are read without chumpy.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from faceuv.checks import one_line, shown
from faceuv.errors import AssetError
from faceuv.files.pickles import Stub, read_pickle

Array = NDArray[np.float64]

PARENTS = (-1, 0, 1, 1, 1)
JOINTS = ("neck", "head", "jaw", "eye_left", "eye_right")
"""FLAME's five joints by what they turn: its root carries the whole head, its joint "neck" turns the head."""
IDENTITY_MODES = 300
KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
WHERE = "register at https://flame.is.tue.mpg.de/ and download FLAME 2020, 2023 or 2023 Open"
_STUBS = ("chumpy.", "scipy.sparse.")
_SUM = 1e-3


@dataclass(frozen=True, eq=False)
class FlameFile:
    """What a FLAME file holds, in its own frame: metres, +x the subject's left, +y up, +z out of the face.

    template (V, 3), faces (F, 3) int64, identity (V, 3, I) and expression (V, 3, E) per standard deviation,
    correctives (V, 3, 36) per entry of the rotation matrices less 1, regressor (5, V), weights (V, 5)
    """

    path: Path
    template: Array
    faces: NDArray[np.int64]
    identity: Array
    expression: Array
    correctives: Array
    regressor: Array
    weights: Array


def read_flame(path: str | Path, identity_modes: int = IDENTITY_MODES) -> FlameFile:
    """Read and check a model file.

    Args:
        identity_modes: how many of the ``shapedirs`` are identity; the rest is expression.
    """
    path = Path(path)
    data = read_values(path, "FLAME model")
    if "model" in data and isinstance(data["model"], Mapping) and "v_template" not in data:
        data = dict(data["model"])
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise AssetError(f"{path}: a FLAME model lacks {', '.join(missing)}; found {shown(sorted(data), 160)}; {WHERE}")
    arrays = {key: numbers(path, key, data[key]) for key in KEYS}
    template = _of_shape(path, "v_template", arrays["v_template"], (None, 3))
    count = len(template)
    shapes = _of_shape(path, "shapedirs", arrays["shapedirs"], (count, 3, None))
    if shapes.shape[2] <= identity_modes:
        raise AssetError(
            f"{path}: shapedirs has {shapes.shape[2]} modes, of which {identity_modes} would be identity and none"
            " expression; FLAME has 300 and 100"
        )
    table = arrays["kintree_table"]
    parents = [] if table.ndim != 2 else [-1, *(int(parent) for parent in table[0, 1:])]
    if tuple(parents) != PARENTS:
        raise AssetError(f"{path}: kintree_table must be that of FLAME's five joints, parents {PARENTS}, got {parents}")
    faces = _of_shape(path, "f", arrays["f"], (None, 3)).astype(np.int64)
    if faces.size == 0 or faces.min() < 0 or faces.max() >= count:
        raise AssetError(f"{path}: f must name vertices 0 … {count - 1}")
    regressor = _of_shape(path, "J_regressor", arrays["J_regressor"], (len(PARENTS), count))
    weights = _of_shape(path, "weights", arrays["weights"], (count, len(PARENTS)))
    for key, rows in (("J_regressor", regressor), ("weights", weights)):
        if np.abs(rows.sum(1) - 1).max() > _SUM:
            raise AssetError(f"{path}: every row of {key} must sum to 1; the file is damaged")
    correctives = _of_shape(path, "posedirs", arrays["posedirs"], (count, 3, 9 * (len(PARENTS) - 1)))
    return FlameFile(
        path, template, faces, shapes[:, :, :identity_modes], shapes[:, :, identity_modes:], correctives, regressor,
        weights,
    )  # fmt: skip


def read_values(path: Path, expected: str) -> dict[str, Any]:
    """The dictionary that a ``.pkl``, a ``.npz`` or a ``.npy`` of one dictionary holds."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _read_npz(path, expected)
    skip = _npy_header(path, expected) if suffix == ".npy" else 0
    value = read_pickle(path, expected=expected, stubs=_STUBS, kept={"chumpy.": ("x",)}, skip=skip)
    if not isinstance(value, Mapping):
        raise AssetError(f"{path}: expected a {expected}, which is a dictionary of arrays, found {shown(value)}")
    return {str(key): part for key, part in value.items()}


def numbers(path: Path, key: str, value: Any) -> Array:
    """An array of finite numbers out of numpy's, torch's, chumpy's or a sparse one."""
    if isinstance(value, Tensor):
        value = value.numpy()
    if isinstance(value, Stub) and value.qualified_name.startswith("chumpy."):
        value = value.state.get("x") if isinstance(value.state, dict) else None
        if not isinstance(value, np.ndarray):
            raise AssetError(f"{path}: {key} is an expression of chumpy; only plain chumpy arrays are read: {WHERE}")
    if isinstance(value, Stub):
        value = _dense(path, key, value)
    try:
        array = np.asarray(value)
        if array.dtype == object or array.dtype.kind not in "biuf":
            raise TypeError(f"{array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise AssetError(f"{path}: {key} must be an array of numbers, found {shown(value)}") from error
    if not np.isfinite(array).all():
        raise AssetError(f"{path}: {key} holds NaN or infinity; the file is damaged")
    return array


def _dense(path: Path, key: str, value: Stub) -> Array:
    """A stored scipy matrix of the kinds csc, csr and coo."""
    import scipy.sparse

    state = value.state if isinstance(value.state, dict) else {}
    kind = value.qualified_name.rsplit(".", 1)[-1]
    shape = state.get("_shape", state.get("shape"))
    try:
        if kind in ("csc_matrix", "csr_matrix"):
            make = scipy.sparse.csc_matrix if kind == "csc_matrix" else scipy.sparse.csr_matrix
            matrix = make((state["data"], state["indices"], state["indptr"]), shape=shape)
            matrix.check_format(full_check=True)
        elif kind == "coo_matrix":
            matrix = scipy.sparse.coo_matrix((state["data"], (state["row"], state["col"])), shape=shape)
        else:
            raise ValueError(f"a sparse matrix of the kind {kind}")
        if matrix.shape[0] * matrix.shape[1] > 50_000_000:
            raise ValueError(f"a shape of {matrix.shape}")
        return np.asarray(matrix.todense(), dtype=np.float64)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AssetError(f"{path}: {key} is not a readable sparse matrix ({one_line(error)})") from error


def _read_npz(path: Path, expected: str) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist; expected a {expected}") from None
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        hint = "; arrays of objects are not read, save it without them" if "pickle" in str(error).lower() else ""
        raise AssetError(f"{path} is not a readable .npz ({one_line(error)}){hint}; expected a {expected}") from error


def _npy_header(path: Path, expected: str) -> int:
    """How many bytes of a ``.npy`` come before its pickled dictionary."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            _, _, dtype = read(file)
            if dtype.kind != "O":
                raise ValueError(f"an array of {dtype}")
            return file.tell()
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist; expected a {expected}") from None
    except (ValueError, OSError, SyntaxError, TypeError) as error:
        raise AssetError(f"{path} holds {one_line(error)}; expected a {expected}, a dictionary of arrays") from error


def _of_shape(path: Path, key: str, array: Array, shape: tuple[int | None, ...]) -> Array:
    if array.ndim != len(shape) or any(want is not None and want != got for want, got in zip(shape, array.shape)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise AssetError(f"{path}: {key} must have shape ({wanted}), got {array.shape}")
    return array
