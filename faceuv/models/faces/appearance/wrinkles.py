"""Folds and fine lines of skin: where age digs them, and which way they run."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.models.faces.appearance.curves import smoothstep
from faceuv.models.faces.appearance.noise import Cells, Noise
from faceuv.models.faces.appearance.regions import Regions, kept_for_regions


def age_lines(x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    """The folds that age deepens, each with its own strength to be, at canonical mm; ``x`` is the distance from the
    midline: three lines of the forehead, crow's feet, nasolabial fold, frown, under the eye, beside the mouth."""
    lines = []
    for k in range(3):  # forehead
        line = torch.exp(-(((y - 31 - 10 * k + 0.0028 * x**2 + 0.6 * torch.sin(0.19 * x + 2 * k)) / 1.1) ** 2))
        lines.append(line * smoothstep(46, 24, x))
    crow = sum(torch.exp(-(((y + 1 - (k - 1) * (x - 40) * 0.42) / 0.9) ** 2)) for k in range(3))
    lines.append(0.7 * crow * smoothstep(49, 53, x) * smoothstep(64, 56, x) * smoothstep(25, 45, z))
    fold = 19.5 + (-36 - y) * 0.42
    lines.append(1.6 * torch.exp(-(((x - fold) / 1.7) ** 2)) * smoothstep(-34, -41, y) * smoothstep(-74, -60, y))
    lines.append(0.9 * torch.exp(-(((x - 4.2) / 1.0) ** 2)) * smoothstep(8, 14, y) * smoothstep(29, 20, y))
    lines.append(
        torch.exp(-(((y + 12 - ((x - 31) / 9) ** 2 * 1.8) / 1.2) ** 2)) * smoothstep(17, 22, x) * smoothstep(46, 39, x)
    )
    lines.append(
        0.8
        * torch.exp(-(((x - 29.5 + (y + 68) * 0.25) / 1.3) ** 2))
        * smoothstep(-66, -71, y)
        * smoothstep(-90, -78, y)
    )
    return lines


def folds(regions: Regions, strength: Tensor) -> Tensor:
    """``(N,)``: depth of the folds in [0, about 1] with ``strength (8,)``."""
    near, lines = _fold_lines(regions)
    depth = torch.zeros(len(regions.points))
    depth[near] = lines @ strength
    return depth


@kept_for_regions
def _fold_lines(regions: Regions) -> tuple[Tensor, Tensor]:
    """Rows of the face, and the folds there ``(n, 8)``."""
    x, y, z = regions.points[:, 0].abs(), regions.points[:, 1], regions.points[:, 2]
    near = ((z > 20) & (y > -95) & (y < 62) & (x < 70)).nonzero()[:, 0]
    lines = torch.stack(age_lines(x[near], y[near], z[near]), 1)
    return near, lines * ((1 - regions["lips"][near]) * smoothstep(20, 45, z[near]))[:, None]


def fine_lines(regions: Regions, noise: Noise) -> tuple[Tensor, Tensor]:
    """Fine lines of skin and vertical creases of the lips, each ``(N,)`` in [0, about 1].

    They follow the lines of relaxed tension: across the forehead, around the eyes, down the cheeks, around the neck,
    down to the lips.
    """
    lines, lips = torch.zeros(2, len(regions.points)).unbind(0)
    *systems, (rows, weight, cells) = _line_systems(regions)
    found = noise(cells, slice(1, 3))
    lips[rows] = weight * (0.7 * _ridges(found[:, 0]) + 0.4 * found[:, 1].clamp(-1, 1))
    for rows, weight, cells in systems:
        lines[rows] = torch.maximum(lines[rows], weight * _ridges(noise(cells, slice(1))[:, 0]))
    return lines, lips


@kept_for_regions
def _line_systems(regions: Regions) -> list[tuple[Tensor, Tensor, Cells]]:
    """Per set of fine lines, the creases of the lips last: the rows that have them, how strongly ``(n,)``, and where
    these are in the lines' own frame ``(n, 3)``: along, across, side."""
    x, y, z = regions.points.unbind(1)
    away = x.abs()
    systems = []

    def add(weight: Tensor, along: Tensor, across: Tensor, width: float, length: float) -> None:
        rows = (weight > 0.02).nonzero()[:, 0]
        place = torch.stack([along[rows] / length, across[rows] / width, (x[rows] > 0) * 7.0], 1)
        systems.append((rows, weight[rows], Cells.of(place, 1.0)))

    skin = 1 - regions["lips"]
    add(regions["forehead"] * skin, x, y + 0.004 * x**2, 1.7, 16.0)
    out, up = away - 44, y
    reach = torch.hypot(out, up)
    feet = smoothstep(3, 8, reach) * smoothstep(22, 12, reach) * smoothstep(0, 4, out) * smoothstep(20, 45, z)
    add(feet, reach, 22 * torch.atan2(up, out.clamp_min(1e-3)), 2.2, 12.0)
    add(regions["under_eye"], away, y - 0.02 * (away - 30) ** 2, 1.3, 8.0)
    add(0.6 * regions["cheeks"], 0.45 * away + y, away - 0.45 * y, 1.5, 11.0)
    add(0.8 * regions["perioral"], y, away + 0.15 * (y + 64).abs(), 1.8, 9.0)
    add(0.9 * regions["neck"], torch.hypot(x, z) * 0.3, y, 3.0, 26.0)
    rows = (regions["lips"] > 0.02).nonzero()[:, 0]
    fan = x[rows] * (1 + 0.006 * (y[rows] + 64).abs())
    place = torch.stack([fan / 0.95, y[rows] / 9.0, torch.where(y[rows] > -64, 3.0, 11.0)], 1)
    systems.append((rows, regions["lips"][rows], Cells.of(place, 1.0)))
    return systems


def _ridges(value: Tensor) -> Tensor:
    """Thin lines where a noise passes zero."""
    return (1 - value.abs() / 0.55).clamp_min(0) ** 2
