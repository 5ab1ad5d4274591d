"""What a report compares: subjects, which all show the same faces from the same sides, and claims about them.

Views of B faces lie one view after the other, ``V·B`` rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.contracts import CodeEditor, CodeMapper
from faceuv.models.base.generator import Generator
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.several_views import for_views, turned
from faceuv.renderers.compositing import composite
from faceuv.structures import Coefficients, Render, UVMaps

Read = Literal["pose", "all"]
Capability = Literal["coefficients", "maps", "surface"]
Network = Literal["mapper", "stepper"]
CAPABILITIES: tuple[Capability, ...] = ("coefficients", "maps", "surface")
FULL, METHOD = "full", "method"
"""How claims name the first of several reports, and the method of a report, whatever recipes call them."""


@dataclass(frozen=True, eq=False)
class SubjectView:
    """Faces as a subject shows them, ``V·B`` rows. Only the image is required; a subject's ``capabilities`` say which
    of the other parts its views carry.

    image         ``(·, 3, S, S)`` in [0, 1]
    mask          ``(·, 1, S, S)`` where the face is; None if the subject does not know: then measures take the face
                  that the setting's mapper reads off the teacher's code, if there is a mapper
    coefficients  3DMM coefficients of the face in the image, in the layout of the setting's face model
    maps          UV maps of the B faces in the chart of the setting's face model
    render        the surface that was drawn: depth, normals, UV coordinates
    """

    image: Tensor
    mask: Tensor | None = None
    coefficients: Coefficients | None = None
    maps: UVMaps | None = None
    render: Render | None = None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Which parts this view carries."""
        parts = {"coefficients": self.coefficients, "maps": self.maps, "surface": self.render}
        return frozenset(name for name in CAPABILITIES if parts[name] is not None)


@dataclass(frozen=True, eq=False)
class Targets:
    """What the teacher shows of B faces from V sides, ``V·B`` rows.

    codes         ``(·, L, D)`` moved to the yaw; where no editor turns codes, the codes themselves
    images        ``(·, 3, S, S)`` of the teacher, in [0, 1]: its pictures of these codes
    coefficients  to draw the faces with; None if no mapper reads codes
    read          what the mapper reads off the moved codes, likewise
    yaw           ``(·,)`` radians, what was asked for; None is the original pose
    """

    codes: Tensor
    images: Tensor
    coefficients: Coefficients | None = None
    read: Coefficients | None = None
    yaw: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Setting:
    """What all subjects of a report share. Only the teacher is required; measures that need another part are left out
    without it.

    teacher   codes → images
    mapper    codes → coefficients of the renderer's face model
    renderer  draws the face model
    stepper   moves codes to a yaw; the teacher's pictures from another side need it
    """

    teacher: Generator
    mapper: CodeMapper | None = None
    renderer: FaceRenderer | None = None
    stepper: CodeEditor | None = None

    def __post_init__(self) -> None:
        if self.mapper is not None and self.renderer is None:
            raise InputError("a mapper reads coefficients of a face model; give the setting its renderer as well")

    @property
    def size(self) -> int:
        """Side of all images."""
        return int(self.teacher.size)

    @property
    def device(self) -> torch.device:
        """Where codes are expected."""
        return self.teacher.mean_code.device

    @property
    def faces(self) -> FaceRenderer:
        """The renderer, for what cannot do without a face model."""
        if self.renderer is None:
            raise InputError("coefficients are drawn by a face model; give the setting a renderer")
        return self.renderer

    def broadcast(self, codes: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, L, D)`` → ``(B, L, D)``."""
        return broadcast_code(codes, self.teacher.num_layers, self.teacher.code_dim)

    @torch.no_grad()
    def targets(self, codes: Tensor, yaw: Tensor | None = None, *, read: Read = "pose") -> Targets:
        """The views of ``codes (B, L, D)`` or ``(B, D)`` at ``yaw``, radians: ``(B,)``, or ``(V, B)`` for V views of
        each face; None is the original pose.

        A turned view takes its image, pitch, roll and place from the moved code, its yaw from ``yaw``, and everything
        else from the original code. With ``read="all"`` every coefficient is what the mapper reads off the moved code.
        """
        codes = self.broadcast(codes)
        check_finite("codes", codes.flatten(1))
        if yaw is None:
            own = None if self.mapper is None else self.mapper(codes)
            return Targets(codes, self.pictures(codes), own, own)
        if self.stepper is None:
            raise InputError("views from another side need an editor of the yaw; give the setting a stepper")
        every, wanted = _each(codes, yaw)
        moved = self.stepper.move(every, wanted)
        if self.mapper is None:
            return Targets(moved, self.pictures(moved), yaw=wanted)
        own = self.mapper(codes)
        seen = self.mapper(moved)
        drawn = seen
        if read == "pose":
            there = turned(seen, wanted)
            persons = Coefficients(own.data.repeat(len(every) // len(codes), 1), own.layout)
            drawn = persons.replace(rotation=there.rotation, translation=there.translation)
        return Targets(moved, self.pictures(moved), drawn, seen, wanted)

    @torch.no_grad()
    def unmoved(self, codes: Tensor, yaw: Tensor) -> Targets:
        """For subjects that turn faces by themselves where no editor turns codes: ``yaw`` as for :meth:`targets`, with
        the codes, and the teacher's pictures, as they are."""
        codes = self.broadcast(codes)
        check_finite("codes", codes.flatten(1))
        every, wanted = _each(codes, yaw)
        images = self.pictures(codes).repeat(len(every) // len(codes), 1, 1, 1)
        seen = None if self.mapper is None else self.mapper(every)
        return Targets(every, images, None if seen is None else turned(seen, wanted), seen, wanted)

    def sides(self, codes: Tensor, yaw: Tensor) -> Targets:
        """:meth:`targets`, or :meth:`unmoved` where no editor turns codes: what subjects that can turn are shown."""
        return self.unmoved(codes, yaw) if self.stepper is None else self.targets(codes, yaw)

    def pictures(self, codes: Tensor) -> Tensor:
        """The teacher's ``(B, 3, S, S)`` in [0, 1]."""
        images: Tensor = self.teacher.synthesis(codes)
        return images.clamp(0, 1)

    def draw(self, coefficients: Coefficients, maps: UVMaps | None = None) -> Render:
        """Faces over black, with maps of B faces for V·B views; without maps the linear face and albedo."""
        wide = None if maps is None else for_views(maps, len(coefficients))
        with torch.autocast(coefficients.data.device.type, enabled=False):
            drawn: Render = self.faces(coefficients, wide, size=self.size)
        return drawn

    @torch.no_grad()
    def draw_over(self, targets: Targets, maps: UVMaps | None = None) -> SubjectView:
        """Draw the faces of ``targets`` and lay them over the teacher's images by their coverage. No seam is
        smoothed: every pixel of the face is the subject's own."""
        if targets.coefficients is None:
            raise InputError("the faces of codes are drawn by their coefficients; give the setting a mapper")
        render = self.draw(targets.coefficients, maps)
        image = composite(render.image, render.mask, targets.images).clamp(0, 1)
        return SubjectView(image, render.mask, targets.coefficients, maps, render)


def _each(codes: Tensor, yaw: Tensor) -> tuple[Tensor, Tensor]:
    """A code ``(V·B, L, D)`` and a yaw ``(V·B,)`` for each view of B codes, ``yaw (B,)`` or ``(V, B)``."""
    if yaw.ndim not in (1, 2) or yaw.shape[-1] != len(codes):
        raise InputError(f"yaw must have shape ({len(codes)},) or (V, {len(codes)}), got {tuple(yaw.shape)}")
    wanted = yaw.reshape(-1, len(codes)).to(codes)
    return codes.repeat(len(wanted), 1, 1), wanted.flatten()


@dataclass(frozen=True)
class Claim:
    """Something that should hold: the ``better`` (report, subject) beats the ``worse`` one in each of ``metrics``.

    Reports are named as ``tools/results.py`` is given them, the first one :data:`FULL`; subjects as recipes name them,
    the method :data:`METHOD`. A report that is not given can be a subject of the first one: spaces in its name are
    written as underscores.
    """

    title: str
    better: tuple[str, str]
    worse: tuple[str, str]
    metrics: Sequence[str]


class Subject(ABC):
    """A way to show the faces of codes from any side. Register one in ``SUBJECTS``; a report builds it from
    ``dict(type=…, …)`` with the ``setting`` and the ``name`` that tables show.

    Attributes:
        about: one line for the report.
        capabilities: which of ``"coefficients"``, ``"maps"`` and ``"surface"`` its views carry; measures that need
            another one are left out, and the report says so.
        needs: which of the setting's networks it cannot do without; a report without one refuses the subject.
        turns_itself: it turns faces without the teacher's picture from that side. Where the setting has no stepper it
            gets targets with the codes as they are and the ``yaw``; other subjects are not turned there.
        shows_teacher: its images are the teacher's own, so that comparing them with the teacher's says nothing.
        claims: what should hold of reports whose method this is.
        path: the file that it was read from, if there is one: ``faceuv test`` puts another one in its place.
    """

    about: str = ""
    capabilities: frozenset[Capability] = frozenset()
    needs: ClassVar[tuple[Network, ...]] = ()
    turns_itself: ClassVar[bool] = False
    shows_teacher: ClassVar[bool] = False
    claims: ClassVar[Sequence[Claim]] = ()
    path: Path | None = None

    def __init__(self, setting: Setting, name: str) -> None:
        self.setting, self.name = setting, name
        lacking = [part for part in self.needs if getattr(setting, part) is None]
        if lacking:
            raise InputError(f"the subject {name!r} needs a {' and a '.join(lacking)}, which the setting does not have")

    @property
    def turns(self) -> bool:
        """Whether it can show faces at another yaw."""
        return self.turns_itself or self.setting.stepper is not None

    @torch.no_grad()
    def views(self, codes: Tensor, yaw: Tensor | None = None, *, read: Read = "pose") -> SubjectView:
        """The faces of ``codes (B, L, D)`` at ``yaw`` (see :meth:`Setting.targets`)."""
        if yaw is not None and self.turns_itself and self.setting.stepper is None:
            return self.checked(codes, self.setting.unmoved(codes, yaw))
        return self.checked(codes, self.setting.targets(codes, yaw, read=read))

    @abstractmethod
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """The faces of ``codes (B, L, D)`` from the sides of ``targets``, which subjects share."""

    @torch.no_grad()
    def checked(self, codes: Tensor, targets: Targets) -> SubjectView:
        """:meth:`show`, held to its shapes and to the subject's capabilities."""
        view = self.show(codes, targets)
        rows, size = len(targets.images), self.setting.size
        check_shape(f"the picture of the subject {self.name!r}", view.image, (rows, 3, size, size))
        if view.mask is not None:
            check_shape(f"the mask of the subject {self.name!r}", view.mask, (rows, 1, size, size))
        if view.capabilities != self.capabilities:
            raise InputError(
                f"the subject {self.name!r} says that its views carry {_listed(self.capabilities)}, they carry"
                f" {_listed(view.capabilities)}: correct the capabilities of {type(self).__name__}"
            )
        return view


def _listed(capabilities: frozenset[Capability]) -> str:
    return ", ".join(name for name in CAPABILITIES if name in capabilities) or "pictures alone"
