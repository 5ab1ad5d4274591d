"""StyleRig's generator of faces: the teacher's pictures, moved by the rig.

>>> import faceuv
>>> generator = faceuv.load("stylerig_64")                                             # doctest: +SKIP
>>> a, b = generator.codes([1, 2]).split(1)                                            # doctest: +SKIP
>>> picture = generator.image(generator.transfer(a, b, ["pose", "light"]))             # doctest: +SKIP
>>> picture = generator.generate(a, yaw_deg=20, pitch_deg=-5, expression={"smile": 1})   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.face import Config
from faceuv.models.base.code_space import checked_yaw
from faceuv.models.base.face_generator import enlarged
from faceuv.models.base.generator import Generator
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceModel
from faceuv.models.faces.control import Degrees, Expression, Light
from faceuv.models.stylefaceuv.mapped import MappedGenerator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.models.stylerig.groups import Controls
from faceuv.models.stylerig.rig import Rig, RigTurner
from faceuv.models.stylerig.rignet import RigNet, load_rignet
from faceuv.registry import FACE_GENERATORS
from faceuv.renderers import Renderer
from faceuv.renderers.pasting import Seam

_MIXED = 1000  # seeds of the samples of :meth:`StyleRigGenerator.conditional` begin at this times the seed


@FACE_GENERATORS.register_module(name="StyleRig")
class StyleRigGenerator(MappedGenerator):
    """Generates the teacher's pictures with a wanted pose, expression and light: codes are moved by a
    :class:`~faceuv.models.stylerig.Rig`. Hair, neck and background move along, because the picture is the teacher's.

    :meth:`face` gives the mesh of the mapper's coefficients; with a ``uv_generator`` of StyleFaceUV it has maps, and
    those of an edited code show what the edit changes beside the shape: wrinkles, teeth.

    In ``generator.json``:
    ``{"type": "StyleRig", "files": {"teacher": …, "mapper": …, "rig": …}, "settings": {"face_model": …}}``.

    Args:
        teacher: codes → images.
        mapper: F, codes → coefficients, the one of RigNet's training.
        rig: RigNet.
        face_model: the face model of the coefficients; by default the procedural one.
        renderer: draws the faces of :meth:`face`.
        uv_generator: of StyleFaceUV for the same teacher: codes → UV maps.
        directions: semantic directions, for :meth:`edit`.
        name, metadata: as for every generator of faces.
    """

    required: ClassVar[tuple[str, ...]] = ("mapper", "rig")
    optional: ClassVar[tuple[str, ...]] = ("teacher", "uv_generator", DIRECTIONS)
    readers: ClassVar[Mapping[str, Callable[[Path], Any]]] = {**MappedGenerator.readers, "rig": load_rignet}

    def __init__(
        self,
        teacher: Generator,
        mapper: CoefficientMapper,
        rig: RigNet,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
        *,
        uv_generator: UVGenerator | None = None,
        directions: Iterable[Direction] = (),
        name: str = "faces",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.rig, self.uv_generator = Rig(rig, mapper), uv_generator
        turner = RigTurner(self.rig) if "pose" in rig.controls else None
        super().__init__(
            teacher, mapper, uv_generator, face_model, renderer,
            more={"rig": rig}, editor=turner, directions=directions, name=name, metadata=metadata,
        )  # fmt: skip

    # ---------------------------------------------------------------- controls

    @property
    def controls(self) -> tuple[str, ...]:
        """What the rig edits: some of ``pose``, ``expression``, ``light``."""
        return self.rig.network.controls

    @torch.no_grad()
    def transfer(self, code: Tensor, source: Tensor, controls: Controls = "all") -> Tensor:
        """The code of ``code``'s face with pose, expression or light of ``source``, or several of them at once."""
        return self.rig.transfer(self.check(code), self.check(source), controls)

    @torch.no_grad()
    def slide(self, code: Tensor, **wanted: Any) -> Tensor:
        """The code with single properties set: see :meth:`~faceuv.models.stylerig.Rig.slide`."""
        return self.rig.slide(self.check(code), face_model=self.face_model, **wanted)

    @torch.no_grad()
    def mix_rigged(self, coarse: Tensor, fine: Tensor, layer: int, *, keep: Controls | None = None) -> Tensor:
        """Style mixing that keeps pose, expression and light of ``coarse``; plain mixing is :meth:`mix`."""
        kept = self.controls if keep is None else keep
        return self.rig.mix(self.check(coarse), self.check(fine), layer, keep=kept)

    @torch.no_grad()
    def conditional(self, like: Tensor, count: int, *, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """Conditional generation: codes of ``count`` new faces that have the pose, the expression and the light of the
        one code ``like``."""
        count = whole_number("count", count, low=1)
        like = self.single(like)
        codes = self.codes([_MIXED * seed + k for k in range(count)], truncation=truncation)
        return self.rig.transfer(codes, like, self.controls)

    # ---------------------------------------------------------------- pictures

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
        """The teacher's pictures of the moved codes ``(B, 3, size, size)``; without changes, of the codes themselves.

        What is asked for is asked of the teacher: where it has seen no such faces (roll, a wide open mouth, a profile)
        the picture goes less far. ``docs/stylerig.md`` has the measured range. ``seam`` and ``width`` have no effect:
        nothing is pasted.
        """
        size = self.check_size(size)
        code = self.check(code)
        if yaw_deg is not None:
            checked_yaw(yaw_deg, len(code))
        asked = {
            "yaw_deg": yaw_deg, "pitch_deg": pitch_deg, "roll_deg": roll_deg, "expression": expression, "light": light,
        }  # fmt: skip
        given = {name: value for name, value in asked.items() if value is not None}
        if given:
            code = self.rig.slide(code, face_model=self.face_model, **given)
        return enlarged(self.image(code), size)
