"""What is evaluated: the method and its baselines behind one question, *show these faces from there*.

Views of B faces lie one view after the other, ``V·B`` rows, as in :mod:`faceuv.models.stylefaceuv.views`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from faceuv.checks import check_finite
from faceuv.errors import InputError
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.stylefaceuv import UVGenerator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylefaceuv.views import for_views, turned
from faceuv.models.stylegan2 import broadcast_code
from faceuv.renderers.compositing import composite
from faceuv.structures import Coefficients, Render, UVMaps

Read = Literal["pose", "all"]
OURS, LINEAR, TURNED = "ours", "linear", "turned 2D"  # what reports call the subjects below


@dataclass(frozen=True, eq=False)
class View:
    """Faces as a subject shows them, ``V·B`` rows.

    image         ``(·, 3, S, S)`` in [0, 1]: the render pasted over the teacher's picture of that view, or a 2D picture
    render        the surface: what was drawn; for a 2D picture the linear face that F3D sees in it, which says which
                  texel lies where; None where a subject knows no surface
    mask          ``(·, 1, S, S)`` where the face is
    coefficients  that were drawn, or that F3D reads
    maps          of the B faces, where there are any
    """

    image: Tensor
    render: Render | None
    mask: Tensor
    coefficients: Coefficients | None = None
    maps: UVMaps | None = None


@dataclass(frozen=True, eq=False)
class Targets:
    """What the teacher shows of B faces from V sides, ``V·B`` rows.

    codes         ``(·, L, D)`` moved along the yaw direction
    images        ``(·, 3, S, S)`` of the teacher, in [0, 1]
    coefficients  to draw the faces with
    read          what F3D reads off the moved codes
    """

    codes: Tensor
    images: Tensor
    coefficients: Coefficients
    read: Coefficients


@dataclass(frozen=True, eq=False)
class Setting:
    """What all subjects share.

    teacher   codes → images, anything of ``GENERATORS``
    mapper    F3D, codes → coefficients
    stepper   F_yaw, codes and yaw → codes; only views from another side need it
    renderer  draws the face model
    """

    teacher: Any
    mapper: CoefficientMapper
    renderer: FaceRenderer
    stepper: YawStepper | None = None

    @property
    def size(self) -> int:
        """Side of all pictures."""
        return int(self.teacher.size)

    @property
    def device(self) -> torch.device:
        """Where codes are expected."""
        return self.renderer.face_model.mean.device

    def broadcast(self, codes: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, L, D)`` → ``(B, L, D)``."""
        return broadcast_code(codes, self.mapper.num_layers, self.mapper.code_dim)

    @torch.no_grad()
    def targets(self, codes: Tensor, yaw: Tensor | None = None, *, read: Read = "pose") -> Targets:
        """The views of ``codes (B, L, D)`` or ``(B, D)`` at ``yaw``, radians: ``(B,)``, or ``(V, B)`` for V views of
        each face; None is the original pose.

        A turned view takes its picture, pitch, roll and place from the code that was moved along the yaw direction, its
        yaw from the question, and everything else from the original code. With ``read="all"`` every coefficient is what
        F3D reads off the moved code, as in training.
        """
        codes = self.broadcast(codes)
        check_finite("codes", codes.flatten(1))
        own: Coefficients = self.mapper(codes)
        if yaw is None:
            return Targets(codes, self.pictures(codes), own, own)
        if self.stepper is None:
            raise InputError("views from another side need F_yaw; give the setting a stepper")
        if yaw.ndim not in (1, 2) or yaw.shape[-1] != len(codes):
            raise InputError(f"yaw must have shape ({len(codes)},) or (V, {len(codes)}), got {tuple(yaw.shape)}")
        wanted = yaw.reshape(-1, len(codes)).to(codes)
        views = len(wanted)
        moved = self.stepper.move(codes.repeat(views, 1, 1), wanted.flatten())
        seen: Coefficients = self.mapper(moved)
        drawn = seen
        if read == "pose":
            there = turned(seen, wanted.flatten())
            every = Coefficients(own.data.repeat(views, 1), own.layout)
            drawn = every.replace(rotation=there.rotation, translation=there.translation)
        return Targets(moved, self.pictures(moved), drawn, seen)

    def pictures(self, codes: Tensor) -> Tensor:
        """The teacher's ``(B, 3, S, S)`` in [0, 1]."""
        images: Tensor = self.teacher.synthesis(codes)
        return images.clamp(0, 1)

    def draw(self, coefficients: Coefficients, maps: UVMaps | None = None) -> Render:
        """Faces over black, with maps of B faces for V·B views; without maps the linear face and albedo."""
        wide = None if maps is None else for_views(maps, len(coefficients))
        with torch.autocast(coefficients.data.device.type, enabled=False):
            drawn: Render = self.renderer(coefficients, wide, size=self.size)
        return drawn


class Subject(ABC):
    """A way to show a face from any side. ``name`` is what tables call it, ``about`` one line about it; ``draws`` says
    whether its pictures are renders of a surface, which can be compared with a true one."""

    about = ""
    draws = True

    def __init__(self, setting: Setting, name: str) -> None:
        self.setting, self.name = setting, name

    @torch.no_grad()
    def views(self, codes: Tensor, yaw: Tensor | None = None, *, read: Read = "pose") -> View:
        """The faces of ``codes (B, L, D)`` at ``yaw`` (see :meth:`Setting.targets`)."""
        return self.show(codes, self.setting.targets(codes, yaw, read=read))

    @abstractmethod
    def show(self, codes: Tensor, targets: Targets) -> View:
        """The faces of ``codes (B, L, D)`` from the sides of ``targets``, which subjects can share."""


class UVSubject(Subject):
    """The method: one pair of maps per face, drawn from any side over the teacher's picture of that side."""

    about = "maps of the UV generator on F3D's face"

    def __init__(self, setting: Setting, generator: UVGenerator, name: str = OURS) -> None:
        super().__init__(setting, name)
        mapper = setting.mapper
        if (generator.num_layers, generator.code_dim) != (mapper.num_layers, mapper.code_dim):
            raise InputError(
                f"the UV generator of {name!r} reads codes with L = {generator.num_layers}, D = {generator.code_dim};"
                f" F3D with L = {mapper.num_layers}, D = {mapper.code_dim}: they belong to two teachers"
            )
        self.generator = generator

    @torch.no_grad()
    def maps(self, codes: Tensor) -> UVMaps:
        """The maps of B faces."""
        maps: UVMaps = self.generator(codes)
        return maps

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> View:
        """One pair of maps per face for all its views."""
        return draw_over(self.setting, targets, self.maps(codes))


class LinearSubject(Subject):
    """F3D alone: its mesh with the linear albedo."""

    about = "F3D's mesh and linear albedo, no maps"

    def __init__(self, setting: Setting, name: str = LINEAR) -> None:
        super().__init__(setting, name)

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> View:
        """The linear face."""
        return draw_over(self.setting, targets, None)


class TurnedSubject(Subject):
    """Rotation in 2D, as InterFaceGAN does it: the teacher's picture of the code moved along the yaw direction."""

    about = "the teacher's picture of the code moved along the yaw direction"
    draws = False

    def __init__(self, setting: Setting, name: str = TURNED) -> None:
        super().__init__(setting, name)

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> View:
        """The picture; where its texels lie is what F3D reads off the moved code."""
        surface = self.setting.draw(targets.read)
        return View(targets.images, surface, surface.mask, targets.read)


def draw_over(setting: Setting, targets: Targets, maps: UVMaps | None) -> View:
    """Draw the faces of ``targets`` and lay them over the teacher's pictures by their coverage: no seam is smoothed, so
    that every pixel of the face is the subject's own."""
    render = setting.draw(targets.coefficients, maps)
    image = composite(render.image, render.mask, targets.images).clamp(0, 1)
    return View(image, render, render.mask, targets.coefficients, maps)
