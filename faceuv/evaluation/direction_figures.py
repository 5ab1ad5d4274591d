"""Pictures of directions: strips of moved faces, and the figure that compares finders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

from faceuv.evaluation.direction_quality import DirectionQuality
from faceuv.export.images import contact_sheet
from faceuv.export.plots import Line, bar_chart, line_chart

_SIDE = 160  # pixels that a picture on a strip has at least, so that its label can be read
_PANEL = (380, 290)
# drift → title and how it is counted
_PANELS: dict[str, tuple[str, str, float]] = {
    "identity_mm": ("identity moves", "mm", 1.0),
    "expression_mm": ("expression moves", "mm", 1.0),
    "albedo": ("albedo changes", "% of full scale", 100.0),
    "light": ("light changes", "%", 100.0),
    "yaw_deg": ("yaw moves", "degrees", 1.0),
    "pitch_deg": ("pitch moves", "degrees", 1.0),
    "roll_deg": ("roll moves", "degrees", 1.0),
}


def strip(images: Tensor, values: Tensor, steps: Sequence[float], *, degrees: bool) -> Tensor:
    """Faces in rows, steps in columns, the measured score under each → one picture.

    Args:
        images: ``(F, S, 3, H, W)`` in [0, 1].
        values: ``(F, S)``; NaN where a face could not be read.
        steps: in σ, written in the first row.
        degrees: whether the values are degrees.
    """
    factor = max(1, math.ceil(_SIDE / images.shape[-1]))
    pictures = images.flatten(0, 1)
    if factor > 1:
        pictures = F.interpolate(pictures, scale_factor=factor, mode="bicubic", align_corners=False)
    labels = []
    for face, row in enumerate(values.tolist()):
        for step, value in zip(steps, row):
            words = "no face" if math.isnan(value) else f"{value:+.1f}°" if degrees else f"{value:+.2f}"
            labels.append(f"{step:+g} sd: {words}" if face == 0 and step else words)
    return contact_sheet(list(pictures.clamp(0, 1)), columns=len(steps), labels=labels, margin=3)


def quality_figure(found: Mapping[str, DirectionQuality], score: str) -> Tensor:
    """The score along each direction, its correlation with the step, and what else moves, side by side."""
    unit = next(iter(found.values())).unit.name
    lines = {
        name: Line(
            quality.steps.tolist(), quality.change.mean(0).tolist(), quality.change.std(0, correction=0).tolist()
        )
        for name, quality in found.items()
    }
    shown = score.partition(":")[2] if score.startswith("movement:") else score
    pooled = {name: quality.pooled for name, quality in found.items()}
    within = {name: quality.correlation for name, quality in found.items()}
    least = -1.1 if min([*pooled.values(), *within.values()]) < 0 else 0.0
    panels = [
        line_chart(lines, title=f"change of {shown}: mean and sd over faces", x_label="step (sd of the codes)",
                   y_label=f"{unit}s" if unit == "degree" else unit, size=_PANEL),
        *(bar_chart(bars, title=f"correlation of step and {shown}, {of}", size=_PANEL, y_range=(least, 1.1),
                    form="{:.3f}".format) for of, bars in (("all faces", pooled), ("one face", within))),
    ]  # fmt: skip
    for name, (title, counted, factor) in _PANELS.items():
        bars = {method: factor * quality.drift.get(name, math.nan) for method, quality in found.items()}
        if not all(math.isnan(value) for value in bars.values()):
            panels.append(bar_chart(bars, title=title, y_label=f"{counted} per {unit}", size=_PANEL))
    return contact_sheet(panels, columns=3, margin=6)
