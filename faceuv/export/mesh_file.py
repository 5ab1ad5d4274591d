"""The content of a mesh file of any format: one checked surface with its textures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.export.tangent import tangent_frame, unit_normals

METRES_PER_DECIMETRE = 0.1  # files are in metres, everything in memory in decimetres
_RANGE_TOLERANCE = 1e-3  # of an 8-bit picture's step, roughly a quarter: rounding, not another range

Array = np.ndarray | Tensor


@dataclass(frozen=True, eq=False)
class MeshFile:
    """One surface, ready to be written; make it with :meth:`build`, which takes tensors or arrays and checks them.

    vertices (V, 3)       float32, decimetres, object frame (+x viewer's right, +y up, +z out of the face)
    faces (F, 3)          int64, 0-based, counter-clockwise from outside
    uv (V, 2)             float32, (0, 0) upper left, v down
    normals (V, 3)        float32, unit length
    tangents (V, 4)       float32, unit xyz and handedness ±1, see :func:`~faceuv.export.tangent.tangent_frame`
    diffuse (3, H, W)     float32 in [0, 1], display-referred (sRGB values), row 0 on top
    normal_map (3, H, W)  float32 in [0, 1], tangent space, green up, in the frame of ``normals`` and ``tangents``
    colours (V, 3)        float32 in [0, 1], display-referred; instead of a diffuse map
    morph_targets         name → (V, 3) offsets in decimetres, for a weight of 1
    name, metadata        the object's name and JSON values that are kept with it (seed, model, …)
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    uv: np.ndarray | None = None
    tangents: np.ndarray | None = None
    diffuse: np.ndarray | None = None
    normal_map: np.ndarray | None = None
    colours: np.ndarray | None = None
    morph_targets: Mapping[str, np.ndarray] = field(default_factory=dict)
    name: str = "face"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        vertices: Array,
        faces: Array,
        *,
        uv: Array | None = None,
        normals: Array | None = None,
        tangents: Array | None = None,
        diffuse: Array | None = None,
        normal_map: Array | None = None,
        colours: Array | None = None,
        morph_targets: Mapping[str, Array] | None = None,
        name: str = "face",
        metadata: Mapping[str, Any] | None = None,
    ) -> MeshFile:
        """Check and convert. Absent ``normals`` become area-weighted ones; absent ``tangents`` are made if a normal
        map needs them. A normal map needs ``uv``, so does a diffuse map, and a diffuse map excludes ``colours``."""
        points = _floats("vertices", vertices, ("V", 3), {})
        count = len(points)
        if count == 0:
            raise InputError("vertices is empty: there is no surface to write")
        sizes = {"V": count}
        triangles = _faces(faces, count)
        coordinates = None if uv is None else _floats("uv", uv, ("V", 2), sizes)
        for map_name, value in (("diffuse", diffuse), ("normal_map", normal_map)):
            if value is not None and coordinates is None:
                raise InputError(
                    f"{map_name} was given without uv (V, 2), which says where its texels lie: pass uv too"
                )
        if diffuse is not None and colours is not None:
            raise InputError("give a diffuse map or vertex colours, not both: viewers would multiply one by the other")
        directions = None if normals is None else _floats("normals", normals, ("V", 3), sizes)
        paint = None if colours is None else _in_unit_range("colours", _floats("colours", colours, ("V", 3), sizes))
        sides = None if tangents is None else _unit_tangents(_floats("tangents", tangents, ("V", 4), sizes))
        directions, made = _frame(points, triangles, coordinates, directions)
        if sides is None and normal_map is not None:
            sides = made
        return cls(
            vertices=points,
            faces=triangles,
            normals=directions,
            uv=coordinates,
            tangents=sides,
            diffuse=None if diffuse is None else _picture("diffuse", diffuse),
            normal_map=None if normal_map is None else _picture("normal_map", normal_map),
            colours=paint,
            morph_targets={
                str(key): _floats(f"the morph target {key!r}", offsets, ("V", 3), sizes)
                for key, offsets in (morph_targets or {}).items()
            },
            name=_one_line(name),
            metadata=_json_values(metadata or {}),
        )

    @property
    def metres(self) -> np.ndarray:
        """The vertices in metres ``(V, 3)`` float32: the unit of every file."""
        return in_metres(self.vertices)


def in_metres(decimetres: np.ndarray) -> np.ndarray:
    """Positions or offsets from decimetres to metres, float32, rounded once."""
    return (decimetres.astype(np.float64) * METRES_PER_DECIMETRE).astype(np.float32)


def area_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals ``(V, 3)`` of ``vertices (V, 3)``."""
    return unit_normals(torch.from_numpy(vertices)[None].double(), torch.from_numpy(faces))[0].numpy()


def _frame(
    points: np.ndarray, faces: np.ndarray, uv: np.ndarray | None, normals: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Unit normals, and tangents if there is a chart; in float64, where the squares of any float32 are finite."""
    vertices, triangles = torch.from_numpy(points)[None].double(), torch.from_numpy(faces)
    given = None if normals is None else torch.from_numpy(normals)[None].double()
    chart = torch.zeros(len(points), 2) if uv is None else torch.from_numpy(uv)
    frame = tangent_frame(vertices, triangles, chart.double(), normals=given)
    tangents = None if uv is None else frame.tangent[0].float().numpy()
    return frame.normal[0].float().numpy(), tangents


def _numpy(name: str, value: Array) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # numpy knows no bfloat16
    if isinstance(value, np.ndarray):
        return value
    raise InputError(f"{name} must be a torch.Tensor or a numpy array, got {type(value).__name__}")


def _floats(name: str, value: Array, shape: tuple[str | int, ...], sizes: dict[str, int]) -> np.ndarray:
    array = _numpy(name, value)
    fits = array.ndim == len(shape) and all(
        size == (sizes.get(axis, size) if isinstance(axis, str) else axis) for size, axis in zip(array.shape, shape)
    )
    if not fits:
        known = "".join(f", {axis} = {size}" for axis, size in sizes.items() if axis in shape)
        batch = "; files hold one surface: index the batch first" if array.ndim == len(shape) + 1 else ""
        raise InputError(f"{name} must have shape ({', '.join(map(str, shape))}){known}, got {array.shape}{batch}")
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{name} must be floating point, got {array.dtype}")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, an error below
        array = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(array)
    if not finite.all():
        rows = np.unique(np.nonzero(~finite)[0])
        where = ", ".join(map(str, rows[:5])) + (" …" if len(rows) > 5 else "")
        raise InputError(
            f"{name} holds NaN, infinity or values beyond float32 in {len(rows)} row(s) ({where}):"
            " nothing can be written from it"
        )
    return array


def _faces(value: Array, count: int) -> np.ndarray:
    array = _numpy("faces", value)
    if array.ndim != 2 or array.shape[1] != 3 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"faces must be integers of shape (F, 3), got {array.dtype} {array.shape}")
    if len(array) == 0:
        raise InputError("faces is empty: there is no surface to write")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= count:
        raise InputError(f"faces must name vertices 0 … {count - 1} (0-based), got {low} … {high}")
    return np.ascontiguousarray(array, dtype=np.int64)


def _picture(name: str, value: Array) -> np.ndarray:
    array = _floats(name, value, (3, "H", "W"), {})
    if array.shape[1] == 0 or array.shape[2] == 0:
        raise InputError(f"{name} is empty: expected (3, H, W) with at least one texel, got {array.shape}")
    return _in_unit_range(name, array)


def _in_unit_range(name: str, array: np.ndarray) -> np.ndarray:
    low, high = float(array.min()), float(array.max())
    if low < -_RANGE_TOLERANCE or high > 1 + _RANGE_TOLERANCE:
        raise InputError(
            f"{name} must lie in [0, 1], got {low:.4g} … {high:.4g}; clamp it, or map [−1, 1] or 0 … 255 there"
        )
    return array.clip(0, 1)


def _unit_tangents(tangents: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(tangents[:, :3], axis=1, keepdims=True)
    if float(length.min()) < 1e-12:
        raise InputError("tangents must have xyz of non-zero length; leave them out to have them made from uv")
    return np.concatenate([tangents[:, :3] / length, np.where(tangents[:, 3:] < 0, -1, 1)], 1).astype(np.float32)


def _one_line(name: str) -> str:
    if not name or not name.isprintable():
        raise InputError(f"the name must be a non-empty printable line, got {name!r}")
    return name


def _json_values(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata as a reader gets it back; values that JSON cannot hold are an error."""
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False, sort_keys=True)
        values = json.loads(text.encode())  # half a surrogate pair passes dumps and fails here
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata must be JSON values (text, finite numbers, lists, dicts): {error}") from error
    return dict(values)
