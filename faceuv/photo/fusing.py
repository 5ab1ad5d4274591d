"""Maps of several photographs of one person made one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.photo.blending import blurred

_SHARP = 4  # power of the weights for what is fine: nearly all of it comes from one photograph, and nothing is doubled
_ROUNDS = 3  # in which the photographs' tones come nearer to their mean
_KNOWN = 1e-4


def fused(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Logarithmic ``maps (C, T, T)`` with ``weights (1, T, T)`` in [0, 1] → one map, and its weight.

    Each map is first moved by one colour toward the mean of all: exposure and white balance differ. What is wide comes
    from all maps by their weights, what is fine nearly from the one that sees it best.
    """
    if len(maps) == 1:
        return maps[0], weights[0]
    total = torch.stack(list(weights)).sum(0)
    tones = [maps[0].new_zeros(len(maps[0]), 1, 1) for _ in maps]
    for _ in range(_ROUNDS):
        mean = _mean(maps, weights, tones)
        for k, (values, weight) in enumerate(zip(maps, weights)):
            both = weight * (total - weight)  # where another one sees it as well
            if float(both.sum()) > values.shape[-1]:
                away = ((mean - values) * both).sum((1, 2), keepdim=True) / both.sum()
                tones[k] = away
        tones = [tone - torch.stack(tones).mean(0) for tone in tones]
    times = max(2, round(maps[0].shape[-1] / 32).bit_length())
    wide, cover, fine, sharp = (torch.zeros_like(x) for x in (maps[0], total, maps[0], total))
    for values, weight, tone in zip(maps, weights, tones):
        low = blurred(values, weight, times)
        wide += (low + tone) * weight
        cover += weight
        fine += (values - low) * weight**_SHARP
        sharp += weight**_SHARP
    made = wide / cover.clamp_min(_KNOWN) + fine / sharp.clamp_min(_KNOWN**_SHARP)
    return made, torch.stack(list(weights)).amax(0)


def _mean(maps: Sequence[Tensor], weights: Sequence[Tensor], tones: Sequence[Tensor]) -> Tensor:
    total, cover = torch.zeros_like(maps[0]), torch.zeros_like(weights[0])
    for values, weight, tone in zip(maps, weights, tones):
        total += (values + tone) * weight
        cover += weight
    return total / cover.clamp_min(_KNOWN)
