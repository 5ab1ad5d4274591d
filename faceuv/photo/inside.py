"""Eyeballs, teeth and tongue in the colours of a photograph, where it shows them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import on_parts
from faceuv.photo.reading import Reading

_EYES = (("sclera_right",), ("iris_right",), ("sclera_left",), ("iris_left",))
_MOUTH = (("teeth",), ("gums", "inner_mouth", "tongue"))
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
    size = bare.shape[-1]
    seen, bare = seen.clone(), bare.clone()
    for groups in (_EYES, _MOUTH):
        there = on_parts(model, size, *(name for group in groups for name in group))
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
    made = base.clone(memory_format=torch.contiguous_format)
    for parts in _EYES + _MOUTH:
        there = on_parts(model, base.shape[-1], *parts)
        total = (weight * there).sum()
        if float(total) < _LEAST:
            continue
        texels = there.flatten().nonzero()[:, 0]
        share, shown, own = (part.flatten(1)[:, texels] for part in (weight, bare, base))
        apart = torch.log(shown.clamp_min(0) + _DARK) - torch.log(own + _DARK)
        tone = ((apart * share).sum(1, keepdim=True) / total).clamp(*_TONE)
        tone = tone * (total / len(texels) / _KNOWN).clamp(max=1.0)
        rest = (own + _DARK) * torch.exp(tone) - _DARK
        made.flatten(1)[:, texels] = rest + share * (shown - rest)
    return made
