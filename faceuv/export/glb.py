"""Binary glTF 2.0: one file with geometry, materials, textures, movements and joints, opened by all engines.

glTF is in metres, right-handed, +y up, and an object's front is +z: our object frame times 0.1. Its uv are ours too.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from faceuv.errors import InputError
from faceuv.export.gltf_buffer import Buffer
from faceuv.export.gltf_geometry import Precision, primitives
from faceuv.export.gltf_materials import CLEARCOAT, SPECULAR, TEXTURE_KINDS, materials
from faceuv.export.gltf_rig import scene
from faceuv.export.mesh_file import MeshFile, linear_from_srgb
from faceuv.export.parts import ROUGHNESS
from faceuv.files.artefacts import atomic_path
from faceuv.version import __version__

__all__ = ["ROUGHNESS", "TEXTURE_KINDS", "glb_bytes", "linear_from_srgb", "save_glb"]

QUANTISATION = "KHR_mesh_quantization"


def save_glb(path: str | Path, mesh: MeshFile, *, texture_kind: str = "png", quantised: bool = False) -> Path:
    """Write ``mesh`` as one binary glTF file, atomically.

    ``texture_kind`` ``"jpeg"`` makes the diffuse texture several times smaller, with loss; normal maps are always PNG.
    ``quantised`` stores vertices in 16 and turns of normals in 8 bits, for readers that know KHR_mesh_quantization.
    """
    path = Path(path)
    data = glb_bytes(mesh, texture_kind=texture_kind, quantised=quantised)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path


def glb_bytes(mesh: MeshFile, *, texture_kind: str = "png", quantised: bool = False) -> bytes:
    """The file in memory; the same bytes for the same mesh."""
    if texture_kind not in TEXTURE_KINDS:
        raise InputError(f"texture_kind must be one of {', '.join(TEXTURE_KINDS)}, got {texture_kind!r}")
    buffer, precision = Buffer(), Precision.of(mesh, quantised)
    entry: dict[str, Any] = {"name": mesh.name, "primitives": primitives(buffer, mesh, precision)}
    if mesh.morph_targets:
        entry["weights"] = [float(mesh.morph_weights.get(name, 0.0)) for name in mesh.morph_targets]
        entry["extras"] = {"targetNames": list(mesh.morph_targets)}
        if mesh.eye_look:
            turns = {name: {"joint": joint, "rotation": list(turn)} for name, (joint, turn) in mesh.eye_look.items()}
            entry["extras"]["eyeLook"] = turns
    asset: dict[str, Any] = {"version": "2.0", "generator": f"faceuv {__version__}"}
    if mesh.licences:
        asset["extras"] = {"licences": list(mesh.licences)}
    document: dict[str, Any] = {
        "asset": asset,
        **scene(buffer, mesh, precision),
        "meshes": [entry],
        **materials(buffer, mesh, texture_kind),
    }
    if quantised:
        document |= {"extensionsUsed": [QUANTISATION], "extensionsRequired": [QUANTISATION]}
    for extension in (CLEARCOAT, SPECULAR):
        if any(extension in material.get("extensions", ()) for material in document["materials"]):
            document["extensionsUsed"] = [*document.get("extensionsUsed", []), extension]
    document |= {
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return _container(text, bytes(buffer.data))


def _container(text: bytes, binary: bytes) -> bytes:
    """Header and the two chunks, each padded to a multiple of 4 with what its kind allows."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = [struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(binary), b"BIN\0"), binary]
    return struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))) + b"".join(chunks)
