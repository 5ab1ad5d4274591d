"""Files for other programs: meshes (GLB, OBJ, PLY, USD), pictures, contact sheets and turntables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from faceuv.errors import InputError
from faceuv.export.glb import save_glb
from faceuv.export.images import contact_sheet, save_png
from faceuv.export.landmarks import draw_points
from faceuv.export.lod import check_levels, coarser
from faceuv.export.mesh_file import MeshFile
from faceuv.export.obj import save_obj
from faceuv.export.parts import Material, Part
from faceuv.export.ply import save_ply
from faceuv.export.rig import Animation, Skeleton
from faceuv.export.tangent import TangentFrame, tangent_frame, tangent_normal_map
from faceuv.export.usd import SUFFIXES, save_usd
from faceuv.export.video import save_video

__all__ = [
    "MESH_WRITERS",
    "MOVING",
    "Animation",
    "Material",
    "MeshFile",
    "Part",
    "Skeleton",
    "TangentFrame",
    "contact_sheet",
    "draw_points",
    "save_glb",
    "save_mesh",
    "save_obj",
    "save_ply",
    "save_png",
    "save_usd",
    "save_video",
    "tangent_frame",
    "tangent_normal_map",
]

MESH_WRITERS: dict[str, Callable[[str | Path, MeshFile], Path]] = {
    ".glb": save_glb,
    ".obj": save_obj,
    ".ply": save_ply,
    **dict.fromkeys(SUFFIXES, save_usd),
}
MOVING = (".glb", *SUFFIXES)
"""Formats that hold morph targets, joints and animations."""


def save_mesh(path: str | Path, mesh: MeshFile, *, quantised: bool = False, lod: int | None = None) -> Path:
    """Write ``mesh`` in the format that the suffix names: ``.glb``, ``.obj``, ``.ply`` or ``.usd…``, in metres, +y up.

    ``quantised`` is for GLB. ``lod`` writes that many coarser files besides, ``NAME_lod1`` and so on.
    """
    path = Path(path)
    writer = MESH_WRITERS.get(path.suffix.lower())
    if writer is None:
        ending = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise InputError(f"cannot write a mesh to {path.name!r} with {ending}; known: {', '.join(MESH_WRITERS)}")
    if quantised and writer is not save_glb:
        raise InputError(f"{path.suffix} files have no quantised form; write a .glb")
    levels = [] if lod is None else coarser(mesh, check_levels(lod))
    write = partial(save_glb, quantised=True) if quantised else writer
    for number, level in reversed(list(enumerate(levels, 1))):
        write(path.with_name(f"{path.stem}_lod{number}{path.suffix}"), level)
    return write(path, mesh)
