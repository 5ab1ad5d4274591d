"""The maps of a UV generator, completed where its training's pictures show nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.part_texels import INSIDE, part_texels
from faceuv.models.faces.whole_maps import WholeMaps
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.structures import UVMaps


class HeadMaps:
    """Codes → maps. On a whole head, the back continues what pictures show (:class:`WholeMaps`); what lies behind the
    lips has the face model's own colours, and no displacement. A mask, which pictures show whole, keeps its maps."""

    def __init__(self, uv_generator: UVGenerator, face_model: FaceModel) -> None:
        self.uv_generator, self.face_model = uv_generator, face_model

    def __call__(self, code: Tensor) -> UVMaps:
        """Maps of ``code (B, L, D)``, each ``(B, 3, H, W)``."""
        made: UVMaps = self.uv_generator(code)
        if self.face_model.part is None:
            return made
        diffuse, displacement = (None if a is None else self._whole(a) for a in (made.diffuse, made.displacement))
        inside = self._inside.to(code.device)
        if diffuse is not None:
            diffuse = torch.where(inside, self._mean_colours.to(diffuse), diffuse)
        if displacement is not None:
            displacement = displacement * ~inside
        return replace(made, diffuse=diffuse, displacement=displacement)

    @cached_property
    def _whole(self) -> WholeMaps:
        return WholeMaps(self.face_model, self.uv_generator.size)

    @cached_property
    def _inside(self) -> Tensor:
        size = self.uv_generator.size
        return part_texels(self.face_model, self.face_model.chart(size, size), *INSIDE)

    @cached_property
    def _mean_colours(self) -> Tensor:
        size, none = self.uv_generator.size, self.face_model.mean.new_zeros(1, self.face_model.layout.albedo)
        return self.face_model.albedo_map(none, size, size)
