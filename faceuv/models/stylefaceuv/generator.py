"""``FaceGenerator``: stylecodes in, faces out. Teacher, F3D, F_yaw and the UV generator as one object.

>>> import faceuv
>>> generator = faceuv.load("quickstart")                                          # doctest: +SKIP
>>> face = generator.sample(seed=7).with_expression(smile=0.8)                     # doctest: +SKIP
>>> picture = generator.generate(generator.codes([7]), yaw_deg=30, light="left")   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite
from faceuv.errors import InputError, UnknownName, did_you_mean
from faceuv.face import Config, Face, build_face_model, build_renderer
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.control import Degrees, Expression, Light, degrees, expressed, posed, relit
from faceuv.models.stylefaceuv.behind import Behind, without_head
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.models.stylegan2 import StyleGAN2Generator, broadcast_code, mix
from faceuv.renderers import Renderer
from faceuv.renderers.pasting import Seam, paste
from faceuv.structures import Coefficients, UVMaps

YAW_LIMIT = 90.0
"""Degrees; farther round, a face that is open at the back has nothing to show."""


class FaceGenerator:
    """Makes faces from stylecodes: coefficients by F3D, maps by the UV generator.

    A code is ``(B, L, D)``, or one w per face ``(B, D)``. What is done to a code (``interpolate``, ``mix``, ``edit``,
    ``turn``) gives a code, whose face has coefficients and maps of its own; what is done to a :class:`~faceuv.Face`
    (pose, expression, light) keeps its maps.

    Args:
        teacher: codes → pictures.
        mapper: F3D, codes → coefficients.
        uv_generator: G3D, codes → maps.
        face_model: whose coefficients ``mapper`` gives; the procedural one if absent.
        renderer: draws faces; the built-in one, supersampled, if absent.
        stepper: F_yaw, for ``turn``, ``symmetric`` and other yaws in ``generate``.
        directions: for :meth:`edit`, by their names.
        name: for messages, and for the metadata of faces.
        metadata: anything worth keeping with it, as JSON.
    """

    def __init__(
        self,
        teacher: StyleGAN2Generator,
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
        mapper.check_fits(teacher)
        if (uv_generator.num_layers, uv_generator.code_dim) != (teacher.num_layers, teacher.code_dim):
            raise InputError(
                f"this UVGenerator reads codes with L = {uv_generator.num_layers}, D = {uv_generator.code_dim}; the"
                f" teacher has L = {teacher.num_layers}, D = {teacher.code_dim}: train one under this teacher"
            )
        if stepper is not None:
            stepper.check_fits(teacher)
        self.directions: dict[str, Direction] = {}
        for direction in directions:
            direction.check_fits(teacher)
            if direction.name in self.directions:
                raise InputError(f"two directions are called {direction.name!r}; give each its own name")
            self.directions[direction.name] = direction
        self.face_model = build_face_model(face_model)
        mapper.check_layout(self.face_model.layout)
        self.renderer = build_renderer(renderer)
        self.teacher, self.mapper, self.uv_generator, self.stepper = teacher, mapper, uv_generator, stepper
        for network in (teacher, mapper, uv_generator, stepper):
            if network is not None:
                network.eval().requires_grad_(False)
        self.name, self.metadata = name, dict(metadata or {})

    @property
    def num_layers(self) -> int:
        """L of the codes."""
        return self.teacher.num_layers

    @property
    def code_dim(self) -> int:
        """D of the codes."""
        return self.teacher.code_dim

    @property
    def size(self) -> int:
        """Side of the teacher's pictures."""
        return self.teacher.size

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.teacher.mean_code.device

    def to(self, device: torch.device | str) -> FaceGenerator:
        """Move all parts, in place."""
        for part in (self.teacher, self.mapper, self.uv_generator, self.stepper, self.face_model, self.renderer):
            if part is not None:
                part.to(device)
        return self

    # ---------------------------------------------------------------- codes

    @torch.no_grad()
    def codes(self, seeds: int | Iterable[int], *, truncation: float = 1.0) -> Tensor:
        """The codes ``(B, L, D)`` of seeds, one each, the same ones in any company; ``truncation`` < 1 draws nearer to
        the mean face."""
        wanted = [seeds] if isinstance(seeds, int) else list(seeds)
        if not wanted:
            raise InputError("codes of which seeds? give one at least")
        drawn = [
            self.teacher.sample_codes(1, truncation=truncation, generator=torch.Generator().manual_seed(seed))
            for seed in wanted
        ]
        return torch.cat(drawn)

    def interpolate(self, a: Tensor, b: Tensor, t: float | Sequence[float] | Tensor) -> Tensor:
        """Codes between ``a`` (t = 0) and ``b`` (t = 1): one t, or one per code ``(B,)``; two single codes with several
        t give a strip."""
        a, b = self.check(a), self.check(b)
        amounts = torch.as_tensor(t, dtype=a.dtype, device=a.device).reshape(-1)
        check_finite("t", amounts)
        counts = (len(a), len(b), len(amounts))
        if len({count for count in counts if count != 1}) > 1:
            raise InputError(f"interpolation takes two codes and t, one each or as many as each other, got {counts}")
        return torch.lerp(a, b, amounts[:, None, None])

    def mix(self, a: Tensor, b: Tensor, layer: int) -> Tensor:
        """Style mixing: the rows before ``layer`` from ``a`` (pose, shape), the others from ``b`` (colours, detail)."""
        a, b = torch.broadcast_tensors(self.check(a), self.check(b))
        return mix(a, b, layer)

    def edit(self, code: Tensor, direction: str | Direction, step: Tensor | float) -> Tensor:
        """The code moved along a direction by ``step`` standard deviations σ of the generator's codes; a name of
        :attr:`directions`, or a direction. A single code with several steps ``(T,)`` gives a strip.

        Faces of the moved code have coefficients and maps of their own.
        """
        along = self.direction(direction) if isinstance(direction, str) else direction
        along.check_fits(self.teacher)
        if along.scale <= 0:
            raise InputError(
                f"the direction {along.name!r} has no scale σ to step by; move the code with its own move()"
            )
        steps = torch.as_tensor(step, dtype=code.dtype, device=code.device)
        check_finite("step", steps.reshape(-1))
        return along.move(self.check(code), steps * along.scale)

    def direction(self, name: str) -> Direction:
        """A direction by name; the error lists what there is."""
        if name not in self.directions:
            known = ", ".join(self.directions) or "none; give it some, or a Direction"
            raise UnknownName(
                f"no direction of {self.name!r} is called {name!r}; known: {known}{did_you_mean(name, self.directions)}"
            )
        return self.directions[name]

    def turn(self, code: Tensor, yaw_deg: Degrees) -> Tensor:
        """The code whose picture looks ``yaw_deg`` to the viewer's right, by F_yaw; one yaw, or one per code."""
        if self.stepper is None:
            raise InputError(f"{self.name!r} has no stepper (F_yaw), so its codes cannot be turned; load one with it")
        code = self.check(code)
        return self.stepper.turn(code, _yaw(yaw_deg, len(code)).to(code).deg2rad())

    def symmetric(self, code: Tensor) -> Tensor:
        """The code of the symmetric view: turned to minus the yaw that F3D reads."""
        if self.stepper is None:
            raise InputError(f"{self.name!r} has no stepper (F_yaw), so it knows no symmetric view; load one with it")
        return self.stepper.symmetric(self.check(code), self.mapper)

    def check(self, code: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, L, D)`` → ``(B, L, D)`` on the networks' device; NaN or another shape is an error."""
        try:
            code = broadcast_code(code, self.num_layers, self.code_dim)
        except InputError as error:
            raise InputError(f"{self.name!r} cannot read this code, of another generator perhaps: {error}") from error
        check_finite("a code", code)
        return code.to(self.teacher.mean_code)

    # ---------------------------------------------------------------- faces

    def sample(self, seed: int, *, truncation: float = 1.0) -> Face:
        """The face of a seed: the same seed gives the same face."""
        return self._face(self.codes(seed, truncation=truncation), {"seed": seed, "truncation": truncation})

    def face(self, code: Tensor) -> Face:
        """The face of one code ``(1, L, D)`` or ``(1, D)``."""
        return self._face(code, {})

    def faces(self, codes: Tensor) -> list[Face]:
        """The faces of B codes."""
        return [self.face(code) for code in self.check(codes).split(1)]

    @torch.no_grad()
    def _face(self, code: Tensor, metadata: Mapping[str, Any]) -> Face:
        code = self.check(code)
        if len(code) != 1:
            raise InputError(f"face() makes one face, got {len(code)} codes; faces() makes many")
        kept = {"generator": self.name, **metadata}
        return Face(self.coefficients(code), self.face_model, self.renderer, self.maps(code), kept)

    @torch.no_grad()
    def coefficients(self, code: Tensor) -> Coefficients:
        """What F3D reads: shape, pose, light ``(B, N)``."""
        found: Coefficients = self.mapper(self.check(code))
        return found

    @torch.no_grad()
    def maps(self, code: Tensor) -> UVMaps:
        """What the UV generator makes ``(B, 3, H, W)``."""
        made: UVMaps = self.uv_generator(self.check(code))
        return made

    # ---------------------------------------------------------------- pictures

    @torch.no_grad()
    def image(self, code: Tensor) -> Tensor:
        """The teacher's own pictures ``(B, 3, S, S)`` in [0, 1]."""
        picture: Tensor = self.teacher.synthesis(self.check(code))
        return picture.clamp(0, 1)

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
        """Rendered faces, pasted over the teacher's pictures: ``(B, 3, size, size)`` in [0, 1].

        Without ``yaw_deg`` the pose is the one that F3D reads, over the teacher's picture of the code. With it, the
        code is moved along the yaw direction, and the render, turned to just this yaw and otherwise posed as F3D reads
        the moved code, lies over the picture of the moved code; shape, light and maps stay those of ``code``.

        There is no model of a background: pitch, roll and expression move the face and not the picture behind it, and a
        light changes the face alone. Where the teacher turns less far than asked, its face would look out from behind;
        there, the picture is filled from the background around the head.

        Args:
            yaw_deg, pitch_deg, roll_deg: one for all, or one per face ``(B,)``; yaw lies in ±90°.
            expression: named movements, or coefficients, see :meth:`Face.with_expression`.
            light: a name, or coefficients, see :meth:`Face.with_lighting`.
            size: of the picture; the teacher's, which is enlarged for a larger one.
            seam, width: see :func:`faceuv.renderers.pasting.paste`.
            behind: ``"filled"`` takes what looks out of the teacher's head away where a pose is asked for
                (:func:`~faceuv.models.stylefaceuv.behind.without_head`); ``"picture"`` leaves the picture as it is.
        """
        if behind not in ("filled", "picture"):
            raise InputError(f"behind must be 'filled' or 'picture', got {behind!r}")
        size = self.size if size is None else size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"size must be a whole number of pixels, got {size!r}")
        code = self.check(code)
        coefficients, seen = self.coefficients(code), code
        there = coefficients
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
        drawn = renderer(coefficients, self.maps(code), size=size)
        picture = _enlarged(self.image(seen), size)
        if behind == "filled" and any(angle is not None for angle in (yaw_deg, pitch_deg, roll_deg)):
            head = renderer(there, size=size, lighting=False).mask
            yaw, read = (c.rotation[:, 1].rad2deg() for c in (coefficients, there))
            picture = without_head(picture, head, drawn.mask, yaw, (yaw - read) * yaw.sign())
        return paste(drawn.image, drawn.mask, picture, seam=seam, width=width).clamp(0, 1)

    # ---------------------------------------------------------------- files

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> FaceGenerator:
        """Read an entry of the zoo by its name, a folder that :meth:`save` wrote, or the work dir of a recipe.

        Args:
            face_model: the same model, built otherwise (another resolution); what the files name if absent.
            renderer: what draws; the built-in one if absent.
        """
        from faceuv.models.stylefaceuv.folder import read_generator

        return read_generator(source, face_model=face_model, renderer=renderer)

    def save(self, folder: str | Path, *, refer: Mapping[str, str] | None = None, half: bool = False) -> Path:
        """Write a folder for :meth:`load`: ``generator.json`` and the networks (safetensors).

        Args:
            refer: part (``"teacher"``, ``"mapper"``, ``"stepper"``, ``"directions"``) → ``"zoo:entry/file"`` with the
                same weights, which is named in place of a copy.
            half: keep weights in float16.
        """
        from faceuv.models.stylefaceuv.folder import write_generator

        return write_generator(self, folder, refer=refer or {}, half=half)


def load(
    source: str | Path,
    *,
    face_model: Config | FaceModel | None = None,
    renderer: Config | Renderer | None = None,
) -> FaceGenerator:
    """Read a :class:`FaceGenerator`: ``"quickstart"``, a folder, or a work dir; see :meth:`FaceGenerator.load`."""
    return FaceGenerator.load(source, face_model=face_model, renderer=renderer)


def _yaw(yaw_deg: Degrees, count: int) -> Tensor:
    wanted = degrees("yaw_deg", yaw_deg, count)
    farthest = float(wanted[wanted.abs().argmax()])
    if abs(farthest) > YAW_LIMIT:
        raise InputError(f"yaw_deg must lie in −{YAW_LIMIT:g} … {YAW_LIMIT:g} (degrees), got {farthest:g}")
    return wanted


def _enlarged(picture: Tensor, size: int) -> Tensor:
    """A picture of the teacher at another size."""
    if picture.shape[-1] == size:
        return picture
    scaled = torch.nn.functional.interpolate(picture, size=(size, size), mode="bicubic", antialias=True)
    return scaled.clamp(0, 1)
