"""Binary glTF 2.0: one file with geometry, material, textures and blend shapes, opened by every viewer and engine.

glTF is in metres, right-handed, +y up, and an object's front is +z: our object frame times 0.1. Its uv are ours too.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from faceuv.errors import InputError
from faceuv.export.images import encode
from faceuv.export.mesh_file import MeshFile, area_normals, in_metres
from faceuv.files.artefacts import atomic_path
from faceuv.version import __version__

ROUGHNESS = 0.55  # skin under studio light: a soft highlight, no gloss
TEXTURE_KINDS = {"png": "image/png", "jpeg": "image/jpeg"}

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


def save_glb(path: str | Path, mesh: MeshFile, *, texture_kind: str = "png") -> Path:
    """Write ``mesh`` as one binary glTF file, atomically.

    ``texture_kind`` ``"jpeg"`` makes the diffuse texture several times smaller, with loss; normal maps are always PNG.
    """
    path = Path(path)
    data = glb_bytes(mesh, texture_kind=texture_kind)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path


def glb_bytes(mesh: MeshFile, *, texture_kind: str = "png") -> bytes:
    """The file in memory; the same bytes for the same mesh."""
    if texture_kind not in TEXTURE_KINDS:
        raise InputError(f"texture_kind must be one of {', '.join(TEXTURE_KINDS)}, got {texture_kind!r}")
    buffer = _Buffer()
    primitive: dict[str, Any] = {
        "attributes": _attributes(buffer, mesh),
        "indices": _indices(buffer, mesh),
        "material": 0,
    }
    entry: dict[str, Any] = {"name": mesh.name, "primitives": [primitive]}
    if mesh.morph_targets:
        primitive["targets"] = _morph_targets(buffer, mesh)
        entry["weights"] = [0.0] * len(mesh.morph_targets)
        entry["extras"] = {"targetNames": list(mesh.morph_targets)}
    node: dict[str, Any] = {"name": mesh.name, "mesh": 0}
    if mesh.metadata:
        node["extras"] = mesh.metadata
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"faceuv {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [entry],
        **_material(buffer, mesh, texture_kind),
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return _container(text, bytes(buffer.data))


class _Buffer:
    """The binary chunk as it grows, with the views and accessors that describe it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes at a multiple of 4, as every component type here demands; return the view's index."""
        self.data.extend(b"\0" * (-len(self.data) % 4))
        entry = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        if target is not None:
            entry["target"] = target
        self.data.extend(data)
        self.views.append(entry)
        return len(self.views) - 1

    def floats(self, array: np.ndarray, *, bounds: bool = False) -> int:
        """A float32 vertex attribute (V, n); glTF demands ``bounds`` for positions."""
        accessor = {"bufferView": self.view(array.astype("<f4").tobytes(), _ARRAY_BUFFER), "componentType": _FLOAT}
        return self._accessor(accessor, array, bounds)

    def sparse(self, array: np.ndarray, *, bounds: bool = False) -> int:
        """The same for an array that is zero at most vertices: only the others are stored, where that is smaller."""
        moved = np.flatnonzero(array.any(axis=1))
        kind, code = _index_kind(len(array))
        if len(moved) * (kind.itemsize + 12) >= array.size * 4:
            return self.floats(array, bounds=bounds)
        moved = moved if len(moved) else np.zeros(1, np.int64)  # glTF allows no empty list; vertex 0 "moves" by zero
        stored = {
            "count": len(moved),
            "indices": {"bufferView": self.view(moved.astype(kind).tobytes()), "componentType": code},
            "values": {"bufferView": self.view(array[moved].astype("<f4").tobytes())},
        }
        return self._accessor({"componentType": _FLOAT, "sparse": stored}, array, bounds)

    def scalars(self, array: np.ndarray, kind: np.dtype, code: int) -> int:
        accessor = {"bufferView": self.view(array.astype(kind).tobytes(), _ELEMENT_ARRAY_BUFFER), "componentType": code}
        return self._accessor(accessor, array[:, None], bounds=False)

    def _accessor(self, accessor: dict[str, Any], array: np.ndarray, bounds: bool) -> int:
        accessor |= {"count": len(array), "type": _TYPES[array.shape[1]]}
        if bounds:
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _index_kind(count: int) -> tuple[np.dtype, int]:
    """The smallest index type for ``count`` vertices; its largest value is reserved by graphics APIs."""
    return (np.dtype("<u2"), _UINT16) if count <= 65535 else (np.dtype("<u4"), _UINT32)


def _indices(buffer: _Buffer, mesh: MeshFile) -> int:
    return buffer.scalars(mesh.faces.reshape(-1), *_index_kind(len(mesh.vertices)))


def _attributes(buffer: _Buffer, mesh: MeshFile) -> dict[str, int]:
    attributes = {"POSITION": buffer.floats(mesh.metres, bounds=True), "NORMAL": buffer.floats(mesh.normals)}
    if mesh.tangents is not None:
        attributes["TANGENT"] = buffer.floats(mesh.tangents)
    if mesh.uv is not None:
        attributes["TEXCOORD_0"] = buffer.floats(mesh.uv)
    if mesh.colours is not None:
        attributes["COLOR_0"] = buffer.floats(linear_from_srgb(mesh.colours))
    return attributes


def _morph_targets(buffer: _Buffer, mesh: MeshFile) -> list[dict[str, int]]:
    """Offsets of positions, and of normals: without those a smile would keep the resting face's shading."""
    rest = area_normals(mesh.vertices, mesh.faces)
    targets = []
    for offsets in mesh.morph_targets.values():
        turned = area_normals(mesh.vertices + offsets, mesh.faces) - rest
        turned[np.abs(turned).max(1) < 1e-6] = 0.0  # rounding noise where nothing moved would defeat the sparse form
        targets.append({"POSITION": buffer.sparse(in_metres(offsets), bounds=True), "NORMAL": buffer.sparse(turned)})
    return targets


def _material(buffer: _Buffer, mesh: MeshFile, texture_kind: str) -> dict[str, Any]:
    """The entries ``materials``, ``images``, ``samplers`` and ``textures``; the last three only where needed."""
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    # The face is a shell, open at the back: seen from behind it should be a hollow mask, not vanish.
    material: dict[str, Any] = {"name": f"{mesh.name}_skin", "pbrMetallicRoughness": surface, "doubleSided": True}
    images: list[dict[str, Any]] = []
    if mesh.diffuse is not None:
        data = encode(mesh.diffuse, kind=texture_kind.upper(), name="diffuse")
        surface["baseColorTexture"] = {"index": len(images)}
        images.append({"name": "diffuse", "mimeType": TEXTURE_KINDS[texture_kind], "bufferView": buffer.view(data)})
    if mesh.normal_map is not None:
        data = encode(mesh.normal_map, name="normal_map")
        material["normalTexture"] = {"index": len(images)}
        images.append({"name": "normal", "mimeType": "image/png", "bufferView": buffer.view(data)})
    if not images:
        return {"materials": [material]}
    sampler = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}
    textures = [{"sampler": 0, "source": k} for k in range(len(images))]
    return {"materials": [material], "images": images, "samplers": [sampler], "textures": textures}


def linear_from_srgb(colours: np.ndarray) -> np.ndarray:
    """Display-referred → linear light, float32: glTF's vertex colours are linear, its colour textures are not."""
    low = colours <= 0.04045
    return np.where(low, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _container(text: bytes, binary: bytes) -> bytes:
    """Header and the two chunks, each padded to a multiple of 4 with what its kind allows."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = [struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(binary), b"BIN\0"), binary]
    return struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))) + b"".join(chunks)
