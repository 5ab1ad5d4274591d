"""Renders the pictures of a figure: one size, seam, light and expression for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.face import Face
from faceuv.geometry import named_light
from faceuv.renderers.pasting import SEAMS, Seam

if TYPE_CHECKING:
    from faceuv.models.base.face_generator import FaceGenerator

Over = Literal["teacher", "studio"]
OVER: tuple[Over, ...] = get_args(Over)
ProgressCallback = Callable[[int, int], None]
"""Called after every picture with how many are done and how many a figure has."""

_LEAST_SIZE = 16


@dataclass(frozen=True)
class FigureStyle:
    """What all pictures of a figure share.

    size        side in pixels
    over        what lies behind a render: the ``"teacher"``'s picture of the same code and pose; or the plain
                ``"studio"`` wall of :class:`~faceuv.face.Face`, where heads are in the middle and not cropped
    seam        how a render is joined to the teacher's picture
    light       a light by name; None keeps each face's own
    expression  movements by name, 1 = full, set in place of the face's own
    truncation  of the codes that are drawn from seeds; < 1 is nearer to the mean face
    """

    size: int = 192
    over: Over = "teacher"
    seam: Seam = "laplacian"
    light: str | None = None
    expression: Mapping[str, float] = field(default_factory=dict)
    truncation: float = 1.0

    def __post_init__(self) -> None:
        if self.size < _LEAST_SIZE:
            raise InputError(f"the pictures of a figure need a side of at least {_LEAST_SIZE} pixels, got {self.size}")
        known: tuple[str, ...]
        for name, value, known in (("over", self.over, OVER), ("seam", self.seam, SEAMS)):
            if value not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, got {value!r}{did_you_mean(value, known)}")
        if self.light is not None:
            named_light(self.light)  # the error lists the names


class FigureRenderer:
    """Renders faces of a :class:`~faceuv.FaceGenerator` in one :class:`FigureStyle`.

    Codes are ``(1, L, D)``, pictures ``(3, S, S)`` in [0, 1] on the CPU. ``progress`` is called after every picture, of
    ``total``.
    """

    def __init__(
        self,
        generator: FaceGenerator,
        style: FigureStyle | None = None,
        progress: ProgressCallback | None = None,
        *,
        total: int = 0,
    ) -> None:
        self.generator, self.style = generator, style or FigureStyle()
        self.progress, self.done, self.total = progress, 0, total
        for name in self.style.expression:
            generator.check_movement(name)  # before anything is drawn

    def code(self, seed: int) -> Tensor:
        """The stylecode of one seed."""
        return self.generator.codes(seed, truncation=self.style.truncation)

    def face(self, code: Tensor) -> Face:
        """The face of a code under the style's light, with its expression."""
        return self._styled(self.generator.face(code), None, {})

    def sample(self, seed: int) -> Face:
        """The face of a seed, which remembers it, under the style's light, with its expression."""
        return self._styled(self.generator.sample(seed, truncation=self.style.truncation), None, {})

    def original(self, code: Tensor) -> Tensor:
        """The teacher's picture."""
        side = self.style.size
        picture = F.interpolate(self.generator.image(code), (side, side), mode="bicubic", antialias=True)
        return self._counted(picture[0].clamp(0, 1))

    def shape(self, code: Tensor) -> Tensor:
        """The grey shape before the studio wall, in the face's own pose, under the studio's light."""
        bare = self.face(code).with_lighting("studio").render_full(self.style.size, shape_only=True)
        return self._counted(bare.image[0].clamp(0, 1))

    def alone(self, code: Tensor) -> Tensor:
        """The render before the studio wall, posed and placed as in the teacher's picture."""
        return self._counted(self.face(code).render(self.style.size))

    def render(
        self,
        code: Tensor,
        *,
        yaw_deg: float | None = None,
        light: str | None = None,
        expression: Mapping[str, float] | None = None,
    ) -> Tensor:
        """The render over the background of the style; ``light`` and ``expression`` replace those of the style."""
        style = self.style
        if style.over == "studio":
            face = self._styled(self.generator.face(code), light, expression or {}).with_pose(yaw_deg=yaw_deg)
            return self._counted(face.centred().render(style.size))
        picture = self.generator.generate(
            code,
            yaw_deg=yaw_deg,
            light=light or style.light,
            expression={**style.expression, **(expression or {})} or None,  # methods without expressions refuse one
            size=style.size,
            seam=style.seam,
        )
        return self._counted(picture[0])

    def _styled(self, face: Face, light: str | None, expression: Mapping[str, float]) -> Face:
        amounts = {**self.style.expression, **expression}
        face = face.with_expression(**amounts) if amounts else face
        name = light or self.style.light
        return face if name is None else face.with_lighting(name)

    def _counted(self, picture: Tensor) -> Tensor:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)
        return picture.cpu()
