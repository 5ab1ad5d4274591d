"""Light that is left in unlit colours: shadows and bright sides, found by comparing the sides of a face, and shade that
follows from errors of the fitted shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.boxes import box_mean
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import kept, near_landmarks
from faceuv.photo.blending import mirror_grid, sampled, spread
from faceuv.photo.relief import colour_weights

_SEEN = 0.15  # weight from which on a side says what it shows
_FINE = 256  # texels across: the map on which shadows are followed
_WINDOW = 7  # texels of half of it: what is smaller than half of this is no shadow but a mole, a fold, a nostril
_EDGE = 0.05  # logarithm: steps above this are edges of shadows and stay sharp
_UNEVEN = (0.5, 0.25)  # logarithm: how much darker and brighter than the fitted albedo both sides may be
_ALONE = (0.3, 0.18)  # the same where only one side is seen
_TINT = 0.15  # logarithm: how far a channel may be from the mean of the three
_ONE_SIDED = 0.08  # of the difference between the sides, what is kept at most
_NEARER = 0.12  # of two sides, how clearly the one nearer to the usual is taken for the skin
_STRANGE = (0.3, 0.6)  # difference between the sides at which one of them is no skin at all: none of it, all
_SHADE = 5  # texels of the fine map: shade is at least as wide
_UNEXPLAINED = 0.03  # logarithm: unevenness of light that no fit explains
_GRAIN = 0.02  # logarithm: of a channel's own, where all is wide
_BEARD = ((*range(5, 12), *range(48, 60)), (0.25, 0.45))  # landmarks, and dm from them: inside, outside
_DARK = (0.08, 0.25)  # logarithm: how dark both sides are there: bare skin, a beard


def evened(model: FaceModel, ratio: Tensor, weight: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithm ``ratio (3, T, T)`` of photograph over model without wide shadows, and the ``weight (1, T, T)`` of
    what remains usable.

    A shadow is wide, has an edge, and lies on one side; a beard and reddened cheeks lie on both; a mole, a fold of the
    skin or a scar is narrow. What is wide is found by a median, which keeps edges sharp and passes over what is
    narrow. Of the two sides, the one that is nearer to the usual tone is the skin, and the other one takes its tone.

    Args:
        features: ``(1, T, T)`` in [0, 1], where brows, eyes, nostrils and lips are: they are no shadows, and what lies
            about them goes on through them.
    """
    size = ratio.shape[-1]
    fine = min(size, _FINE)
    known = _pooled(weight, fine)
    own = _pooled(ratio * weight, fine) / known.clamp_min(1e-6)
    skin = (known / _SEEN).clamp(max=1) * (1 - _pooled(features, fine))
    wide = _wide(own, skin)
    middle = _middle(wide, skin)
    wide = wide - middle
    grid, there = _mirror(model, fine)
    other, met = sampled(wide, grid), sampled(known, grid) * there
    both = (met / _SEEN).clamp(0, 1)
    mine, theirs = (torch.exp(-side.abs().mean(0, keepdim=True) / _NEARER) for side in (wide, other))
    common = _limited((wide * mine + other * theirs) / (mine + theirs), _UNEVEN)
    apart = wide - common
    goal = common + _ONE_SIDED * torch.tanh(apart / _ONE_SIDED)
    goal = both * goal + (1 - both) * _limited(wide, _ALONE)
    low, high = _STRANGE
    strange = (apart.abs().mean(0, keepdim=True) * both - low) / (high - low)
    step = (goal - wide) * (known > 0)
    step, strange = (
        F.interpolate(x[None], (size, size), mode="bilinear", align_corners=False)[0] for x in (step, strange)
    )
    return ratio + step, weight * (1 - strange.clamp(0, 1) * (1 - features))


def without_shade(model: FaceModel, ratio: Tensor, weight: Tensor, inner: Tensor, doubt: Tensor) -> Tensor:
    """The logarithm ``ratio (3, T, T)`` of photograph over model without the shade that errors of the fitted shape
    leave in it.

    Where the light changes fast with the normal, a cheek that is a little too wide leaves as much in the ratio as skin
    does. What is seen there is skin as far as it is more than such errors usually make: the share doubt² / seen² of it
    goes. Only light goes, which is the same in all channels but for its tint: what melanin and blood make stays, and so
    does what is dark on both sides around the mouth, a beard.

    Args:
        inner: ``(1, T, T)`` in [0, 1], about brows, eyes, nose and mouth: nothing goes there, because what the fitted
            shape lacks of a person is seen in this shade.
        doubt: ``(1, T, T)``, the usual error of the light's logarithm.
    """
    size = ratio.shape[-1]
    fine = min(size, _FINE)
    known = _pooled(weight, fine)
    own = _pooled(ratio * weight, fine) / known.clamp_min(1e-6)
    error = _pooled(doubt * weight, fine) / known.clamp_min(1e-6)
    skin = known * (1 - _pooled(inner, fine))
    light = (own * colour_weights(_GRAIN).to(own)[:, None, None]).sum(0, keepdim=True)
    light = _around(light, skin)
    light = light - _middle(light, skin)
    share = ((error.square() + _UNEXPLAINED**2) / _around(light.square(), skin).clamp_min(1e-6)).clamp(max=1)
    grid, there = _mirror(model, fine)
    other = sampled(light, grid)
    low, high = _DARK
    dark = ((torch.minimum(-light, -other) - low) / (high - low)).clamp(0, 1) * there
    share = share * (1 - dark * near_landmarks(model, fine, *_BEARD))
    shade = light * _around(share, skin)
    return ratio - (1 - inner) * F.interpolate(shade[None], (size, size), mode="bilinear", align_corners=False)[0]


def _around(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of ``values (C, N, N)`` around each texel, 0 where there is no weight."""
    both = torch.cat([values * weight, weight])[None]
    for _ in range(2):
        both = box_mean(both, _SHADE)
    return both[0, :-1] / both[0, -1:].clamp_min(1e-4)


def _mirror(model: FaceModel, size: int) -> tuple[Tensor, Tensor]:
    return kept(model, "mirror of what is wide", size, lambda: mirror_grid(model, size))


def _wide(values: Tensor, weight: Tensor) -> Tensor:
    """``values (3, N, N)`` without what is narrow; edges of what is wide stay where they are (a filter guided by the
    values themselves, toward their median)."""
    filled = spread(values, weight)
    half = F.avg_pool2d(filled[None], 2)
    reach = _WINDOW // 2
    windows = F.unfold(F.pad(half, (reach,) * 4, mode="replicate"), _WINDOW)
    median = windows.view(3, _WINDOW**2, -1).median(1).values.view(half.shape)
    here, goal, product, square = (box_mean(x, 5) for x in (half, median, half * median, half * half))
    slope = (product - here * goal) / (square - here * here + _EDGE**2)
    slope = slope.clamp(0, 1)
    slope, start = (
        F.interpolate(box_mean(x, 5), filled.shape[1:], mode="bilinear", align_corners=False)[0]
        for x in (slope, goal - slope * here)
    )
    return slope * filled + start


def _middle(values: Tensor, weight: Tensor) -> Tensor:
    """``(C, 1, 1)``: the median of ``values (C, N, N)`` where there is skin; 0 without any."""
    chosen = values[:, weight[0] > 0.5]
    return chosen.median(1).values[:, None, None] if chosen.shape[1] else values.new_zeros(len(values), 1, 1)


def _limited(values: Tensor, limits: tuple[float, float]) -> Tensor:
    """``values (3, N, N)`` with brightness and tint held within the limits; half of a limit is not touched at all."""
    light = values.mean(0, keepdim=True)
    darkest, brightest = limits
    return _held(light, torch.where(light < 0, darkest, brightest)) + _held(values - light, _TINT)


def _held(x: Tensor, limit: Tensor | float) -> Tensor:
    free = limit / 2
    over = (x.abs() - free).clamp_min(0)
    return x.sign() * (x.abs() - over + free * torch.tanh(over / free))


def _pooled(values: Tensor, size: int) -> Tensor:
    return F.adaptive_avg_pool2d(values[None], size)[0]
