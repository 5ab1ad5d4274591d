"""A rig beside other editors of codes, on the same pairs of faces, judged by a reader that none was trained with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.evaluation.frechet import frechet_distance
from faceuv.evaluation.identity import similarity
from faceuv.evaluation.rig_measures import (
    Followed,
    Range,
    Rows,
    by_size,
    calibrated,
    control_rows,
    energy_centre,
    followed,
    layer_energy,
    means,
    mouth_rows,
    range_of,
)
from faceuv.models.base.contracts import CodeEditor, CodeMapper
from faceuv.models.directions import Direction
from faceuv.models.stylerig.errors import GroupErrors
from faceuv.models.stylerig.groups import ALL, CONTROLS, edited_columns
from faceuv.models.stylerig.rig import Rig
from faceuv.structures import Coefficients

Look = Callable[[Tensor], tuple[Tensor, Coefficients]]
"""Codes → their pictures, and what is read off them."""
YAW = "yaw"
EDITS: dict[str, tuple[str, ...]] = {YAW: (YAW,), **{name: (name,) for name in ALL}, "all": ALL}
"""Edit → controls that are transferred from one code to another."""
MOUTH = ("mouth_width", "mouth_opening")
AXES = {"pitch": 0, "yaw": 1, "roll": 2}
SIZES_DEG = (5.0, 10.0, 15.0, 20.0, 30.0, 40.0)
_EDGES = (0.0, 5.0, 10.0, 20.0, 40.0)  # degrees, bins of identity against the size of an edit of the yaw


class StudiedEditor(ABC):
    """An editor as the study asks it: transfer something from one code to another."""

    edits: tuple[str, ...] = (YAW,)

    @abstractmethod
    def transfer(self, code: Tensor, source: Tensor, own: Coefficients, other: Coefficients, edit: str) -> Tensor:
        """Codes ``(B, L, D)`` of ``code``'s faces with what ``edit`` names of ``source``'s; ``own`` and ``other`` are
        what the mapper reads off both."""


class RigEditor(StudiedEditor):
    """RigNet: every edit."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        known = {YAW if name == "pose" else name for name in rig.network.controls} | set(rig.network.controls)
        self.edits = tuple(name for name, controls in EDITS.items() if set(controls) <= known)

    def transfer(self, code: Tensor, source: Tensor, own: Coefficients, other: Coefficients, edit: str) -> Tensor:
        """One step."""
        mine, theirs = self.rig.mapper(code), self.rig.mapper(source)
        return self.rig.move(code, wanted_of(mine, theirs, edit))


class TurningEditor(StudiedEditor):
    """An editor of the yaw, F_yaw for instance."""

    def __init__(self, editor: CodeEditor) -> None:
        self.editor = editor

    def transfer(self, code: Tensor, source: Tensor, own: Coefficients, other: Coefficients, edit: str) -> Tensor:
        """Turned to the other's yaw."""
        return self.editor.move(code, other.rotation[:, 1])


class DirectionEditor(StudiedEditor):
    """A direction of the yaw, with the step of a straight line: InterFaceGAN's or GANSpace's."""

    def __init__(self, direction: Direction, codes: Tensor, yaw: Tensor) -> None:
        self.direction, self.step = direction, calibrated(direction.position, codes, yaw)

    def transfer(self, code: Tensor, source: Tensor, own: Coefficients, other: Coefficients, edit: str) -> Tensor:
        """Moved along the direction."""
        return self.direction.move(code, self.step(own.rotation[:, 1], other.rotation[:, 1]).to(code))


class LayerMixing(StudiedEditor):
    """StyleGAN's own way: rows of the other code: the first third for the pose, the second for the expression, the last
    for the light; all of them would be the other face, so there is no edit ``all``."""

    edits = (YAW, *ALL)

    def transfer(self, code: Tensor, source: Tensor, own: Coefficients, other: Coefficients, edit: str) -> Tensor:
        """Rows exchanged."""
        layers = code.shape[1]
        third = {YAW: 0, "pose": 0, "expression": 1, "light": 2}[edit]
        rows = slice(round(third * layers / 3), round((third + 1) * layers / 3))
        mixed = code.clone()
        mixed[:, rows] = source[:, rows]
        return mixed


def wanted_of(own: Coefficients, other: Coefficients, edit: str) -> Coefficients:
    """The coefficients ``own`` with what ``edit`` names of ``other``."""
    if edit == YAW:
        rotation = own.rotation.clone()
        rotation[:, 1] = other.rotation[:, 1]
        return own.replace(rotation=rotation)
    columns = edited_columns(own.layout, EDITS[edit]).to(own.data.device)
    return Coefficients(torch.where(columns, other.data, own.data), own.layout)


@dataclass(frozen=True, eq=False)
class Studied:
    """Of one editor and edit: numbers per pair, means, the Fréchet distance of the edited pictures, the share of each
    row in its steps, identity in bins of the edit's size, and how mouths follow an edit of the expression."""

    rows: Rows
    means: Mapping[str, Mapping[str, float]]
    frechet: float
    energy: list[float]
    identity_by_size: list[tuple[float, int]] = field(default_factory=list)
    mouth: Mapping[str, Followed] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RigStudy:
    """The study's parts.

    look      reads pictures; no editor was trained with it
    mapper    reads codes, for all editors
    errors    compares coefficients
    identity  features of persons
    features  space of the Fréchet distance
    code, source  ``(N, L, D)``: the pairs
    reference  features of other pictures of the generator ``(M, C)``
    batch     pictures at a time
    """

    look: Look
    mapper: CodeMapper
    errors: GroupErrors
    identity: nn.Module
    features: nn.Module
    code: Tensor
    source: Tensor
    reference: Tensor
    batch: int = 32

    @torch.no_grad()
    def reading(self, codes: Tensor) -> tuple[Coefficients, Tensor, Tensor]:
        """What is read off codes' pictures, the persons' features, and the pictures' features."""
        read, persons, features = [], [], []
        for part in codes.split(self.batch):
            images, found = self.look(part)
            read.append(found.data)
            persons.append(self.identity(images))
            features.append(self.features(images))
        return Coefficients(torch.cat(read), self.errors.units.layout), torch.cat(persons), torch.cat(features)

    @torch.no_grad()
    def run(self, editors: Mapping[str, StudiedEditor]) -> tuple[dict[str, dict[str, Studied]], float]:
        """Editor → edit → what was measured; and the Fréchet distance of the unedited pictures, the floor."""
        before, person, features = self.reading(self.code)
        there, _, _ = self.reading(self.source)
        own, other = self.mapper(self.code), self.mapper(self.source)
        found: dict[str, dict[str, Studied]] = {}
        for name, editor in editors.items():
            found[name] = {}
            for edit in editor.edits:
                moved = editor.transfer(self.code, self.source, own, other, edit)
                after, others, seen = self.reading(moved)
                wanted = wanted_of(before, there, edit)
                rows = control_rows(self.errors, before, after, wanted, EDITS[edit])
                mouth = mouth_rows(self.errors, before, after, wanted) if "expression" in EDITS[edit] else {}
                rows["identity"] = similarity(person, others)
                rows["energy_centre"] = energy_centre(self.code, moved)
                size = (there.rotation - before.rotation)[:, 1].abs().rad2deg()
                found[name][edit] = Studied(
                    rows | mouth,
                    means(rows),
                    frechet_distance(seen, self.reference),
                    layer_energy(self.code, moved).tolist(),
                    by_size(rows["identity"], size, _EDGES) if edit == YAW else [],
                    {name: followed(mouth[f"{name}_asked"], mouth[f"{name}_reached"]) for name in MOUTH if mouth},
                )
        return found, frechet_distance(features, self.reference)

    @torch.no_grad()
    def ranges(self, rig: Rig, sizes: Sequence[float] = SIZES_DEG) -> dict[str, Range]:
        """Angle → how far the rig follows when it alone is changed, to both sides in turns, over all faces."""
        before, _, _ = self.reading(self.code)
        own = rig.mapper(self.code)
        sign = torch.ones(len(self.code), device=self.code.device)
        sign[1::2] = -1
        found = {}
        for name, axis in AXES.items():
            reached = []
            for size in sizes:
                rotation = own.rotation.clone()
                rotation[:, axis] += sign * torch.tensor(size).deg2rad().to(rotation)
                after, _, _ = self.reading(rig.move(self.code, own.replace(rotation=rotation)))
                reached.append(sign * (after.rotation - before.rotation)[:, axis].rad2deg())
            found[name] = range_of(sizes, torch.stack(reached))
        return found


def record(
    found: Mapping[str, Mapping[str, Studied]], floor: float, ranges: Mapping[str, Range], about: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``metrics.json`` holds."""
    editors = {
        name: {
            edit: {
                "metrics": one.means,
                "frechet": one.frechet,
                "energy": one.energy,
                "identity_by_yaw_deg": one.identity_by_size,
                "mouth": {key: vars(value) for key, value in one.mouth.items()},
            }
            for edit, one in edits.items()
        }
        for name, edits in found.items()
    }
    turned = {name: vars(one) for name, one in ranges.items()}
    return {
        "kind": "faceuv rig study",
        **about,
        "groups": CONTROLS,
        "frechet_floor": floor,
        "editors": editors,
        "ranges": turned,
        "yaw_bins_deg": list(_EDGES),
    }
