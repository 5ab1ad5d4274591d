"""What generators with a mapper share: coefficients read off a code, and maps where there is a UV generator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from faceuv.face import Config, Face, build_face_model
from faceuv.models.base.code_space import CodeEditor
from faceuv.models.base.face_generator import FaceGenerator, built_teacher, trained_face_model
from faceuv.models.base.generator import Generator, check_same_codes
from faceuv.models.base.manifest import Manifest
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.directions import Direction, load_directions
from faceuv.models.faces import FaceModel
from faceuv.models.stylefaceuv.head_maps import HeadMaps
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, load_mapper
from faceuv.models.stylefaceuv.uv_generator import UVGenerator, load_uv_generator
from faceuv.models.stylegan2 import load_generator
from faceuv.renderers import Renderer
from faceuv.structures import Coefficients, UVMaps

G = TypeVar("G", bound="MappedGenerator")


class MappedGenerator(FaceGenerator):
    """A generator of faces whose mapper reads the coefficients of a face model. A method says in ``readers`` how the
    files of its parts are read; they are arguments of its constructor by the same names.

    Args:
        mapper: codes → coefficients.
        uv_generator: codes → UV maps; without one, faces have the albedo of their coefficients.
        more: further networks of the method by their part's name; None where one is not given.
        teacher, face_model, renderer, editor, directions, name, metadata: as for every generator of faces.
    """

    readers: ClassVar[Mapping[str, Callable[[Path], Any]]] = {"mapper": load_mapper, "uv_generator": load_uv_generator}

    def __init__(
        self,
        teacher: Generator,
        mapper: CoefficientMapper,
        uv_generator: UVGenerator | None,
        face_model: Config | FaceModel | None,
        renderer: Config | Renderer | None,
        *,
        more: Mapping[str, Any],
        editor: CodeEditor | None,
        directions: Iterable[Direction],
        name: str,
        metadata: Mapping[str, Any] | None,
    ) -> None:
        parts: dict[str, Any] = {"mapper": mapper, "uv_generator": uv_generator, **more}
        self._parts = {part: network for part, network in parts.items() if network is not None}
        for network in self._parts.values():
            check_same_codes(network, teacher)
        super().__init__(teacher, renderer, editor=editor, directions=directions, name=name, metadata=metadata)
        self.face_model: FaceModel = build_face_model(face_model)
        mapper.check_layout(self.face_model.layout)
        self.mapper = mapper
        self._maps = None if uv_generator is None else HeadMaps(uv_generator, self.face_model)
        self.freeze()

    def networks(self) -> dict[str, nn.Module]:
        """``teacher``, if it is a network, ``mapper``, ``uv_generator``, if given, and the method's own."""
        teacher = {"teacher": self.teacher} if isinstance(self.teacher, nn.Module) else {}
        return {**teacher, **self._parts}

    def settings(self) -> dict[str, Any]:
        """The config of the face model."""
        return {"face_model": self.face_model.config()}

    @classmethod
    def from_files(
        cls: type[G],
        files: Mapping[str, Path],
        manifest: Manifest,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> G:
        """Read the parts; another face model than that of the training is an error."""
        method: Any = cls
        made: G = method(
            teacher=load_generator(files["teacher"]) if "teacher" in files else built_teacher(manifest),
            **{part: read(files[part]) for part, read in cls.readers.items() if part in files},
            face_model=trained_face_model(manifest, face_model),
            renderer=renderer,
            directions=load_directions(files[DIRECTIONS]) if DIRECTIONS in files else (),
            name=manifest.name,
            metadata=manifest.metadata,
        )
        return made

    def to(self: G, device: torch.device | str) -> G:
        """Move all parts, in place."""
        self.face_model.to(device)
        return super().to(device)

    @torch.no_grad()
    def face(self, code: Tensor) -> Face:
        """The face of one code ``(1, L, D)`` or ``(1, D)``: coefficients, and maps if there is a generator of them."""
        code = self.single(code)
        return Face(self.coefficients(code), self.face_model, self.renderer, self.maps(code), {"generator": self.name})

    @torch.no_grad()
    def coefficients(self, code: Tensor) -> Coefficients:
        """The coefficients ``(B, N)`` that the mapper reads: shape, albedo, pose, light."""
        found: Coefficients = self.mapper(self.check(code))
        return found

    @torch.no_grad()
    def maps(self, code: Tensor) -> UVMaps:
        """The maps of the UV generator, each ``(B, 3, H, W)``, completed where pictures show nothing, see
        :class:`~faceuv.models.stylefaceuv.head_maps.HeadMaps`; none without a UV generator."""
        return UVMaps() if self._maps is None else self._maps(self.check(code))
