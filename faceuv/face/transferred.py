"""The same people with the topology of another face model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from faceuv.export.textures import check_texture_size
from faceuv.models.faces import FaceModel
from faceuv.models.faces.building import Config, build_face_model, name_of
from faceuv.structures import Coefficients, UVMaps

if TYPE_CHECKING:
    from faceuv.face.person import Person

TEXTURE_SIZE = 1024  # of the linear albedo, when there is no diffuse map of its own

AnyFace = TypeVar("AnyFace", bound="Person")


def to_face_model(
    faces: Sequence[AnyFace], face_model: Config | FaceModel, *, texture_size: int = TEXTURE_SIZE
) -> list[AnyFace]:
    """Faces with the topology of another face model, as :meth:`Face.to_model` makes them; faces of one model whose maps
    have one size are transferred in one batch."""
    from faceuv.models.faces.transfer import between  # scipy's solvers, for those who transfer

    texture_size, target = check_texture_size(texture_size), build_face_model(face_model)
    made = list(faces)
    batches: dict[Any, list[int]] = {}
    for k, face in enumerate(faces):
        _, model = face.model_of("a transfer to another face model")
        if model is not target:
            shapes = [getattr(getattr(face.maps, name, None), "shape", None) for name in ("diffuse", "displacement")]
            batches.setdefault((id(model), face.renderer.camera, *shapes), []).append(k)
    for rows in batches.values():
        first = faces[rows[0]]
        coefficients, model = first.model_of("a transfer to another face model")
        target.to(coefficients.data.device)
        layout = coefficients.layout
        people = Coefficients(torch.cat([faces[k].coefficients.data for k in rows]), layout)  # type: ignore[union-attr]
        maps = {
            name: torch.cat([getattr(faces[k].maps, name) for k in rows])
            for name in ("diffuse", "displacement")
            if getattr(first.maps, name, None) is not None
        }
        new, drawn = between(model, target).people(
            people, UVMaps(**maps), size=texture_size, camera=first.renderer.camera
        )
        names = {"face_model": name_of(target), "transferred_from": name_of(model)}
        for row, k in enumerate(rows):
            own = {
                name: getattr(drawn, name)[row : row + 1]
                for name in ("diffuse", "displacement")
                if getattr(drawn, name) is not None
            }
            kept = {**(faces[k].metadata or {}), **names}
            made[k] = replace(faces[k], coefficients=new[row], face_model=target, maps=UVMaps(**own), metadata=kept)
    return made
