"""Binary little-endian PLY: one file of vertices with normals and colours, read by every point-cloud and scan tool.

Units and axes are those of our GLB: metres, +y up, +z out of the face. PLY has no agreed way to carry a texture, so a
diffuse map is sampled at the vertices: the file stands alone, at the mesh's resolution. The texture coordinates are
kept (``s``, ``t`` with t up, as its readers expect).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from faceuv.export.mesh_file import MeshFile
from faceuv.files.artefacts import atomic_path
from faceuv.geometry.uv import sample_map
from faceuv.version import __version__


def save_ply(path: str | Path, mesh: MeshFile) -> Path:
    """Write ``mesh`` as one PLY file, atomically. Colours are display-referred 8-bit values."""
    path = Path(path)
    columns: dict[str, np.ndarray] = _columns(("x", "y", "z"), mesh.metres) | _columns(("nx", "ny", "nz"), mesh.normals)
    if mesh.uv is not None:
        columns |= _columns(("s", "t"), np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], 1))
    colours = _colours(mesh)
    if colours is not None:
        columns |= _columns(("red", "green", "blue"), colours)

    kinds = [(name, column.dtype.newbyteorder("<")) for name, column in columns.items()]
    vertices = np.empty(len(mesh.vertices), kinds)
    for name, column in columns.items():
        vertices[name] = column
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("indices", "<i4", (3,))])
    faces["count"], faces["indices"] = 3, mesh.faces

    words = {"f": "float", "u": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"comment {mesh.name}, written by faceuv {__version__}"]
    header += ["comment metres, +y up, +z out of the face"]
    if mesh.metadata:
        header.append(f"comment {json.dumps(mesh.metadata, sort_keys=True)}")
    header.append(f"element vertex {len(vertices)}")
    header += [f"property {words[column.dtype.kind]} {name}" for name, column in columns.items()]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    with atomic_path(path) as temporary:
        temporary.write_bytes("\n".join([*header, ""]).encode() + vertices.tobytes() + faces.tobytes())
    return path


def _columns(names: tuple[str, ...], array: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[:, k] for k, name in enumerate(names)}


def _colours(mesh: MeshFile) -> np.ndarray | None:
    """``(V, 3)`` uint8, from the vertex colours or else from the diffuse map."""
    colours = mesh.colours
    if colours is None and mesh.diffuse is not None and mesh.uv is not None:
        colours = sample_map(torch.from_numpy(mesh.diffuse)[None], torch.from_numpy(mesh.uv))[0].numpy()
    return None if colours is None else np.round(colours.clip(0, 1) * 255).astype(np.uint8)
