"""Wavefront OBJ: a text file, with its material and textures beside it under relative names.

Units and axes are those of our GLB: metres, +y up, +z out of the face. OBJ's v grows upward, so v is flipped here.
OBJ knows neither tangents nor blend shapes; a normal map is named in the material (``norm``), with glTF's green up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from faceuv.export.images import encode
from faceuv.export.mesh_file import MeshFile
from faceuv.export.parts import ROUGHNESS
from faceuv.files.artefacts import atomic_path
from faceuv.version import __version__


def save_obj(path: str | Path, mesh: MeshFile) -> Path:
    """Write ``NAME.obj``, ``NAME.mtl`` and the textures ``NAME_diffuse.png``, ``NAME_normal.png`` that the mesh has;
    with vertex colours the OBJ alone, because a white material would hide them.

    Every file is complete before any of them appears, and the OBJ appears last: it never names a missing one.
    """
    path = Path(path)
    stem = "_".join(path.stem.split())  # names inside OBJ and MTL end at white space
    textures = {
        f"{stem}_{kind}.png": encode(picture, name=kind)
        for kind, picture in (("diffuse", mesh.diffuse), ("normal", mesh.normal_map))
        if picture is not None
    }
    contents = {path.name: _geometry(mesh, f"{stem}.mtl").encode()}
    if mesh.colours is None:
        contents |= {f"{stem}.mtl": _material(mesh, stem).encode(), **textures}
    with ExitStack() as files:  # leaves in reverse order: the textures take their names first, the OBJ last
        for name, data in contents.items():
            files.enter_context(atomic_path(path.with_name(name))).write_bytes(data)
    return path


def _geometry(mesh: MeshFile, material_file: str) -> str:
    lines = [f"# {mesh.name}, written by faceuv {__version__}; metres, +y up, +z out of the face"]
    if mesh.metadata:
        lines.append(f"# {json.dumps(mesh.metadata, ensure_ascii=False, sort_keys=True)}")
    if mesh.colours is None:
        lines.append(f"mtllib {material_file}")
    lines.append(f"o {mesh.name}")
    # Colours behind the position are a wide-spread extension; readers that do not know it ignore them.
    points = mesh.metres if mesh.colours is None else np.concatenate([mesh.metres, mesh.colours], 1)
    lines += _rows("v", points)
    if mesh.uv is not None:
        lines += _rows("vt", np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], 1))
    lines += _rows("vn", mesh.normals)
    if mesh.colours is None:
        lines.append(f"usemtl {_material_name(mesh)}")
    lines.append("s 1")
    corner = "{0}/{0}/{0}" if mesh.uv is not None else "{0}//{0}"
    corners = [corner.format(k + 1) for k in range(len(mesh.vertices))]
    lines += [f"f {corners[a]} {corners[b]} {corners[c]}" for a, b, c in mesh.faces.tolist()]
    return "\n".join(lines) + "\n"


def _rows(keyword: str, array: np.ndarray) -> Iterable[str]:
    """One line per row; nine digits bring every float32 back exactly."""
    row = keyword + " %.9g" * array.shape[1]
    return (row % tuple(values) for values in array.tolist())


def _material_name(mesh: MeshFile) -> str:
    return "_".join(f"{mesh.name} skin".split())


def _material(mesh: MeshFile, stem: str) -> str:
    exponent = 2 / ROUGHNESS**4 - 2  # the Blinn-Phong exponent of the GLB's roughness
    lines = [f"newmtl {_material_name(mesh)}", "Ka 0 0 0", "Kd 1 1 1", "Ks 0.04 0.04 0.04", f"Ns {exponent:.4g}"]
    lines += ["illum 2", f"Pr {ROUGHNESS}", "Pm 0"]
    if mesh.diffuse is not None:
        lines.append(f"map_Kd {stem}_diffuse.png")
    if mesh.normal_map is not None:
        lines.append(f"norm {stem}_normal.png")
    return "\n".join(lines) + "\n"
