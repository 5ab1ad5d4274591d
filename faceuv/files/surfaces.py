"""Surfaces in files: the tensors of one, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from faceuv.errors import AssetError, FaceUVError
from faceuv.structures import Camera, Mesh, Surface

_OPTIONAL = ("lighting", "diffuse", "vertex_colours", "normal_map")


def surface_tensors(surface: Surface) -> tuple[dict[str, Tensor], dict[str, float] | None]:
    """The tensors of a surface by name, and its camera as JSON."""
    mesh = surface.mesh
    found = {
        "vertices": mesh.vertices,
        "faces": mesh.faces,
        "uv": mesh.uv,
        "weld": mesh.weld,
        "rotation": surface.rotation,
    }
    found |= {"translation": surface.translation, **{name: getattr(surface, name) for name in _OPTIONAL}}
    kept = {name: value.detach().cpu().contiguous() for name, value in found.items() if value is not None}
    return kept, None if surface.camera is None else asdict(surface.camera)


def surface_from(tensors: Mapping[str, Tensor], camera: Mapping[str, Any] | None, *, where: str) -> Surface:
    """The surface of :func:`surface_tensors`; ``where`` is the file, for the error."""
    missing = [name for name in ("vertices", "faces", "rotation", "translation") if name not in tensors]
    if missing:
        raise AssetError(f"{where}: this surface has no {', '.join(missing)}; write the file again")
    try:
        mesh = Mesh(tensors["vertices"], tensors["faces"], tensors.get("uv"), tensors.get("weld")).check_faces()
        return Surface(
            mesh,
            tensors["rotation"],
            tensors["translation"],
            camera=None if camera is None else Camera(**camera),
            **{name: tensors[name] for name in _OPTIONAL if name in tensors},
        )
    except (FaceUVError, TypeError) as error:
        raise AssetError(f"{where}: its tensors are no surface: {error}") from error
