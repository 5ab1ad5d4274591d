"""The class that people use: how a face is made, and the files that it writes and is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from faceuv.checks import file_path, whole_number
from faceuv.export import MOVING, Animation, save_mesh
from faceuv.export.movements import EyesBy
from faceuv.export.page import save_page
from faceuv.face.pictured import PicturedPerson
from faceuv.face.stored import read_face, write_face
from faceuv.face.transferred import TEXTURE_SIZE
from faceuv.models.faces import FaceModel
from faceuv.models.faces.appearance import has_appearance
from faceuv.models.faces.building import Config, build_face_model, build_renderer, name_of
from faceuv.renderers import Renderer
from faceuv.structures import Coefficients, Surface


class Face(PicturedPerson):
    """One face: a :class:`~faceuv.structures.Surface`, its renderer, and methods that change it and write files.

    The surface comes from the coefficients of a face model, with or without UV maps; or a method without a face model
    gives it directly (:meth:`of_surface`). Expressions and raw coefficients need a face model.

    Every ``with_…`` returns a new face. Angles are degrees here and only here; ``yaw_deg`` > 0 turns to the viewer's
    right, ``pitch_deg`` > 0 looks down, ``roll_deg`` > 0 tilts counter-clockwise in the picture.
    """

    @classmethod
    def mean(cls, *, face_model: Config | FaceModel | None = None, renderer: Config | Renderer | None = None) -> Face:
        """The mean face at rest, from the front, under the studio light."""
        model = build_face_model(face_model)
        coefficients = Coefficients.zeros(1, model.layout, device=model.mean.device, dtype=model.mean.dtype)
        return cls(coefficients, model, build_renderer(renderer)).with_lighting("studio")

    @classmethod
    def of_surface(
        cls,
        surface: Surface,
        *,
        renderer: Config | Renderer | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Face:
        """A face from a surface of batch 1: it can be turned, relit and exported, but has no expressions."""
        return cls(None, None, build_renderer(renderer), metadata=metadata, given=surface)

    @classmethod
    def random(
        cls,
        seed: int,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
        texture_size: int | None = TEXTURE_SIZE,
        **traits: Any,
    ) -> Face:
        """A random face; the same seed gives the same face.

        Args:
            texture_size: of the skin's detail, on heads whose albedo is the library's own (see :meth:`with_detail`);
                None leaves the linear albedo.
            **traits: narrow the choice where the face model knows them:
                ``Face.random(3, face_model="MakeHuman", age=60)``.
        """
        face = cls.mean(face_model=face_model, renderer=renderer)
        coefficients, model = face.model_of("a random face")
        generator = torch.Generator().manual_seed(seed := whole_number("a seed", seed))
        drawn = model.random_coefficients(generator, **traits)
        metadata = {"seed": seed, "face_model": name_of(model), **traits}
        person = replace(face, coefficients=drawn.replace(lighting=coefficients.lighting), metadata=metadata)
        if texture_size is None or not has_appearance(model):
            return person
        return person.with_detail(seed, texture_size, age=traits.get("age"))

    # ---------------------------------------------------------------- files

    def save(
        self,
        path: str | Path,
        *,
        blend_shapes: bool | None = None,
        eyes_by: EyesBy = "joints",
        texture_size: int | None = None,
        quantised: bool = False,
        lod: int | None = None,
        look_at: Sequence[float] | None = None,
        animation: Animation | None = None,
    ) -> Path:
        """Write ``.glb``, ``.obj``, ``.ply`` (a textured mesh), ``.html`` (a page that shows it in 3D) or
        ``.safetensors`` (this face, for :meth:`load`).

        Args:
            blend_shapes, eyes_by, texture_size: see :meth:`mesh_file`; OBJ and PLY hold the expression itself.
            quantised: GLB with 16-bit vertices (KHR_mesh_quantization), about a third of the size; ``.safetensors``
                with maps in half precision, half the size (colours to 0.0003, displacements to a micrometre).
            lod: besides, this many coarser files ``NAME_lod1.glb`` …, each with half the triangles of the one before.
            look_at: both eyes turn to this point (x, y, z), decimetres in the object frame; needs eye joints.
            animation: movements over time (GLB).
        """
        path = file_path(path)
        with torch.no_grad():
            if path.suffix == ".safetensors":
                return write_face(path, self, half=quantised)
            if path.suffix.lower() in (".html", ".htm"):
                return save_page(path, [self.on_page(path.stem, texture_size=texture_size)], title=path.stem)
            moving = path.suffix.lower() in MOVING
            mesh = self.mesh_file(
                blend_shapes=blend_shapes if moving else False,
                eyes_by=eyes_by,
                texture_size=texture_size,
                name=path.stem,
            )
            if look_at is not None:
                mesh = mesh.looking_at(look_at)
            if animation is not None:
                mesh = mesh.replace(animation=animation)
            return save_mesh(path, mesh, quantised=quantised, lod=lod)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> Face:
        """Read a face written by ``save("….safetensors")``; the face model is the one it names unless given."""
        return read_face(cls, path, face_model=face_model, renderer=renderer)
