"""Wavefront OBJ: a text file, with its materials and textures beside it under relative names.

Units and axes are those of our GLB: metres, +y up, +z out of the face. OBJ's v grows upward, so v is flipped here.
Parts are groups with materials of their own; faces are quads where the face model has them, as modelling tools like it.
OBJ knows neither tangents nor blend shapes nor joints; a normal map is named in the material (``norm``), with glTF's
green up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from faceuv.export.images import encode
from faceuv.export.mesh_file import MeshFile
from faceuv.export.parts import Material, Part
from faceuv.export.png import fast_png
from faceuv.files.artefacts import atomic_path
from faceuv.version import __version__


def save_obj(path: str | Path, mesh: MeshFile) -> Path:
    """Write ``NAME.obj``, ``NAME.mtl`` and the textures ``NAME_diffuse.png``, ``NAME_normal.png`` that the mesh has,
    and ``NAME_PART.png`` of parts with a picture of their own; with vertex colours the OBJ alone, because a white
    material would hide them.

    Every file is complete before any of them appears, and the OBJ appears last: it never names a missing one.
    """
    path = Path(path)
    stem = "_".join(path.stem.split())  # names inside OBJ and MTL end at white space
    textures = {
        f"{stem}_{kind}.png": encode(picture, name=kind)
        for kind, picture in (("diffuse", mesh.diffuse), ("normal", mesh.normal_map))
        if picture is not None
    }
    for part in mesh.parts:
        if part.material.picture is not None:
            levels = np.rint(part.material.picture.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
            textures[f"{stem}_{part.name}.png"] = fast_png(levels)
    contents = {path.name: _geometry(mesh, f"{stem}.mtl").encode()}
    if mesh.colours is None:
        contents |= {f"{stem}.mtl": _materials(mesh, stem).encode(), **textures}
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
    start = 1  # of the texture coordinates of a part
    if mesh.uv is not None:
        lines += _texture_rows(mesh.uv)
        start += len(mesh.uv)
    lines += _rows("vn", mesh.normals)
    for part in mesh.parts:
        own = 1 if mesh.uv is not None else None
        if part.uv is not None:  # its rows stand before its faces, for its vertices alone
            used = np.unique(part.faces)
            lines += _texture_rows(part.uv[used])
            own, start = start, start + len(used)
        if len(mesh.parts) > 1:
            lines.append(f"g {part.name}")
        if mesh.colours is None:
            lines.append(f"usemtl {_material_name(part.material)}")
        lines.append("s 1")
        lines += _face_rows(part, own)
    return "\n".join(lines) + "\n"


def _face_rows(part: Part, start: int | None) -> Iterator[str]:
    """``f`` lines of a part, whose texture coordinates begin at number ``start``; quads where there are some."""
    faces = part.faces if part.polygons is None else part.polygons
    used = np.unique(part.faces)
    local = np.searchsorted(used, faces) if part.uv is not None else faces
    for row, texture in zip(faces.tolist(), local.tolist()):
        corners = [
            f"{v + 1}/{start + t}/{v + 1}" if start is not None else f"{v + 1}//{v + 1}"
            for v, t in zip(row, texture)
            if v >= 0  # −1 stands for the missing corner of a triangle
        ]
        yield "f " + " ".join(corners)


def _texture_rows(uv: np.ndarray) -> Iterable[str]:
    return _rows("vt", np.stack([uv[:, 0], 1 - uv[:, 1]], 1))


def _rows(keyword: str, array: np.ndarray) -> Iterable[str]:
    """One line per row; nine digits bring every float32 back exactly."""
    row = keyword + " %.9g" * array.shape[1]
    return (row % tuple(values) for values in array.tolist())


def _material_name(material: Material) -> str:
    return "_".join(material.name.split())


def _materials(mesh: MeshFile, stem: str) -> str:
    lines = [line for part in mesh.parts for line in _material(mesh, part, stem)]
    return "\n".join(lines) + "\n"


def _material(mesh: MeshFile, part: Part, stem: str) -> list[str]:
    material = part.material
    exponent = 2 / max(material.roughness, 0.05) ** 4 - 2  # the Blinn-Phong exponent of the GLB's roughness
    red, green, blue, opacity = material.colour
    lines = [f"newmtl {_material_name(material)}", "Ka 0 0 0", f"Kd {red:.4g} {green:.4g} {blue:.4g}"]
    lines += ["Ks 0.04 0.04 0.04", f"Ns {exponent:.4g}", "illum 2", f"Pr {material.roughness:g}", "Pm 0"]
    if material.clearcoat:
        lines += [f"Pc {material.clearcoat:g}", f"Pcr {material.clearcoat_roughness:g}"]
    if opacity < 1:
        lines.append(f"d {opacity:g}")
    if material.picture is not None:
        lines += [f"map_Kd {stem}_{part.name}.png", f"map_d -imfchan m {stem}_{part.name}.png"]
    elif mesh.diffuse is not None and material.textured:
        lines.append(f"map_Kd {stem}_diffuse.png")
    if mesh.normal_map is not None and material.detail:
        lines.append(f"norm {stem}_normal.png")
    return lines
