"""What of one person goes into files: the surface, textures, licences, the mesh with parts, joints and movements."""

from __future__ import annotations

from torch import Tensor

from faceuv.checks import picture_size
from faceuv.export import MeshFile
from faceuv.export.face_mesh import face_mesh, surface_mesh
from faceuv.export.hair_part import WornHair
from faceuv.export.movements import EyesBy
from faceuv.export.textures import check_texture_size
from faceuv.face.person import Person
from faceuv.face.transferred import TEXTURE_SIZE
from faceuv.files.licences import OURS, head_licence, licence
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.building import name_of
from faceuv.models.faces.hair.worn import rooted


class MeshedPerson(Person):
    """What :class:`~faceuv.face.Face` puts into files."""

    def vertices(self) -> Tensor:
        """The displaced surface ``(V, 3)`` in decimetres, object frame, without pose."""
        return self.surface.mesh.vertices[0]

    def diffuse(self, size: int = TEXTURE_SIZE) -> Tensor:
        """The diffuse texture ``(3, H, W)`` in [0, 1]: the map, or the linear albedo at ``size``²."""
        if self.maps is not None and self.maps.diffuse is not None and self.hair is None:
            return self.maps.diffuse[0].clamp(0, 1)  # what the surface has, without its other maps
        if self.surface.diffuse is not None:
            return self.surface.diffuse[0].clamp(0, 1)
        coefficients, model = self.model_of("a diffuse map of a surface with vertex colours")
        albedo = model.albedo_map(coefficients.albedo, *picture_size(size))
        return albedo[0] if self.hair is None else rooted(albedo, model, self.hair)[0]

    def licences(self) -> list[dict[str, str]]:
        """What the face is made from, with licences: head model, weights, textures. GLB files carry this list; see
        :mod:`faceuv.files.licences`."""
        head = []
        if self.face_model is not None:
            head = [head_licence(name_of(self.face_model), self.face_model.metadata)]
        hair = [] if self.hair is None else [licence("hair", self.hair.style, OURS)]
        return [*head, *(self.metadata or {}).get("licences", []), *hair]

    def mesh_file(
        self,
        *,
        blend_shapes: bool | None = None,
        eyes_by: EyesBy = "joints",
        texture_size: int | None = None,
        name: str = "face",
    ) -> MeshFile:
        """What :meth:`save` writes: the surface without pose, its parts, textures, joints and movements.

        Args:
            blend_shapes: the named movements as morph targets. The surface is then at rest, and the file's weights
                give it the expression. None: where the face model has movements.
            eyes_by: what turns eyes that have joints: ``"joints"`` (the morph targets eyeLook… move the lids alone)
                or ``"morphs"``.
            texture_size: side of all textures in texels; None keeps that of the maps.
        """
        size = None if texture_size is None else check_texture_size(texture_size)
        if self.coefficients is None:
            if blend_shapes:
                self.model_of("blend shapes")
            return surface_mesh(
                self.surface, texture_size=size, licences=self.licences(), name=name, metadata=self.metadata
            )
        coefficients, model = self.model_of("a mesh file")
        mesh = face_mesh(
            FaceRenderer(model, self.renderer),
            coefficients,
            self.maps,
            self.diffuse(size or TEXTURE_SIZE),
            blend_shapes=blend_shapes is not False,
            eyes_by=eyes_by,
            texture_size=size,
            licences=self.licences(),
            name=name,
            metadata=self.metadata,
        )
        return mesh if self.hair is None else mesh.with_hair(WornHair(self._hair_mesh, self.hair.rgb))
