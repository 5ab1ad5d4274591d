"""The figures of a report: pictures ``(3, H, W)`` in [0, 1] by the name of their file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError
from faceuv.evaluation.measures import Instruments
from faceuv.evaluation.protocol import Protocol, sample
from faceuv.export.images import contact_sheet
from faceuv.export.plots import Line, line_chart
from faceuv.export.surfaces import displacement_colours, grey_surface
from faceuv.export.tables import angle_heading, picture_table
from faceuv.models.base.subject import Subject

STRIP_DEG = (-60.0, -30.0, -15.0, 0.0, 15.0, 30.0, 60.0)
SHEET_DEG = (-45.0, 0.0, 45.0)
_SIDE = 128  # pixels of a picture in a figure, at least
_CHART = (420, 320)
CURVES = {
    "identity": ("identity: same person as the picture", "cosine"),
    "identity_kept": ("identity kept: same person as its own frontal view", "cosine"),
    "pose_deg": ("pose: distance from the yaw asked for", "degrees"),
    "texels": ("consistency: texels against the frontal view", "colour difference"),
    "texels_unlit": ("the same, divided by the light", "colour difference"),
}


@torch.no_grad()
def yaw_strips(subjects: Sequence[Subject], protocol: Protocol, faces: int) -> dict[str, Tensor]:
    """One picture per face: subjects in rows, yaws in columns, the teacher's own picture in the first. Only
    subjects that turn are shown; no pictures if none does."""
    setting = subjects[0].setting
    subjects = [subject for subject in subjects if subject.turns]
    if not subjects:
        return {}
    columns = ["teacher", *map(angle_heading, STRIP_DEG)]
    found = {}
    for face in range(faces):
        _, code = sample(setting, protocol, [face])
        yaw = torch.tensor(STRIP_DEG, device=code.device).deg2rad()[:, None]
        targets = setting.sides(code, yaw)
        own = setting.pictures(code)
        rows = [[own[0], *subject.checked(code, targets).image] for subject in subjects]
        cells = [[enlarged(picture) for picture in row] for row in rows]
        found[f"yaw_{face}"] = picture_table(cells, columns=columns, rows=[subject.name for subject in subjects])
    return found


@torch.no_grad()
def view_sheet(subject: Subject, instruments: Instruments, protocol: Protocol, faces: int) -> Tensor:
    """Faces in rows: both of the teacher's views, or the one if the setting cannot show the other, and what the subject
    shows from there, its bare shape if it has a surface, and the true picture where the scene is known."""
    setting = subject.setting
    latents, codes = sample(setting, protocol, range(faces))
    original = setting.targets(codes)
    view = subject.checked(codes, original)
    columns = [("teacher", original.images), (subject.name, view.image)]
    if original.read is not None and setting.stepper is not None:
        mirrored = setting.targets(codes, -original.read.rotation[:, 1], read="all")
        other = subject.checked(codes, mirrored)
        columns += [("teacher, other side", mirrored.images), (subject.name, other.image)]
    if view.render is not None:
        columns.append(("shape", grey_surface(view.render)))
    for source in instruments.truths:
        if source.name == "scene":
            truth = source.truth(latents, codes, original.images)
            assert truth.image is not None
            columns.append(("scene of the latent", truth.image))
    cells = [[enlarged(pictures[k]) for _, pictures in columns] for k in range(faces)]
    return picture_table(cells, columns=[name for name, _ in columns], rows=[f"face {k}" for k in range(faces)])


@torch.no_grad()
def map_sheet(subject: Subject, instruments: Instruments, protocol: Protocol, faces: int) -> Tensor:
    """Faces in rows: diffuse map, displacement (grey is none), and the true colours where the scene is known."""
    setting, columns = subject.setting, dict[str, Tensor]()
    latents, codes = sample(setting, protocol, range(faces))
    maps = subject.views(codes).maps
    if maps is None:
        raise InputError(f"the subject {subject.name!r} has no maps to show")
    if maps.diffuse is not None:
        columns["diffuse"] = maps.diffuse
    if maps.displacement is not None:
        scale = _round_up(float(maps.displacement.abs().max()))
        columns[f"displacement, ±{100 * scale:.3g} mm"] = displacement_colours(maps.displacement, scale)
    side = max(_SIDE, *(value.shape[-1] for value in columns.values()))
    for source in instruments.truths:
        if source.name == "scene":
            truth = source.truth(latents, codes, setting.pictures(codes))
            columns["colours of the scene"] = truth.albedo
            columns["seen (white), unseen (grey)"] = (truth.seen + 0.4 * truth.unseen).expand(-1, 3, -1, -1)
    resized = {name: F.interpolate(value, (side, side), mode="nearest") for name, value in columns.items()}
    cells = [[pictures[k].clamp(0, 1) for pictures in resized.values()] for k in range(faces)]
    return picture_table(cells, columns=list(resized), rows=[f"face {k}" for k in range(faces)])


def _round_up(value: float) -> float:
    """The next number of one or two round digits, 0.02 or 0.015: the ends of a scale."""
    if value <= 0:
        return 0.01
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7, 10) if value <= step * power * (1 + 1e-6))


@torch.no_grad()
def face_sheet(subject: Subject, protocol: Protocol, faces: int) -> Tensor:
    """The first faces: from the left, the front and the right."""
    setting = subject.setting
    _, codes = sample(setting, protocol, range(faces))
    yaw = torch.tensor(SHEET_DEG, device=codes.device).deg2rad()[:, None].expand(-1, faces)
    views = subject.views(codes, yaw).image.unflatten(0, (-1, faces))
    images = [enlarged(view) for k in range(faces) for view in views[:, k]]
    return contact_sheet(images, columns=6 if faces > 1 else 3, margin=3)


def curve_chart(report: Mapping[str, Any]) -> Tensor:
    """Every curve over the yaw, all subjects in each chart, with bands of two standard errors."""
    panels = []
    for name, (title, unit) in CURVES.items():
        lines = {}
        for subject, entry in report["subjects"].items():
            points = [
                (angle, point["value"], 2 * (point["error"] or 0.0))
                for angle, point in zip(report["yaw_deg"], entry["curves"].get(name, []))
                if point["value"] is not None and math.isfinite(point["value"])
            ]
            if points:
                x, y, band = (list(column) for column in zip(*points))
                lines[subject] = Line(x, y, band)
        if lines:
            chart = line_chart(lines, title=title, x_label="yaw asked for, degrees", y_label=unit, size=_CHART)
            panels.append(chart)
    return contact_sheet(panels, columns=2, margin=6)


def enlarged(picture: Tensor) -> Tensor:
    """A small picture ``(3, S, S)`` as large as a figure needs it, by a whole factor."""
    factor = max(1, math.ceil(_SIDE / picture.shape[-1]))
    if factor == 1:
        return picture.clamp(0, 1)
    large = F.interpolate(picture[None], scale_factor=factor, mode="bicubic", align_corners=False)
    return large[0].clamp(0, 1)
