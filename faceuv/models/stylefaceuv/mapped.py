"""What generators with a mapper share: coefficients read off a code, and maps where there is a UV generator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from faceuv.face import Config, Face, build_face_model
from faceuv.models.base.code_space import CodeEditor
from faceuv.models.base.face_generator import FaceGenerator
from faceuv.models.base.generator import Generator, check_same_codes
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceModel
from faceuv.models.stylefaceuv.head_maps import HeadMaps
from faceuv.models.stylefaceuv.mappers import CoefficientMapper
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.renderers import Renderer
from faceuv.structures import Coefficients, UVMaps

G = TypeVar("G", bound="MappedGenerator")


class MappedGenerator(FaceGenerator):
    """A generator of faces whose mapper reads the coefficients of a face model.

    Args:
        mapper: codes → coefficients.
        uv_generator: codes → UV maps; without one, faces have the albedo of their coefficients.
        more: further networks of the method by their part's name; None where one is not given.
        teacher, face_model, renderer, editor, directions, name, metadata: as for every generator of faces.
    """

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
