"""Landmarks from a file, found by another detector or by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.checks import one_line
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.files.artefacts import atomic_path, load_tensors, parse_json, save_tensors
from faceuv.files.locate import locate
from faceuv.fitting.landmarks.base import COUNT, LandmarkDetector, Landmarks, check_images, unreadable
from faceuv.registry import LANDMARK_DETECTORS

KIND = "landmarks"
_LEAST_SPREAD = 4.0  # pixels between the outermost landmarks; a face in fewer is none
SUFFIXES = (".json", ".npz", ".safetensors")


@dataclass(frozen=True, eq=False)
class _Known:
    """Landmarks of one picture: ``points (68, 2)`` pixels of a picture of ``size`` (width, height), None if unsaid; or
    why there are none."""

    points: Tensor | None
    size: tuple[float, float] | None
    score: float = 1.0
    reason: str = ""


@LANDMARK_DETECTORS.register_module()
class PrecomputedLandmarks(LandmarkDetector):
    """Landmarks by the pictures' file names, from a file; a picture that is not in it has none.

    A name is looked up as it is, then without its folders. Points are rescaled where the picture has another size than
    the one that they were found in. The files, of which nothing is ever unpickled:

    ``.json``         ``{"a.png": {"size": [width, height], "points": [[x, y], … 68]}, …}``, or only the points
    ``.npz``          arrays ``names (N,)``, ``points (N, 68, 2)``, ``sizes (N, 2)``: width, height
    ``.safetensors``  tensors ``points``, ``sizes``, ``found``, ``score``; written by :func:`save_landmarks`

    Args:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = locate(path)
        self.known = _read(self.path)
        self._by_file: dict[str, str | None] = {}
        for name in self.known:
            file = PurePath(name).name
            self._by_file[file] = None if file in self._by_file else name  # two folders with one file name: neither

    def detect(self, images: Tensor, names: Sequence[str] | None = None) -> Landmarks:
        """See :meth:`LandmarkDetector.detect`; ``names`` are needed."""
        check_images(images, names)
        if names is None:
            raise InputError("precomputed landmarks are found by the pictures' names: pass names")
        height, width = images.shape[2:]
        rows = [self._row(str(name), width, height) for name in names]
        bad = unreadable(images).tolist()
        rows = [(None, 0.0, "the picture holds NaN or infinity") if b else row for b, row in zip(bad, rows)]
        return Landmarks.stack(rows, images)

    def _row(self, name: str, width: int, height: int) -> tuple[Tensor | None, float, str]:
        key = name if name in self.known else self._by_file.get(PurePath(name).name)
        if key is None:
            return None, 0.0, f"{self.path.name} has no landmarks of {name!r}"
        found = self.known[key]
        if found.points is None or found.size is None:
            return found.points, found.score, found.reason
        across, down = width / found.size[0], height / found.size[1]
        if abs(across / down - 1) > 2 / min(width, height, *found.size):  # more than rounding of one side
            return None, 0.0, (
                f"{name!r} has {width} × {height} pixels, its landmarks are of {found.size[0]:.0f} ×"
                f" {found.size[1]:.0f}: not the same picture in another size"
            )  # fmt: skip
        return found.points * found.points.new_tensor([across, down]), found.score, ""


def save_landmarks(
    path: str | Path, names: Sequence[str], landmarks: Landmarks, sizes: Sequence[tuple[int, int]]
) -> Path:
    """Write landmarks for :class:`PrecomputedLandmarks`, atomically: the suffix of ``path`` says how.

    Args:
        names: of the pictures, each once.
        sizes: (width, height) of the pictures that the points are in.
    """
    path = Path(path)
    if len(names) != len(landmarks) or len(sizes) != len(landmarks):
        raise InputError(f"expected {len(landmarks)} names and sizes, got {len(names)} and {len(sizes)}")
    if len(set(names)) != len(names):
        raise InputError("two pictures have one name; give each its own")
    if path.suffix not in SUFFIXES:
        raise InputError(f"landmarks are written as {', '.join(SUFFIXES)}, got {path.name!r}")
    rows = landmarks.to("cpu", torch.float32)
    if path.suffix == ".safetensors":
        tensors = {
            "points": rows.points.contiguous(),
            "sizes": torch.tensor([list(size) for size in sizes], dtype=torch.float32).reshape(-1, 2),
            "found": rows.found.to(torch.uint8),
            "score": rows.score.contiguous(),
        }
        return save_tensors(path, tensors, {"kind": KIND, "names": list(names), "reasons": list(rows.reasons)})
    kept = [number for number, found in enumerate(rows.found.tolist()) if found]
    with atomic_path(path) as temporary:
        if path.suffix == ".json":
            table = {
                names[k]: {
                    "size": list(sizes[k]),
                    "points": [[round(v, 3) for v in point] for point in rows.points[k].tolist()],
                }
                for k in kept
            }
            temporary.write_text(json.dumps(table), encoding="utf-8")
        else:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    names=np.array([names[k] for k in kept], dtype=np.str_),
                    points=rows.points[kept].numpy(),
                    sizes=np.array([sizes[k] for k in kept], dtype=np.float64).reshape(-1, 2),
                )
    return path


def _read(path: Path) -> dict[str, _Known]:
    if not path.is_file():
        raise AssetError(f"{path} does not exist; expected landmarks ({', '.join(SUFFIXES)})")
    readers = {".json": _read_json, ".npz": _read_npz, ".safetensors": _read_safetensors}
    if path.suffix.lower() not in readers:
        raise AssetError(f"{path}: landmarks are read from {', '.join(SUFFIXES)}")
    try:
        return readers[path.suffix.lower()](path)
    except FaceUVError:
        raise
    except Exception as error:  # each value of the file can be of another kind than it should
        raise AssetError(
            f"{path} is not a file of landmarks ({type(error).__name__}: {one_line(error)}); write it as"
            " docs/landmarks.md says"
        ) from error


def _read_json(path: Path) -> dict[str, _Known]:
    try:
        table = parse_json(path.read_text(encoding="utf-8"), str(path), nan=True)
    except (ValueError, OSError) as error:
        raise AssetError(f"{path} is not JSON: {one_line(error)}") from error
    if not isinstance(table, dict):
        raise AssetError(f"{path} must be an object, picture name → landmarks, found {type(table).__name__}")
    known = {}
    for name, entry in table.items():
        points, size = (entry.get("points"), entry.get("size")) if isinstance(entry, Mapping) else (entry, None)
        known[name] = _known(path, name, points, size)
    return known


def _read_npz(path: Path) -> dict[str, _Known]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("names", "points", "sizes") if key in file.files}
    except Exception as error:  # zipfile and numpy raise many kinds for a damaged file
        raise AssetError(f"{path} is not a readable .npz of plain arrays: {error}") from error
    if "names" not in arrays or "points" not in arrays or len(arrays["names"]) != len(arrays["points"]):
        raise AssetError(
            f"{path} must hold names (N,), points (N, {COUNT}, 2) and sizes (N, 2), found {sorted(arrays)}"
        )
    sizes = arrays.get("sizes", [None] * len(arrays["names"]))
    if len(sizes) != len(arrays["names"]):
        raise AssetError(f"{path} has {len(arrays['names'])} names and {len(sizes)} sizes")
    return {str(n): _known(path, str(n), p, s) for n, p, s in zip(arrays["names"], arrays["points"], sizes)}


def _read_safetensors(path: Path) -> dict[str, _Known]:
    tensors, metadata = load_tensors(path, kind=KIND)
    names = metadata.get("names", [])
    lacking = [name for name in ("points", "sizes", "found", "score") if len(tensors.get(name, ())) != len(names)]
    if lacking:
        raise AssetError(f"{path} names {len(names)} pictures; {', '.join(lacking)} must have as many rows")
    reasons = metadata.get("reasons") or [""] * len(names)
    known = {}
    for row, name in enumerate(names):
        if tensors["found"][row]:
            found = _known(path, name, tensors["points"][row].tolist(), tensors["sizes"][row].tolist())
            known[name] = _Known(found.points, found.size, float(tensors["score"][row]), found.reason)
        else:
            known[name] = _Known(None, None, float(tensors["score"][row]), reasons[row] or "no face was found")
    return known


def _known(path: Path, name: str, points: Any, size: Any) -> _Known:
    """One checked entry. A wrong form is an error of the file; NaN is a picture without landmarks."""
    try:
        numbers = np.array(points)
        if numbers.dtype.kind not in "fiu":
            raise TypeError(f"they are of {numbers.dtype}")
        table = torch.as_tensor(numbers.astype(np.float64), dtype=torch.float32)
        extent = None if size is None else tuple(float(value) for value in size)
    except (TypeError, ValueError, OverflowError) as error:
        raise AssetError(f"{path}: the landmarks of {name!r} are not numbers: {one_line(error)}") from error
    if table.shape != (COUNT, 2):
        raise AssetError(f"{path}: {name!r} must have {COUNT} points (x, y), found shape {tuple(table.shape)}")
    if extent is not None and (len(extent) != 2 or not all(math.isfinite(v) and v > 0 for v in extent)):
        raise AssetError(f"{path}: the size of {name!r} must be [width, height] in pixels, found {size!r}")
    if not bool(torch.isfinite(table).all()):
        return _Known(None, None, 0.0, f"the landmarks of {name!r} in {path.name} hold NaN or infinity")
    spread = float((table.amax(0) - table.amin(0)).amax())
    if spread < _LEAST_SPREAD:
        return _Known(
            None, None, 0.0, f"the landmarks of {name!r} in {path.name} lie within {spread:.3g} pixels: no face"
        )
    return _Known(table, extent)
