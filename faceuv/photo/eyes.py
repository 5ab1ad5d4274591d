"""The colour of the irises in a photograph, and where the eyes look."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.models.faces.appearance import EyeColour

_LEAST = 12  # texels or pixels of an iris: fewer say nothing
_PUPIL, _GLINT = 0.30, 0.80  # shares of the iris, by brightness, between which its colour lies
_RING = 0.42
_WARM = (1.13, 1.02, 0.88)  # around the pupil, relative to the rim


def iris_middle(colour: Tensor, place: Tensor, radius: float) -> Tensor:
    """``(2,)``: the middle of the iris among samples of an eye's opening, see :func:`iris_colour`."""
    brightness = colour.mean(1)
    low, high = brightness.quantile(0.05), brightness.quantile(0.6)
    dark = ((high - brightness) / (high - low).clamp_min(1e-6)).clamp(0, 1).square()
    middle = (place * dark[:, None]).sum(0) / dark.sum().clamp_min(1e-6)
    for _ in range(3):  # lashes and corners are dark too: the disc holds on to what lies within it
        near = dark * torch.exp(-((place - middle).norm(dim=1) / radius).square())
        middle = (place * near[:, None]).sum(0) / near.sum().clamp_min(1e-6)
    return middle


def iris_colour(colour: Tensor, place: Tensor, radius: float, irradiance: Tensor) -> EyeColour | None:
    """The colour of an iris among samples of an eye's opening; None where too little is seen.

    The iris is looked for as the dark disc, because a fitted gaze is rough: its middle is the mean place of the darker
    samples, weighted by darkness. Of the disc, the pupil (the darkest) and glints (the brightest) are left out.

    Args:
        colour: ``(N, 3)`` of the samples; ``place (N, 2)`` of them, in the units of ``radius``, that of the iris.
        irradiance: ``(3,)``, the light on the eye, which is divided out.
    """
    if len(colour) < _LEAST or not radius > 0:
        return None
    brightness = colour.mean(1)
    middle = iris_middle(colour, place, radius)
    inside = (place - middle).norm(dim=1) < 0.8 * radius
    if int(inside.sum()) < _LEAST:
        return None
    chosen, light = colour[inside], brightness[inside]
    between = (light >= light.quantile(_PUPIL)) & (light <= light.quantile(_GLINT))
    middle_colour = (chosen[between].median(0).values / irradiance.clamp_min(0.2)).clamp(0.02, 0.85)
    red, green, blue = middle_colour.tolist()
    warm = middle_colour * middle_colour.new_tensor(_WARM)
    ring = middle_colour * _RING
    return EyeColour((red, green, blue), _triple(warm), _triple(ring))


def mean_colour(colours: list[EyeColour]) -> EyeColour | None:
    """Of both eyes, in all photographs; None where no iris is seen."""
    if not colours:
        return None

    def mean(name: str) -> tuple[float, float, float]:
        return _triple(torch.tensor([getattr(colour, name) for colour in colours]).mean(0))

    return EyeColour(mean("outer"), mean("inner"), mean("ring"))


def _triple(colour: Tensor) -> tuple[float, float, float]:
    red, green, blue = colour.clamp(0, 1).tolist()
    return red, green, blue
