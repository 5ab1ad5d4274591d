"""An inverted picture: a face with a code, that can be edited, turned, relit, interpolated, undone and saved."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite, file_path, finite_number
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.face import Face
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.base.code_space import YAW_LIMIT, checked_yaw
from faceuv.models.base.contracts import Inversion
from faceuv.models.base.face_generator import enlarged
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.control import Light, expressed, posed, relit
from faceuv.models.inversion.local import corrected, edit_mask
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.registry import FACE_MODELS
from faceuv.renderers.pasting import paste
from faceuv.structures import Coefficients, UVMaps

KIND = "inverted_face"
TAU = 0.1
"""The change of colour at which an edit keeps 1/e of the local detail."""
_SAME_MEAN = 1e-2  # of the largest number of a mean code: what half precision may change
_STILL_DEG = 3.0


@dataclass(frozen=True, eq=False)
class InvertedFace:
    """A face that was found in a picture. Every change returns a new face; :meth:`undo` gives the one before it.

    generator     of faces; its directions are those that :meth:`edit` knows
    found_code    ``(1, L, D)`` of the picture
    found         its coefficients
    delta         the local correction of the maps, or None
    picture       ``(3, S, S)``, the picture itself, or None
    steps         direction → how far its code has been moved, in σ
    moved         a code that was set by :meth:`with_code` in place of the found one
    pose          of ``yaw_deg``, ``pitch_deg``, ``roll_deg`` those that were set
    expression, light   likewise, None: the picture's
    tau           of the mask that an edit gives the correction, see :func:`~faceuv.models.inversion.edit_mask`; None
                  keeps the whole correction
    """

    generator: StyleFaceUVGenerator
    found_code: Tensor
    found: Coefficients
    delta: UVMaps | None = None
    picture: Tensor | None = None
    steps: Mapping[str, float] = field(default_factory=dict)
    moved: Tensor | None = None
    pose: Mapping[str, float] = field(default_factory=dict)
    expression: Mapping[str, float] = field(default_factory=dict)
    light: Light | None = None
    tau: float | None = TAU
    before: InvertedFace | None = None
    own_directions: Mapping[str, Direction] = field(default_factory=dict)

    def __repr__(self) -> str:
        said = [f"{name} {step:+g}σ" for name, step in self.steps.items()]
        said += [f"{name}={value:g}" for name, value in {**self.pose, **self.expression}.items()]
        detail = "with" if self.delta is not None else "without"
        return f"InvertedFace({self.generator.name!r}, {detail} local detail; {', '.join(said) or 'as found'})"

    # ---------------------------------------------------------------- changing it

    def edit(self, direction: str | Direction, step: float, *, mask: bool = True) -> InvertedFace:
        """The face with its code moved ``step`` standard deviations along a direction of the generator, or a given one.
        Steps along one direction add up; +2 and −2 are the face as it was, bit for bit.

        Args:
            mask: fade the local correction out where the edit changes the generator's map; False keeps all of it.
        """
        along = self.generator.direction(direction) if isinstance(direction, str) else direction
        along.check_fits(self.generator.teacher)
        if along.scale <= 0:
            raise InputError(f"the direction {along.name!r} has no scale σ to step by")
        known = self.own_directions.get(along.name, self.generator.directions.get(along.name))
        if known is not None and known is not along and not torch.equal(known.vector, along.vector):
            raise InputError(f"this face has another direction called {along.name!r}: rename one of them")
        total = self.steps.get(along.name, 0.0) + finite_number("step", step)
        steps = {name: value for name, value in {**self.steps, along.name: total}.items() if value}
        own = {**self.own_directions, along.name: along}
        tau = (self.tau or TAU) if mask else None
        return replace(self, steps=steps, own_directions=own, tau=tau, before=self)

    def with_code(self, code: Tensor) -> InvertedFace:
        """The face with another code ``(1, L, D)``, moved by a rig for instance; it keeps what the picture adds."""
        return replace(self, moved=self.generator.single(code), steps={}, before=self)

    def turn(
        self, yaw_deg: float | None = None, pitch_deg: float | None = None, roll_deg: float | None = None
    ) -> InvertedFace:
        """The face at these angles in degrees; None keeps the present one. Yaw > 0 looks to the viewer's right."""
        if yaw_deg is not None:
            checked_yaw(yaw_deg, 1)
        given = {"yaw_deg": yaw_deg, "pitch_deg": pitch_deg, "roll_deg": roll_deg}
        wanted = {name: finite_number(name, value) for name, value in given.items() if value is not None}
        return replace(self, pose={**self.pose, **wanted}, before=self)

    def with_expression(self, **amounts: float) -> InvertedFace:
        """Named movements of the face model, 1.0 = the full movement."""
        for name in amounts:
            self.generator.check_movement(name)
        wanted = {name: finite_number(name, value) for name, value in amounts.items()}
        return replace(self, expression={**self.expression, **wanted}, before=self)

    def with_lighting(self, light: Light) -> InvertedFace:
        """Relit: the name of a light, or coefficients."""
        relit(self.found, light)
        return replace(self, light=light, before=self)

    def interpolate(self, other: InvertedFace, t: float) -> InvertedFace:
        """The face between this one (t = 0) and another one (t = 1) of the same generator: code, coefficients and
        correction. It has no picture of its own."""
        if other.generator is not self.generator:
            raise InputError("two inverted faces of different generators have no face between them")
        t = finite_number("t", t)
        data = torch.lerp(self.coefficients.data, other.coefficients.data, t)
        between: dict[str, Tensor | None] = {}
        for name in ("diffuse", "displacement"):
            a, b = (getattr(face._kept(), name, None) for face in (self, other))
            known = [value for value in (a, b) if value is not None]
            first, second = (torch.zeros_like(known[0]) if v is None else v for v in (a, b)) if known else (None, None)
            between[name] = None if first is None or second is None else torch.lerp(first, second, t)
        delta = None if between["diffuse"] is None else UVMaps(**between)
        code = torch.lerp(self.code, other.code, t)
        return InvertedFace(self.generator, code, Coefficients(data, self.found.layout), delta, before=self)

    def undo(self) -> InvertedFace:
        """The face before the last change: the same object, and so the same picture."""
        if self.before is None:
            raise InputError("nothing to undo: this face is as it was found")
        return self.before

    # ---------------------------------------------------------------- what it is

    @property
    def is_edited(self) -> bool:
        """Whether the code is not the found one."""
        return bool(self.steps) or self.moved is not None

    @property
    def code(self) -> Tensor:
        """``(1, L, D)``, after all edits."""
        code = self.found_code if self.moved is None else self.moved
        for name, step in sorted(self.steps.items()):
            along = self.own_directions[name]
            code = along.move(code, step * along.scale)
        return code

    @property
    def coefficients(self) -> Coefficients:
        """Of the face as it is now: those of the picture, changed by as much as the mapper reads off the edit."""
        found = self.found
        if self.is_edited:
            change = self.generator.coefficients(self.code).data - self.generator.coefficients(self.found_code).data
            found = Coefficients(found.data + change, found.layout)
        found = posed(found, **self.pose)
        if self.expression:
            found = expressed(found, self.generator.face_model, amounts=self.expression)
        return found if self.light is None else relit(found, self.light)

    def _kept(self) -> UVMaps | None:
        """The correction, as far as the edits keep it."""
        if self.delta is None or not self.is_edited or self.tau is None:
            return self.delta
        mask = self.kept_share()
        wide = {name: getattr(self.delta, name) for name in ("diffuse", "displacement")}
        return UVMaps(**{name: None if value is None else value * mask for name, value in wide.items()})

    def kept_share(self) -> Tensor:
        """``(1, 1, H, W)``: how much of the correction the edits keep."""
        return edit_mask(self.generator.maps(self.found_code), self.generator.maps(self.code), self.tau or TAU)

    @property
    def maps(self) -> UVMaps:
        """The generator's maps of the present code, with the correction."""
        return corrected(self.generator.maps(self.code), self._kept())

    def face(self) -> Face:
        """The face: mesh, maps, pose, light."""
        generator = self.generator
        kept = {"generator": generator.name, **({"licences": generator.licences} if generator.licences else {})}
        return Face(self.coefficients, generator.face_model, generator.renderer, self.maps, kept)

    @torch.no_grad()
    def image(self, size: int | None = None) -> Tensor:
        """``(3, size, size)``: the face over the picture that it was found in; turned, over the generator's picture of
        the turned code; without a picture, over the generator's picture of the code."""
        generator, size = self.generator, self.generator.check_size(size)
        yaw = self.pose.get("yaw_deg")
        if yaw is None and self.is_edited and generator.turns:
            now, then = (c.rotation[0, 1].rad2deg() for c in (self.coefficients, self.found))
            if abs(float(now - then)) > _STILL_DEG:  # the edit turns the face away from where the picture shows it
                yaw = max(-YAW_LIMIT, min(YAW_LIMIT, float(now)))
        if yaw is not None or self.picture is None:
            pitch, roll = (self.pose.get(name) for name in ("pitch_deg", "roll_deg"))
            made = generator.composed(
                self.code, self.coefficients, self.maps, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, size=size
            )
            return made[0]
        drawn = FaceRenderer(generator.face_model, generator.renderer, normals="map")(
            self.coefficients, self.maps, size=size
        )
        behind = enlarged(self.picture[None].to(drawn.image), size)
        return paste(drawn.image, drawn.mask, behind, seam="laplacian").clamp(0, 1)[0]

    # ---------------------------------------------------------------- files

    def save(self, path: str | Path, *, metadata: Mapping[str, Any] | None = None, **options: Any) -> Path:
        """``.glb``, ``.obj``, ``.ply``: the mesh, see :meth:`faceuv.Face.save`; ``.safetensors``: this inverted face
        with its code, correction, picture and changes, for :func:`load_inverted`; ``metadata``: more JSON values
        for its header."""
        path = file_path(path)
        if path.suffix.lower() != ".safetensors":
            return self.face().save(path, **options)
        model, teacher = self.generator.face_model, self.generator.teacher
        tensors = {"code": self.found_code, "coefficients": self.found.data, "mean_code": teacher.mean_code}
        optional = {
            "moved": self.moved, "picture": self.picture,
            "diffuse": getattr(self.delta, "diffuse", None), "displacement": getattr(self.delta, "displacement", None),
            "light": self.light if isinstance(self.light, Tensor) else None,
        }  # fmt: skip
        tensors |= {name: value for name, value in optional.items() if value is not None}
        used = {name: self.own_directions[name] for name in self.steps}
        tensors |= {f"direction.{name}": direction.vector for name, direction in used.items()}
        facts = {
            "kind": KIND,
            "generator": self.generator.name,
            "face_model": model.config(),
            "steps": dict(self.steps),
            "scales": {name: direction.scale for name, direction in used.items()},
            "pose": dict(self.pose),
            "expression": dict(self.expression),
            "light": self.light if isinstance(self.light, str) else None,
            "tau": self.tau,
        }
        stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        return save_tensors(path, stored, {**(metadata or {}), **facts})


def load_inverted(path: str | Path, generator: StyleFaceUVGenerator) -> InvertedFace:
    """Read an inverted face that :meth:`InvertedFace.save` wrote, for the generator that it was made with."""
    tensors, facts = load_tensors(path, kind=KIND)
    lacking = [name for name in ("code", "coefficients", "mean_code") if name not in tensors]
    if lacking:
        raise AssetError(f"{path} lacks {', '.join(lacking)}; invert the picture again")
    own = generator.face_model
    stored, has = facts.get("face_model"), FACE_MODELS.name_of(type(own))
    wanted = stored.get("type") if isinstance(stored, Mapping) else stored
    if wanted != has:
        raise InputError(
            f"{path} was saved with the face model {wanted!r}, {generator.name!r} has {has!r}: its coefficients and its"
            " correction mean nothing to another one"
        )
    teacher, mean = generator.teacher, tensors["mean_code"]
    shape = (1, teacher.num_layers, teacher.code_dim)
    own_mean = teacher.mean_code.detach().cpu()
    if tuple(tensors["code"].shape) != shape or mean.shape != own_mean.shape:
        raise InputError(
            f"{path} holds a code of shape {tuple(tensors['code'].shape)}, {generator.name!r} has codes {shape}: it is"
            " a code of another teacher"
        )
    if float((mean - own_mean).abs().max()) > _SAME_MEAN * float(own_mean.abs().max()):
        raise InputError(f"{path} holds a code of another teacher than that of {generator.name!r}: invert again")
    try:
        for name, value in tensors.items():
            check_finite(name, value[None])
        values = {name: value.to(teacher.mean_code) for name, value in tensors.items()}
        delta = None
        if "diffuse" in values:
            delta = UVMaps(values["diffuse"], values.get("displacement"))
            if delta.diffuse is not None and delta.diffuse.shape[-1] != generator.uv_generator.size:
                raise InputError(
                    f"its correction has {delta.diffuse.shape[-1]}² texels, the maps of {generator.name!r} have"
                    f" {generator.uv_generator.size}²"
                )
        scales = facts.get("scales") or {}
        directions = {
            name: Direction(
                vector=values[f"direction.{name}"], name=name, meaning="", method="saved", scale=scales[name]
            )
            for name in facts.get("steps") or {}
        }
        return InvertedFace(
            generator,
            values["code"],
            Coefficients(values["coefficients"], own.layout),
            delta,
            values.get("picture"),
            dict(facts.get("steps") or {}),
            values.get("moved"),
            dict(facts.get("pose") or {}),
            dict(facts.get("expression") or {}),
            values.get("light", facts.get("light")),
            facts.get("tau"),
            own_directions=directions,
        )
    except (FaceUVError, KeyError, TypeError, ValueError) as error:
        raise AssetError(f"{path} holds no inverted face of {generator.name!r}: {error}") from error


def inverted_faces(
    generator: StyleFaceUVGenerator, inversion: Inversion, pictures: Tensor | None = None
) -> list[InvertedFace | None]:
    """The faces of an inversion by any inverter; None where a picture was not inverted. Where the inverter gives no
    coefficients, the generator's mapper reads them off the codes; where it tuned the generator, each face has its own.

    Args:
        pictures: ``(B, 3, S, S)`` at the generator's size, which the faces are shown over.
    """
    codes = generator.check(inversion.codes)
    read = inversion.coefficients if inversion.coefficients is not None else generator.coefficients(codes)
    found: list[InvertedFace | None] = []
    for row, ok in enumerate(inversion.ok.tolist()):
        if not ok:
            found.append(None)
            continue
        one = slice(row, row + 1)
        residual = inversion.residual
        delta = None if residual is None else _row(residual, one)
        owner = generator
        if inversion.generators and inversion.generators[row] is not generator.teacher:
            owner = copy.copy(generator)
            owner.teacher = inversion.generators[row]
        picture = None if pictures is None else pictures[row]
        found.append(InvertedFace(owner, codes[one], read[row], delta, picture))
    return found


def _row(maps: UVMaps, row: slice) -> UVMaps:
    return UVMaps(*(None if value is None else value[row] for value in (maps.diffuse, maps.displacement)))
