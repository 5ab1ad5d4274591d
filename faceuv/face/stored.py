"""A face in a ``.safetensors`` file: written and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from faceuv.checks import check_finite, check_floating, shown
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.surfaces import surface_from, surface_tensors
from faceuv.models.faces import FaceModel
from faceuv.models.faces.building import Config, build_face_model, build_renderer, stored_face_model
from faceuv.models.faces.hair.worn import stored_hair
from faceuv.renderers import Renderer
from faceuv.structures import Coefficients, UVMaps

if TYPE_CHECKING:
    from faceuv.face.person import Person

FILE_KIND = "face"
MAPS = ("diffuse", "displacement", "roughness")

AnyFace = TypeVar("AnyFace", bound="Person")


def write_face(path: Path, face: Person, *, half: bool = False) -> Path:
    """Write coefficients, maps (in half precision with ``half``), hair and the name of the face model, or the given
    surface."""
    metadata = {"kind": FILE_KIND, **(face.metadata or {})}
    if face.given is not None:
        tensors, camera = surface_tensors(face.given)
        return save_tensors(path, tensors, {**metadata, "camera": camera})
    coefficients, model = face.model_of("saving")
    tensors = {"coefficients": coefficients.data.cpu().contiguous()}
    for name in MAPS:
        value = getattr(face.maps, name, None)
        if value is not None:
            halved = value.half() if half else value
            tensors[name] = (halved if bool(halved.isfinite().all()) else value).cpu().contiguous()  # beyond 65,504
    if face.hair is not None:
        metadata["hair"] = face.hair.facts()
    return save_tensors(path, tensors, {**metadata, "face_model": model.config()})


def read_face(
    kind: type[AnyFace],
    path: str | Path,
    *,
    face_model: Config | FaceModel | None = None,
    renderer: Config | Renderer | None = None,
) -> AnyFace:
    """The face of class ``kind`` in a file of :func:`write_face`; its face model is the one it names unless given."""
    tensors, metadata = load_tensors(path, kind=FILE_KIND)
    if "vertices" in tensors:
        kept = {key: value for key, value in metadata.items() if key not in ("kind", "faceuv_version", "camera")}
        surface = surface_from(tensors, metadata.get("camera"), where=str(path))
        return kind(None, None, build_renderer(renderer), metadata=kept, given=surface)
    wrong = sorted(set(tensors) - {"coefficients", *MAPS})
    if "coefficients" not in tensors or wrong:
        raise AssetError(
            f"{path}: a face holds 'coefficients' and may hold 'diffuse', 'displacement' and 'roughness', found"
            f" {shown(sorted(tensors))}; save the face again"
        )
    model = stored_face_model(path, metadata.get("face_model")) if face_model is None else build_face_model(face_model)
    hair = stored_hair(path, metadata.get("hair"))
    kept = {key: value for key, value in metadata.items() if key not in ("kind", "faceuv_version", "hair")}
    try:
        for name, value in tensors.items():
            check_floating(name, value)
            check_finite(name, value)
        values = {name: value.to(model.mean) for name, value in tensors.items()}
        coefficients = Coefficients(values.pop("coefficients"), model.layout)
        made = kind(coefficients, model, build_renderer(renderer), UVMaps(**values) if values else None, kept)
        return replace(made, hair=hair)
    except InputError as error:
        raise AssetError(f"{path} holds no face of this face model: {error}; save the face again") from error
