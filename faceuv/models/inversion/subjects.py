"""Inversion in a report: the face that is found in the teacher's picture of a code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.face_generator import FaceGenerator
from faceuv.models.base.generator import check_same_codes
from faceuv.models.base.subject import Setting, Subject, SubjectView, Targets
from faceuv.models.inversion.generator import built_inverter
from faceuv.models.inversion.local import corrected
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.registry import SUBJECTS
from faceuv.structures import Coefficients, UVMaps


@SUBJECTS.register_module(name="inverted")
class InvertedSubject(Subject):
    """The face that an inverter finds in the teacher's picture, from all sides, over the teacher's pictures:
    ``dict(type="inverted", faces="{local}", inverter=dict(type="EncoderInverter"))``. The code itself is not used.

    Args:
        faces: the generator of faces: an entry of the zoo, a folder or a work dir.
        inverter: config of the inverter; by default the generator's encoder.
    """

    about = "the face that is found in the teacher's picture, drawn over it"
    capabilities = frozenset(("coefficients", "maps", "surface"))
    needs = ("mapper",)

    def __init__(
        self, setting: Setting, name: str, faces: str | Path, inverter: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(setting, name)
        found = FaceGenerator.load(faces)
        if not isinstance(found, StyleFaceUVGenerator):
            raise InputError(
                f"the subject {name!r} needs a generator with coefficients and UV maps; {found.name!r} is a"
                f" {type(found).__name__}"
            )
        check_same_codes(found.mapper, setting.teacher)
        self.generator = found.to(setting.device)
        self.inverter = built_inverter(found, dict(inverter or {"type": "EncoderInverter"}))

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """One inversion per face for all its views."""
        found = self.inverter.invert(self.setting.pictures(codes))
        if not bool(found.ok.all()):
            raise InputError(f"the subject {self.name!r} cannot invert a picture: {next(filter(None, found.reasons))}")
        read = found.coefficients if found.coefficients is not None else self.generator.coefficients(found.codes)
        maps: UVMaps = corrected(self.generator.maps(found.codes), found.residual)
        views = len(targets.images) // len(codes)
        own = Coefficients(read.data.repeat(views, 1), read.layout)
        if targets.yaw is not None:
            assert targets.coefficients is not None  # the setting has a mapper
            own = own.replace(rotation=targets.coefficients.rotation, translation=targets.coefficients.translation)
        return self.setting.draw_over(replace(targets, coefficients=own), maps)
