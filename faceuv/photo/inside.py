"""Eyeballs, teeth and tongue in the colours of a photograph, where it shows them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.part_texels import part_texels
from faceuv.photo.reading import Reading

_GROUPS = (
    ("sclera_right", "iris_right"),
    ("sclera_left", "iris_left"),
    ("teeth",),
    ("gums", "inner_mouth", "tongue"),
)
_DARK = 0.02  # added before logarithms
_TONE = (-0.5, 0.2)  # how far the hidden rest follows the seen part in brightness and tint: lids and lips throw shadows
_ENOUGH = 0.4  # of what another photograph shows of eyes or mouth
_LEAST = 24.0  # texels that are seen: fewer say nothing
_KNOWN = 0.05  # share of a part that speaks for all of it: an open eye shows 0.13, parted lips 0.003 of the teeth


def clearest(model: FaceModel, readings: Sequence[Reading], trust: Sequence[float]) -> tuple[Tensor, Tensor]:
    """``(1, T, T)`` and ``(3, T, T)``: how far eyes and mouth are seen, and their colours, each from one photograph:
    the first one, unless another shows much more of it. Gazes and rows of teeth are never mixed."""
    seen, bare = readings[0].seen, readings[0].bare
    if len(readings) == 1:
        return seen, bare
    chart = model.chart(*bare.shape[1:])
    seen, bare = seen.clone(), bare.clone()
    for parts in (_GROUPS[0] + _GROUPS[1], _GROUPS[2] + _GROUPS[3]):
        there = part_texels(model, chart, *parts)
        shown = [float((reading.seen * there).sum()) * own for reading, own in zip(readings, trust)]
        best = readings[0] if shown[0] > _ENOUGH * max(shown) else readings[shown.index(max(shown))]
        seen, bare = torch.where(there, best.seen, seen), torch.where(there, best.bare, bare)
    return seen, bare


def with_eyes_and_mouth(model: FaceModel, weight: Tensor, bare: Tensor, base: Tensor) -> Tensor:
    """``base (3, T, T)`` with eyes and the inside of the mouth as the photograph shows them.

    What lies between the lids and the lips is drawn as it is seen there, so that the picture is met even if the gaze or
    the row of teeth is another than the model's. The hidden rest keeps the model's colours, in the tone of the seen as
    far as enough of the part is seen: between closed lips it is the lips that are seen, not the teeth.

    Args:
        weight: ``(1, T, T)``, how far the photograph shows each texel; ``bare (3, T, T)`` its colours without light.
    """
    chart = model.chart(*base.shape[1:])
    made = base.clone()
    for parts in _GROUPS:
        there = part_texels(model, chart, *parts)
        seen = weight * there
        total = seen.sum()
        if float(total) < _LEAST:
            continue
        apart = torch.log(bare.clamp_min(0) + _DARK) - torch.log(base + _DARK)
        tone = ((apart * seen).sum((1, 2), keepdim=True) / total).clamp(*_TONE)
        tone = tone * (total / there.sum() / _KNOWN).clamp(max=1.0)
        rest = (base + _DARK) * torch.exp(tone) - _DARK
        made = torch.where(there, rest + seen * (bare - rest), made)
    return made
