"""Brow hairs drawn one by one, in the plane in which brows lie, and looked up from there: no seam, sizes in mm."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.models.faces.appearance.modes import Person, mode_index
from faceuv.models.faces.procedural.paint import brow_coverage, brow_line

_BOX = (4.0, 62.0, 2.0, 38.0)  # mm: x and y of the plane
_FRONT = 45.0  # mm: brows lie before this plane
_PER_MM = 12
_HAIRS = 420
_STEPS = 64


BARE_BROWS = -4.0
"""Of the mode brow_density: a person without a hair there, whom nobody is by chance."""


def brow_strands(canonical: Tensor, person: Person, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Coverage by hairs and their relative lightness, each ``(N,)``, at points ``(N, 3)`` mm; 0 away from the brows."""
    cover, shade = torch.zeros(len(canonical)), torch.zeros(len(canonical))
    if float(person.values[mode_index("brow_density")]) <= BARE_BROWS:
        return cover, shade
    x, y, z = canonical.unbind(1)
    for sign in (-1.0, 1.0):
        plane = _plane(person, generator)
        rows = _within(x * sign, y, z)
        across = (x[rows] * sign - _BOX[0]) / (_BOX[1] - _BOX[0]) * 2 - 1
        down = (y[rows] - _BOX[2]) / (_BOX[3] - _BOX[2]) * 2 - 1
        found = F.grid_sample(plane[None], torch.stack([across, down], -1)[None, None], align_corners=False)[0, :, 0]
        cover[rows], shade[rows] = found[0], found[1]
    return cover, shade


def around_brows(canonical: Tensor) -> Tensor:
    """Rows of the points ``(N, 3)`` mm that lie in the boxes of the brows."""
    x, y, z = canonical.unbind(1)
    return _within(x.abs(), y, z)


def _within(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return ((x > _BOX[0]) & (x < _BOX[1]) & (y > _BOX[2]) & (y < _BOX[3]) & (z > _FRONT)).nonzero()[:, 0]


def _plane(person: Person, generator: torch.Generator) -> Tensor:
    """``(2, h, w)``: coverage and lightness of one brow over the box."""
    width, height = int((_BOX[1] - _BOX[0]) * _PER_MM), int((_BOX[3] - _BOX[2]) * _PER_MM)
    lift, arch = 0.7 * float(person["brow_height"]), 0.6 * float(person["brow_arch"])
    thickness = float((1.0 + 0.16 * person["brow_thickness"]).clamp(0.5, 1.6))
    density = float((0.66 + 0.15 * person["brow_density"]).clamp(0.15, 1.0))
    drawn = torch.rand(4 * _HAIRS, 5, generator=generator).numpy().astype(np.float64)
    x = 12.0 + 39.0 * drawn[:, 0]
    middle, t = brow_line(x, arch)
    w = 2 * drawn[:, 1] - 1
    half = 4.6 * thickness * (1 - 0.62 * np.clip(t, 0, 1) ** 1.5)
    y = middle + w * half
    here = brow_coverage(np.stack([x, y, np.full_like(x, 90.0)], 1), thickness=thickness, arch=arch)
    kept = np.flatnonzero(drawn[:, 2] < 0.9 * here * (0.45 + 0.55 * density))[: int(_HAIRS * (0.5 + 0.8 * density))]
    x, y, w, t, luck = x[kept], y[kept] + lift, w[kept], t[kept], drawn[kept, 3:]
    angle = np.radians(82 - 92 * np.clip(t, 0, 1) ** 0.75 - 20 * w + 16 * (luck[:, 0] - 0.5))
    length = (5.2 + 4.0 * np.clip(np.sin(math.pi * np.clip(t + 0.1, 0, 1)), 0, 1)) * (0.75 + 0.5 * luck[:, 1])
    bend = np.radians(-38 * (1 - 0.5 * np.clip(t, 0, 1)))
    s = np.linspace(0, 1, _STEPS)
    turned = angle[:, None] + bend[:, None] * s
    px = x[:, None] + np.cumsum(np.cos(turned), 1) * (length[:, None] / _STEPS)
    py = y[:, None] + np.cumsum(np.sin(turned), 1) * (length[:, None] / _STEPS)
    thin = np.broadcast_to(0.15 * (1 - 0.75 * s**1.5), px.shape)  # mm
    column = torch.from_numpy(((px - _BOX[0]) * _PER_MM).ravel()).float()
    row = torch.from_numpy(((py - _BOX[2]) * _PER_MM).ravel()).float()
    radius = torch.from_numpy((thin * _PER_MM).ravel().copy()).float() / 2
    tint = torch.from_numpy(np.repeat(luck[:, 0] * 2 - 1, _STEPS)).float()
    plane = torch.zeros(2, height * width)
    for dy in (-1, 0, 1):  # hairs and their soft edge reach 1.4 texels
        for dx in (-1, 0, 1):
            c, r = column.floor() + dx, row.floor() + dy
            inside = (c >= 0) & (c < width) & (r >= 0) & (r < height)
            far = torch.hypot(c + 0.5 - column, r + 0.5 - row)
            alpha = (radius + 0.5 - far).clamp(0, 1)
            index = (r * width + c).long()[inside]
            plane[0].scatter_reduce_(0, index, alpha[inside], "amax")
            plane[1].scatter_reduce_(0, index, (alpha * tint)[inside], "amax")
    return plane.view(2, height, width)
