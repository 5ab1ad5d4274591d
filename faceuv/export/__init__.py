"""Files for other programs: meshes (GLB, OBJ, PLY), pictures, contact sheets and turntables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from faceuv.errors import InputError
from faceuv.export.glb import save_glb
from faceuv.export.images import contact_sheet, save_png
from faceuv.export.landmarks import draw_points
from faceuv.export.mesh_file import MeshFile
from faceuv.export.obj import save_obj
from faceuv.export.ply import save_ply
from faceuv.export.tangent import TangentFrame, tangent_frame, tangent_normal_map
from faceuv.export.video import save_video

__all__ = [
    "MESH_WRITERS",
    "MeshFile",
    "TangentFrame",
    "contact_sheet",
    "draw_points",
    "save_glb",
    "save_mesh",
    "save_obj",
    "save_ply",
    "save_png",
    "save_video",
    "tangent_frame",
    "tangent_normal_map",
]

MESH_WRITERS: dict[str, Callable[[str | Path, MeshFile], Path]] = {".glb": save_glb, ".obj": save_obj, ".ply": save_ply}


def save_mesh(path: str | Path, mesh: MeshFile) -> Path:
    """Write ``mesh`` in the format that the suffix names: ``.glb``, ``.obj`` or ``.ply``, in metres, +y up."""
    path = Path(path)
    writer = MESH_WRITERS.get(path.suffix.lower())
    if writer is None:
        ending = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise InputError(f"cannot write a mesh to {path.name!r} with {ending}; known: {', '.join(MESH_WRITERS)}")
    return writer(path, mesh)
