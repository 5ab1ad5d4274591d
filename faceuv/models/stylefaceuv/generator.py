"""StyleFaceUV's generator of faces: teacher, mapper, stepper and UV generator in one object.

>>> import faceuv
>>> generator = faceuv.load("quickstart")                                          # doctest: +SKIP
>>> face = generator.sample(seed=7).with_expression(smile=0.8)                     # doctest: +SKIP
>>> image = generator.generate(generator.codes([7]), yaw_deg=30, light="left")   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.face import Config
from faceuv.models.base.face_generator import enlarged
from faceuv.models.base.generator import Generator
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.control import Degrees, Expression, Light, expressed, posed, relit
from faceuv.models.stylefaceuv.behind import Behind, without_face
from faceuv.models.stylefaceuv.mapped import MappedGenerator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper, load_stepper
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.registry import FACE_GENERATORS
from faceuv.renderers import Renderer
from faceuv.renderers.pasting import Seam, paste
from faceuv.structures import Coefficients, UVMaps


@FACE_GENERATORS.register_module(name="StyleFaceUV")
class StyleFaceUVGenerator(MappedGenerator):
    """Generates faces from stylecodes: coefficients by the mapper, UV maps by the UV generator.

    In ``generator.json``:
    ``{"type": "StyleFaceUV", "files": {"teacher": …, "mapper": …, "uv_generator": …}, "settings": {"face_model": …}}``.

    Args:
        teacher: codes → images.
        mapper: codes → coefficients.
        uv_generator: codes → UV maps.
        face_model: the face model of the mapper's coefficients; by default the procedural one.
        renderer: draws the faces; by default the built-in one with supersampling.
        stepper: moves codes to a yaw, for ``turn``, ``symmetric`` and other yaws in ``generate``.
        directions: semantic directions, for :meth:`edit`; their names must differ.
        name: name in messages and in the metadata of faces.
        metadata: JSON values that are saved with the generator.
    """

    required: ClassVar[tuple[str, ...]] = ("mapper", "uv_generator")
    optional: ClassVar[tuple[str, ...]] = ("teacher", "stepper", DIRECTIONS)
    readers: ClassVar[Mapping[str, Callable[[Path], Any]]] = {**MappedGenerator.readers, "stepper": load_stepper}

    def __init__(
        self,
        teacher: Generator,
        mapper: CoefficientMapper,
        uv_generator: UVGenerator,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
        *,
        stepper: YawStepper | None = None,
        directions: Iterable[Direction] = (),
        name: str = "faces",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.uv_generator, self.stepper = uv_generator, stepper
        super().__init__(
            teacher, mapper, uv_generator, face_model, renderer,
            more={"stepper": stepper}, editor=stepper, directions=directions, name=name, metadata=metadata,
        )  # fmt: skip

    # ---------------------------------------------------------------- faces

    def symmetric(self, code: Tensor) -> Tensor:
        """The code of the symmetric view: moved to minus its yaw."""
        if self.stepper is None:
            raise InputError(f"{self.name!r} has no stepper (F_yaw), so there is no symmetric view; load one with it")
        return self.stepper.symmetric(self.check(code), self.mapper)

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
        behind: Behind = "filled",
    ) -> Tensor:
        """Rendered faces, pasted over the teacher's images: ``(B, 3, size, size)`` in [0, 1].

        Without ``yaw_deg`` the face has the pose that the mapper reads and lies over the teacher's image of the code.
        With it, the stepper moves the code. The render has exactly this yaw; its pitch, roll and place are those of the
        moved code; its shape, light and maps are those of ``code``. It lies over the image of the moved code.

        There is no model of a background: pitch, roll and expression move the face and not the image behind it, and a
        light changes the face alone. Where the teacher turns less far than a yaw asks, its face would look out from
        behind; there, the image is filled from the background around the head.

        Args:
            yaw_deg, pitch_deg, roll_deg: one for all, or one per face ``(B,)``; yaw lies in ±90°.
            expression: named movements, or coefficients, see :meth:`Face.with_expression`.
            light: a name, or coefficients, see :meth:`Face.with_lighting`.
            size: of the image; the teacher's, which is enlarged for a larger one.
            seam, width: see :func:`faceuv.renderers.pasting.paste`.
            behind: ``"filled"`` takes what looks out of the teacher's face away where a yaw is asked for
                (:func:`~faceuv.models.stylefaceuv.behind.without_face`); ``"picture"`` leaves the image as it is.
        """
        code = self.check(code)
        return self.composed(
            code,
            self.coefficients(code),
            self.maps(code),
            yaw_deg=yaw_deg,
            pitch_deg=pitch_deg,
            roll_deg=roll_deg,
            expression=expression,
            light=light,
            size=size,
            seam=seam,
            width=width,
            behind=behind,
        )

    @torch.no_grad()
    def composed(
        self,
        code: Tensor,
        coefficients: Coefficients,
        maps: UVMaps,
        *,
        yaw_deg: Degrees | None = None,
        pitch_deg: Degrees | None = None,
        roll_deg: Degrees | None = None,
        expression: Expression | None = None,
        light: Light | None = None,
        size: int | None = None,
        seam: Seam = "laplacian",
        width: float | None = None,
        behind: Behind = "filled",
    ) -> Tensor:
        """:meth:`generate` for faces with coefficients and maps of their own, such as inverted ones: ``(B, 3, size,
        size)``. The teacher's images of ``code`` give what lies around the face."""
        if behind not in ("filled", "picture"):
            raise InputError(f"behind must be 'filled' or 'picture', got {behind!r}")
        size = self.check_size(size)
        seen, there = code, coefficients
        if yaw_deg is not None:
            seen = self.turn(code, yaw_deg)
            there = self.coefficients(seen)
            coefficients = coefficients.replace(rotation=there.rotation, translation=there.translation)
        coefficients = posed(coefficients, yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
        if isinstance(expression, Tensor):
            coefficients = expressed(coefficients, self.face_model, expression)
        elif expression is not None:
            coefficients = expressed(coefficients, self.face_model, amounts=expression)
        if light is not None:
            coefficients = relit(coefficients, light)
        renderer = FaceRenderer(self.face_model, self.renderer, normals="map")
        drawn = renderer(coefficients, maps, size=size)
        picture = enlarged(self.image(seen), size)
        if behind == "filled" and yaw_deg is not None:
            head = renderer(there, size=size, lighting=False).mask
            yaw, read = (c.rotation[:, 1].rad2deg() for c in (coefficients, there))
            picture = without_face(picture, head, drawn.mask, yaw, (yaw - read) * yaw.sign())
        return paste(drawn.image, drawn.mask, picture, seam=seam, width=width).clamp(0, 1)
