"""Faces from codes: what ``faceuv.load`` gives for a ``generator.json`` of type ``SampleRelief``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from faceuv import Face
from faceuv.errors import InputError
from faceuv.files.networks import load_network
from faceuv.models.base.code_space import checked_yaw
from faceuv.models.base.face_generator import FaceGenerator, built_teacher
from faceuv.models.base.generator import Generator, check_same_codes
from faceuv.models.base.manifest import Manifest
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.directions import Direction, load_directions
from faceuv.models.faces.control import Degrees, Expression, Light, lighting_of, turned
from faceuv.registry import FACE_GENERATORS
from faceuv.renderers import draw_surface
from faceuv.renderers.pasting import Seam, paste
from faceuv_plugin_sample.relief.network import ReliefNetwork
from faceuv_plugin_sample.relief.sheet import sheet
from faceuv_plugin_sample.relief.teacher import EggGenerator

WALL = 0.5  # the grey behind a turned sheet


@FACE_GENERATORS.register_module(name="SampleRelief")
class ReliefGenerator(FaceGenerator):
    """Makes sheets from stylecodes; without a face model, so that there are no expressions."""

    required: ClassVar[tuple[str, ...]] = ("relief",)
    optional: ClassVar[tuple[str, ...]] = (DIRECTIONS,)
    turns = True  # generate turns the surface, not the code

    def __init__(
        self,
        teacher: Generator,
        relief: ReliefNetwork,
        renderer: Any = None,
        *,
        directions: Iterable[Direction] = (),
        name: str = "eggs",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(teacher, renderer, directions=directions, name=name, metadata=metadata)
        self.relief = check_same_codes(relief, self.teacher)
        self.freeze()

    def networks(self) -> dict[str, nn.Module]:
        """The teacher is built from the settings: it has no weights to keep."""
        return {"relief": self.relief}

    def settings(self) -> dict[str, Any]:
        """What builds the teacher."""
        return {"teacher": {"type": "EggGenerator", "size": self.size}}

    @classmethod
    def from_files(
        cls, files: Mapping[str, Path], manifest: Manifest, *, face_model: Any = None, renderer: Any = None
    ) -> ReliefGenerator:
        """Read the parts."""
        if face_model is not None:
            raise InputError(f"a SampleRelief has no face model, got face_model={face_model!r}: leave it out")
        return cls(
            built_teacher(manifest),
            load_network(files["relief"], ReliefNetwork),
            renderer,
            directions=load_directions(files[DIRECTIONS]) if DIRECTIONS in files else (),
            name=manifest.name,
            metadata=manifest.metadata,
        )

    def to(self, device: torch.device | str) -> ReliefGenerator:
        """Move everything, the teacher too."""
        if isinstance(self.teacher, EggGenerator):
            self.teacher.to(device)
        return super().to(device)

    @torch.no_grad()
    def face(self, code: Tensor) -> Face:
        """The sheet of one code."""
        surface = sheet(*self.relief(self.single(code)))
        return Face.of_surface(surface, renderer=self.renderer, metadata={"generator": self.name})

    @torch.no_grad()
    def generate(
        self,
        code: Tensor,
        *,
        yaw_deg: Degrees | None = None,
        pitch_deg: Degrees | None = None,
        roll_deg: Degrees | None = None,
        expression: Expression | None = None,
        light: Light | None = None,
        size: int | None = None,
        seam: Seam = "laplacian",
        width: float | None = None,
    ) -> Tensor:
        """The sheets before a grey wall."""
        if expression is not None:
            raise InputError(f"the eggs of {self.name!r} have no expressions, got {expression!r}")
        code, size = self.check(code), self.check_size(size)
        yaw = None if yaw_deg is None else checked_yaw(yaw_deg, len(code))
        surface = sheet(*self.relief(code))
        surface = surface.replace(
            rotation=turned(surface.rotation, yaw_deg=yaw, pitch_deg=pitch_deg, roll_deg=roll_deg)
        )
        if light is not None:
            surface = surface.replace(lighting=lighting_of(light, len(code)).to(code).expand(len(code), -1, -1))
        drawn = draw_surface(self.renderer, surface, size=size)
        wall = torch.full_like(drawn.image, WALL)
        return paste(drawn.image, drawn.mask, wall, seam=seam, width=width).clamp(0, 1)
