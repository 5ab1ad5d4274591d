"""Eyes texel by texel: fibres, collarette, crypts, a soft ring, a round pupil; a white with veins.

An eye is drawn in polar coordinates around the direction of its gaze, on the eyeball itself: round whatever the chart.
"""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.models.faces.appearance.curves import smoothstep
from faceuv.models.faces.appearance.modes import Person
from faceuv.models.faces.appearance.paint import PUPIL, blend, iris_colour, sclera_colour


@dataclass(frozen=True)
class EyeColour:
    """Display-referred RGB of the outer iris, around the pupil, and of the limbal ring."""

    outer: tuple[float, float, float]
    inner: tuple[float, float, float]
    ring: tuple[float, float, float]


EYE_COLOURS: dict[str, EyeColour] = {
    "black": EyeColour((0.14, 0.095, 0.075), (0.17, 0.11, 0.08), (0.06, 0.045, 0.04)),
    "dark brown": EyeColour((0.22, 0.14, 0.095), (0.28, 0.175, 0.11), (0.09, 0.06, 0.05)),
    "brown": EyeColour((0.33, 0.21, 0.125), (0.40, 0.25, 0.14), (0.13, 0.085, 0.065)),
    "light brown": EyeColour((0.45, 0.31, 0.18), (0.52, 0.35, 0.18), (0.19, 0.13, 0.09)),
    "amber": EyeColour((0.58, 0.41, 0.18), (0.62, 0.43, 0.17), (0.26, 0.17, 0.09)),
    "hazel": EyeColour((0.42, 0.41, 0.25), (0.50, 0.33, 0.16), (0.17, 0.16, 0.12)),
    "green": EyeColour((0.42, 0.50, 0.34), (0.54, 0.47, 0.24), (0.17, 0.21, 0.17)),
    "grey green": EyeColour((0.50, 0.56, 0.49), (0.56, 0.52, 0.36), (0.22, 0.27, 0.26)),
    "blue green": EyeColour((0.39, 0.54, 0.56), (0.52, 0.55, 0.43), (0.15, 0.23, 0.28)),
    "blue": EyeColour((0.40, 0.54, 0.70), (0.54, 0.61, 0.64), (0.15, 0.22, 0.34)),
    "deep blue": EyeColour((0.26, 0.39, 0.60), (0.38, 0.49, 0.62), (0.09, 0.14, 0.28)),
    "light blue": EyeColour((0.56, 0.68, 0.79), (0.66, 0.71, 0.71), (0.24, 0.32, 0.43)),
    "grey": EyeColour((0.55, 0.59, 0.62), (0.60, 0.60, 0.56), (0.25, 0.28, 0.31)),
    "blue grey": EyeColour((0.47, 0.56, 0.65), (0.57, 0.59, 0.58), (0.20, 0.25, 0.32)),
    "violet": EyeColour((0.46, 0.43, 0.62), (0.55, 0.51, 0.62), (0.19, 0.16, 0.30)),
}
"""Eye colours by name."""

_ANGLES, _RADII = 720, 128  # of the iris drawn flat
_VEINS, _PLANE, _REACH = 30, 384, 2.7  # of the white: how many, texels, radii of the iris to the edge


_Drawn = TypeVar("_Drawn")
_DRAWINGS = 4  # of each kind that are kept: the eyes of two people


def drawn_once(draw: Callable[[torch.Generator], _Drawn]) -> Callable[[torch.Generator], _Drawn]:
    """``draw`` that keeps what it drew last, by the state of the generator, which goes on as if it were drawn again:
    the heads of all photographs have the same veins and fibres. Nobody may write into a drawing."""
    known: OrderedDict[bytes, tuple[_Drawn, Tensor]] = OrderedDict()

    @functools.wraps(draw)
    def again(generator: torch.Generator) -> _Drawn:
        state = generator.get_state().numpy().tobytes()
        if state not in known:
            known[state] = (draw(generator), generator.get_state())
            if len(known) > _DRAWINGS:
                known.popitem(last=False)
        drawing, after = known[state]
        generator.set_state(after)
        return drawing

    return again


def named_eye_colour(name: str) -> EyeColour:
    if name not in EYE_COLOURS:
        raise InputError(
            f"no eye colour is called {name!r}{did_you_mean(name, EYE_COLOURS)}; known: {', '.join(EYE_COLOURS)}"
        )
    return EYE_COLOURS[name]


def own_eye_colour(person: Person) -> EyeColour:
    """The colour that the person's coefficients say."""
    middle = iris_colour(person)
    warm = middle.new_tensor([1.18, 1.06, 0.82])
    inner = middle * (1.08 + 0.30 * (warm - 1))
    ring = middle * float((0.42 - 0.05 * person["iris_ring"]).clamp(0.2, 0.7))
    return EyeColour(*(tuple(float(v) for v in c.clamp(0, 1)) for c in (middle, inner, ring)))  # type: ignore[arg-type]


def eye_texture(
    distance: Tensor, angle: Tensor, colour: EyeColour, person: Person, generator: torch.Generator
) -> Tensor:
    """``(N, 3)`` RGB of texels at ``distance (N,)`` (radii of the iris) and ``angle (N,)`` around the gaze."""
    white = _white(distance, angle, sclera_colour(person), float(person["sclera_red"]), generator)
    iris = _iris(distance, angle, colour, generator)
    result = blend(white, iris, smoothstep(1.045, 0.955, distance))
    edge = PUPIL + 0.004 * torch.sin(5 * angle + 1.0)
    result = blend(result, result.new_tensor([0.017, 0.015, 0.015]), smoothstep(0.030, -0.030, distance - edge))
    return result.clamp(0, 1)


def _iris(distance: Tensor, angle: Tensor, colour: EyeColour, generator: torch.Generator) -> Tensor:
    flat = _flat_iris(colour, generator)
    grid = torch.stack([angle / math.pi, (distance * 2 - 1).clamp(-1, 1)], -1)
    flat = F.pad(flat[None], (2, 2, 0, 0), mode="circular")
    grid[:, 0] *= _ANGLES / (_ANGLES + 4)
    return F.grid_sample(flat, grid[None, None], mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0].T


@drawn_once
def _iris_noises(generator: torch.Generator) -> list[Tensor]:
    """Noises ``(radii, angles)`` of the iris unrolled: fibres, waves, crypts, furrows, edge."""

    def around(cells: int, rows: int) -> Tensor:
        """Noise of unit variance, periodic in the angle."""
        coarse = torch.randn(1, 1, rows, cells, generator=generator)
        wide = F.pad(coarse, (2, 2, 0, 0), mode="circular")
        fine = F.interpolate(wide, size=(_RADII, _ANGLES * (cells + 4) // cells), mode="bicubic", align_corners=True)
        start = (fine.shape[-1] - _ANGLES) // 2
        found = fine[0, 0, :, start : start + _ANGLES]
        return found / found.std()

    fibres = 0.55 * around(180, 4) + 0.55 * around(90, 3) + 0.4 * around(48, 3)
    return [fibres, *(around(cells, rows) for cells, rows in ((26, 2), (34, 9), (12, 2), (40, 2)))]


def _flat_iris(colour: EyeColour, generator: torch.Generator) -> Tensor:
    """``(3, radii, angles)``: the iris unrolled, from the middle outwards."""
    radius = ((torch.arange(_RADII) + 0.5) / _RADII)[:, None]
    fibres, waves, pits, grooves, rim = _iris_noises(generator)
    collarette = 0.53 + 0.035 * waves
    inside = smoothstep(0.07, -0.07, radius - collarette)
    crypts = smoothstep(0.9, 1.9, pits) * smoothstep(0.50, 0.60, radius) * smoothstep(0.92, 0.80, radius)
    furrows = torch.exp(-(((radius - 0.80 - 0.012 * grooves) / 0.012) ** 2))
    light = 1 + 0.17 * fibres * (0.6 + 0.4 * inside) - 0.34 * crypts - 0.07 * furrows
    light = light + 0.22 * torch.exp(-(((radius - collarette) / 0.045) ** 2))
    light = light * (1 - 0.22 * smoothstep(0.46, 0.36, radius))
    outer, inner, ring = (torch.tensor(c)[:, None, None] for c in (colour.outer, colour.inner, colour.ring))
    tint = outer + (inner - outer) * (inside * 0.85 + 0.10 * waves.clamp(-1, 1)).clamp(0, 1)
    body = tint * light.clamp(0.35, 1.75)
    edge = smoothstep(0.80, 1.0, radius + 0.012 * rim)
    return body + (ring - body) * (0.80 * edge)


def _white(distance: Tensor, angle: Tensor, white: Tensor, red: float, generator: torch.Generator) -> Tensor:
    x, y = distance * torch.cos(angle), distance * torch.sin(angle)
    veins = _veins(generator)
    grid = torch.stack([x, y], -1) / _REACH
    found = F.grid_sample(veins[None, None], grid[None, None], padding_mode="border", align_corners=False)[0, 0, 0]
    corners = smoothstep(1.35, 2.3, x.abs() + 0.3 * y.abs())  # the white is pink toward the corners
    ground = white * (1 - distance.new_tensor([0.03, 0.15, 0.15]) * (0.75 * corners)[:, None])
    ground = ground * (1 - 0.10 * smoothstep(1.35, 1.0, distance))[:, None]  # a grey haze around the iris
    strength = (found * (0.55 + 0.12 * red) * smoothstep(1.08, 1.7, distance)).clamp(0, 0.7)
    return blend(ground, ground * ground.new_tensor([0.84, 0.42, 0.38]), strength)


@drawn_once
def _veins(generator: torch.Generator) -> Tensor:
    """``(T, T)`` coverage over the square of ±_REACH iris radii: crooked lines that grow thinner toward the iris."""
    steps = 90
    start = torch.rand(_VEINS, 5, generator=generator)
    bearing = 2 * math.pi * start[:, 0]
    # most run in from the corners
    bearing = bearing - 0.42 * torch.sin(2 * bearing)
    x, y = 2.75 * torch.cos(bearing), 2.75 * torch.sin(bearing)
    heading = bearing + math.pi + 0.5 * (start[:, 1] - 0.5)
    length = 0.45 + 1.05 * start[:, 2]
    turns = torch.randn(_VEINS, steps, generator=generator)
    wobble = torch.zeros(_VEINS)
    places = []
    for k in range(steps):
        wobble = 0.86 * wobble + 0.22 * turns[:, k]
        here = heading + wobble
        x, y = x + torch.cos(here) * length / steps, y + torch.sin(here) * length / steps
        places.append(torch.stack([x, y]))
    column, row = (torch.stack(places, 1) / _REACH + 1) / 2 * _PLANE  # (steps, veins) each
    width = 0.016 * (1 - 0.8 * torch.arange(steps)[:, None] / steps) * (0.5 + start[:, 3])
    texels = width / _REACH / 2 * _PLANE
    plane = torch.zeros(_PLANE * _PLANE)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            c, r = column.floor() + dx, row.floor() + dy
            far = torch.hypot(c + 0.5 - column, r + 0.5 - row)
            alpha = ((texels + 0.7 - far) / 1.2).clamp(0, 1) * (0.35 + 0.65 * start[:, 4])
            inside = (c >= 0) & (c < _PLANE) & (r >= 0) & (r < _PLANE)
            plane.scatter_reduce_(0, (r * _PLANE + c).long()[inside], alpha[inside], "amax")
    return plane.view(_PLANE, _PLANE)
