"""The colour of the irises in a photograph, where the eyes look, and the tint of the light on their whites."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.models.faces.appearance import EyeColour

_LEAST = 12  # texels or pixels of an iris: fewer say nothing
_PUPIL, _GLINT = 0.30, 0.80  # shares of the iris, by brightness, between which its colour lies
_RING = 0.42
_WARM = (1.13, 1.02, 0.88)  # around the pupil, relative to the rim
_WHITE = 0.7  # of the opening beside the iris, what is brighter in blue than this share is the white
_USUAL = (0.11, -0.02, -0.09)  # logarithm of the tint that whites usually have in a picture, mean 0
_CLEAR = (0.18, 0.34)  # length of the logarithm of a tint: the person's own, the light's


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


def white_of(colour: Tensor, place: Tensor, radius: float) -> Tensor | None:
    """``(3,)``: the white of an eye among samples of its opening, see :func:`iris_colour`; None where too little is
    seen. It is what lies beside the iris and is bright in blue, which lids are not."""
    if len(colour) < _LEAST or not radius > 0:
        return None
    beside = colour[(place - iris_middle(colour, place, radius)).norm(dim=1) > radius]
    if len(beside) < _LEAST:
        return None
    blue = beside[:, 2]
    return beside[blue >= blue.quantile(_WHITE)].median(0).values


def light_tint(whites: Sequence[Tensor]) -> Tensor | None:
    """``(3,)``, product 1: the tint of the light by the ``whites`` of the eyes that a picture shows, each ``(3,)``;
    None without any. Whites are a little red and yellow, more in one person than in another, so that only a tint that
    is clearly another one is the light's."""
    if not whites:
        return None
    seen = torch.log(torch.stack(list(whites)).clamp_min(0.02))
    tint = (seen - seen.mean(1, keepdim=True)).mean(0)
    tint = tint - tint.new_tensor(_USUAL)
    low, high = _CLEAR
    return torch.exp(tint * ((tint.norm() - low) / (high - low)).clamp(0, 1))


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
