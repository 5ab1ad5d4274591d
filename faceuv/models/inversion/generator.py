"""The generator of faces with an encoder: pictures → faces with codes.

>>> import faceuv
>>> generator = faceuv.load("inversion_heads_64")                          # doctest: +SKIP
>>> face = generator.invert(picture)                                       # doctest: +SKIP
>>> face.edit("yaw", 1).turn(30).save("face.glb")                          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.base.contracts import Inverter
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.inversion.encoder import PyramidEncoder, check_teacher, load_encoder
from faceuv.models.inversion.inverted import InvertedFace, inverted_faces, load_inverted
from faceuv.models.inversion.learned import EncoderInverter
from faceuv.models.inversion.local import LocalBranch, load_local
from faceuv.models.inversion.pictures import prepared
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.registry import FACE_GENERATORS, INVERTERS


@FACE_GENERATORS.register_module(name="Inversion")
class InversionGenerator(StyleFaceUVGenerator):
    """StyleFaceUV's generator of faces with an encoder of pictures, and a local branch where there is one.

    In ``generator.json``: the files of a StyleFaceUV generator, ``encoder``, and maybe ``local``.

    Args:
        encoder: picture → code and coefficients; it was trained for this teacher.
        local: corrects the maps after a picture.
        others: as for :class:`~faceuv.models.stylefaceuv.StyleFaceUVGenerator`.
    """

    required: ClassVar[tuple[str, ...]] = ("mapper", "uv_generator", "encoder")
    optional: ClassVar[tuple[str, ...]] = ("teacher", "stepper", "local", DIRECTIONS)
    readers: ClassVar[Mapping[str, Callable[[Path], Any]]] = {
        **StyleFaceUVGenerator.readers,
        "encoder": load_encoder,
        "local": load_local,
    }

    def __init__(
        self, teacher: Any, mapper: Any, uv_generator: Any, encoder: PyramidEncoder, *others: Any,
        local: LocalBranch | None = None, **named: Any,
    ) -> None:  # fmt: skip
        self.encoder, self.local = check_teacher(encoder, teacher), local
        super().__init__(teacher, mapper, uv_generator, *others, **named)
        if encoder.layout != self.face_model.layout:
            raise InputError(
                f"the encoder gives coefficients {encoder.layout.groups}, the face model has"
                f" {self.face_model.layout.groups}: it was trained for another face model"
            )

    def networks(self) -> dict[str, nn.Module]:
        """Those of StyleFaceUV, ``encoder``, and ``local`` if there is one."""
        found = {**super().networks(), "encoder": self.encoder}
        return found if self.local is None else {**found, "local": self.local}

    # ---------------------------------------------------------------- inversion

    def inverter(self, method: str | Mapping[str, Any] | Inverter | None = None, **options: Any) -> Inverter:
        """The inverter that a name or a config says; by default the encoder. ``options`` are its arguments."""
        if isinstance(method, Inverter):
            return method
        config = {"type": "EncoderInverter"} if method is None else method
        config = {"type": config} if isinstance(config, str) else dict(config)
        return built_inverter(self, {**config, **options})

    def invert(self, image: Tensor, **options: Any) -> InvertedFace:
        """The face of one picture ``(3, S, S)`` or ``(1, 3, S, S)``, framed as the generator's own are.

        Args:
            **options: ``method`` (an inverter, its name or config; the encoder by default) and its arguments:
                ``detail=False`` leaves local detail out, ``refine="fast"`` fits the coefficients.
        """
        faces, reasons = self.invert_all(image[None] if image.ndim == 3 else image, **options)
        if len(faces) != 1:
            raise InputError(f"invert() takes one picture, got {len(faces)}; invert_all() takes many")
        if faces[0] is None:
            raise InputError(f"the picture cannot be inverted: {reasons[0]}")
        return faces[0]

    def invert_all(
        self, images: Tensor, *, method: str | Mapping[str, Any] | Inverter | None = None, **options: Any
    ) -> tuple[list[InvertedFace | None], list[str]]:
        """The faces of pictures ``(B, 3, S, S)``, and why there is none (``""`` where there is one)."""
        return invert_with(self, self.inverter(method, **options), images)

    def load_face(self, path: str | Path) -> InvertedFace:
        """Read an inverted face that was saved as ``.safetensors``; one of another generator is an error."""
        return load_inverted(path, self)


def built_inverter(generator: StyleFaceUVGenerator, config: Mapping[str, Any]) -> Inverter:
    """An inverter of the registry for a generator of faces: the encoder gets all of it, the others its teacher."""
    whole = INVERTERS.get(config["type"]) is EncoderInverter
    made: Inverter = INVERTERS.build(config, generator=generator if whole else generator.teacher)
    return made


def invert_with(
    generator: StyleFaceUVGenerator, inverter: Inverter, images: Tensor
) -> tuple[list[InvertedFace | None], list[str]]:
    """The faces of pictures ``(B, 3, S, S)`` by any inverter, and why there is none."""
    pictures, _ = prepared(images, generator.size)
    found = inverter.invert(images)
    reasons = list(found.reasons) or [""] * len(pictures)
    return inverted_faces(generator, found, pictures), reasons
