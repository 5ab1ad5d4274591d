"""The arrays of a face model: names, axes, types and index ranges, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError

LANDMARKS = 68
JAW_POINTS = 17  # the first landmarks: along the jaw, from ear to ear

# Array name → axes. V vertices, F triangles, N a number of modes.
ARRAYS: dict[str, tuple[str | int, ...]] = {
    "mean": ("V", 3),
    "identity_basis": ("V", 3, "I"),
    "expression_basis": ("V", 3, "E"),
    "mean_albedo": ("V", 3),
    "albedo_basis": ("V", 3, "A"),
    "faces": ("F", 3),
    "uv": ("V", 2),
    "landmarks": (LANDMARKS,),
    "skin_mask": ("V",),
    "mirror": ("V",),
}
# What whole heads have besides. G layer triangles, P polygons, J joints, K candidates of a jaw point.
OPTIONAL_ARRAYS: dict[str, tuple[str | int, ...]] = {
    "weld": ("V",),
    "part": ("F",),
    "layer_faces": ("G", 3),
    "layer_part": ("G",),
    "polygons": ("P", 4),
    "polygon_part": ("P",),
    "joint_weights": ("J", "V"),
    "skin_weights": ("V", "J"),
    "contour": (JAW_POINTS, "K"),
    "expression_limits": ("E", 2),
    "pose_correctives": ("V", 3, "C"),
}
# Left and right are the subject's. The skin is face, ears, scalp, neck and shoulders; a pupil belongs to its iris.
# The cap closes the neck from below.
PARTS = (
    "skin",
    "inner_mouth",
    "gums",
    "tongue",
    "teeth",
    "sclera_left",
    "sclera_right",
    "iris_left",
    "iris_right",
    "cornea_left",
    "cornea_right",
    "lacrimal",
    "eye_blend",
    "eye_occlusion",
    "lashes",
    "brows",
    "neck_cap",
)
_INDICES = ("faces", "landmarks", "mirror", "weld", "layer_faces", "polygons", "contour")  # of vertices
_PART_INDICES = ("part", "layer_part", "polygon_part")
_PAIRS = (("layer_faces", "layer_part"), ("polygons", "polygon_part"), ("joint_weights", "skin_weights"))
_SUM = 1e-3  # how far the weights of a joint or a vertex may sum from 1


def check_arrays(
    arrays: Mapping[str, Tensor],
    *,
    where: str,
    metadata: Mapping[str, Any] | None = None,
    error: type[Exception] = InputError,
) -> dict[str, int]:
    """Check names, axes, types and ranges of a face model's arrays, and the metadata that they refer to; return the
    sizes of the axes."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise error(f"{where}: missing {', '.join(missing)}; a face model needs {', '.join(ARRAYS)}")
    sizes: dict[str, int] = {}
    for name, axes in {**ARRAYS, **OPTIONAL_ARRAYS}.items():
        if name not in arrays:
            continue
        shape = tuple(arrays[name].shape)
        want = tuple(sizes.get(axis, axis) if isinstance(axis, str) else axis for axis in axes)
        if len(shape) != len(want) or any(isinstance(w, int) and w != s for w, s in zip(want, shape)):
            raise error(f"{where}: {name} must have shape ({', '.join(map(str, want))}), got {shape}")
        sizes.update({axis: size for axis, size in zip(axes, shape) if isinstance(axis, str)})
        dtype = arrays[name].dtype
        whole = name in _INDICES or name in _PART_INDICES
        expected = torch.int64 if whole else torch.bool if name == "skin_mask" else None
        if (expected is not None and dtype != expected) or (expected is None and not dtype.is_floating_point):
            raise error(f"{where}: {name} must be {expected or 'floating point'}, got {dtype}")
    for name in _INDICES:
        if name in arrays:
            low = -1 if name == "polygons" else 0  # −1 as the fourth corner of a triangle
            _check_range(arrays[name], low, sizes["V"] - 1, "0-based", name=name, where=where, error=error)
    _check_head(arrays, dict(metadata or {}), where, error)
    return sizes


def _check_head(arrays: Mapping[str, Tensor], metadata: dict[str, Any], where: str, error: type[Exception]) -> None:
    """The rules between optional arrays, and with the names in the metadata."""
    for pair in _PAIRS:
        if (pair[0] in arrays) != (pair[1] in arrays):
            raise error(f"{where}: {pair[0]} and {pair[1]} come together; this model has one of them")
    parts = metadata.get("parts", [])
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        raise error(f"{where}: unknown parts {', '.join(map(str, unknown))}; a head's parts are {', '.join(PARTS)}")
    for name in _PART_INDICES:
        if name in arrays:
            note = f"an index into metadata['parts'], which names {len(parts)}"
            _check_range(arrays[name], 0, len(parts) - 1, note, name=name, where=where, error=error)
    if "weld" in arrays:
        weld = arrays["weld"]
        own = torch.arange(len(weld), device=weld.device)
        if not (torch.equal(weld[weld], weld) and bool((weld <= own).all())):
            raise error(f"{where}: weld must name the lowest index among the copies of each vertex")
        if not torch.equal(arrays["mean"], arrays["mean"][weld]):
            raise error(f"{where}: weld joins vertices that are not at one place")
    if "joint_weights" in arrays:
        count, parents = arrays["joint_weights"].shape[0], metadata.get("joint_parents", [])
        if len(metadata.get("joints", [])) != count or len(parents) != count:
            raise error(f"{where}: metadata must name {count} joints and joint_parents, one per row of joint_weights")
        if not all(isinstance(parent, int) and -1 <= parent < k for k, parent in enumerate(parents)):
            raise error(f"{where}: a joint's parent must come before it (−1 for the root), got {parents}")
        for name in ("joint_weights", "skin_weights"):
            if bool(((arrays[name].sum(1) - 1).abs() > _SUM).any()):
                raise error(f"{where}: every row of {name} must sum to 1")
    if "contour" in arrays and not torch.equal(arrays["contour"][:, 0], arrays["landmarks"][:JAW_POINTS]):
        raise error(f"{where}: the first candidate of each contour line must be the landmark itself")
    if "expression_limits" in arrays:
        low, high = arrays["expression_limits"].unbind(1)
        if not bool((low <= high).all()):
            raise error(f"{where}: expression_limits must be (lowest, highest) per mode")


def _check_range(
    array: Tensor, low: int, high: int, note: str, *, name: str, where: str, error: type[Exception]
) -> None:
    if array.numel() and not (low <= int(array.min()) and int(array.max()) <= high):
        found = f"{int(array.min())} … {int(array.max())}"
        raise error(f"{where}: {name} must lie in {low} … {high} ({note}), got {found}")
