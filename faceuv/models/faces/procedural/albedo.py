"""How people's colours differ: principal modes of painted complexions, symmetric and antisymmetric apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faceuv.models.faces.procedural.linear import principal_modes
from faceuv.models.faces.procedural.paint import Painter, random_complexion
from faceuv.models.faces.procedural.sdf import Array
from faceuv.models.faces.procedural.template import Template, vertex_areas

MODES = 80
_PAINTINGS = 180
_ASYMMETRIC = 24
_LEAST_RMS = 0.0012  # of full scale, over the head
_SEED = 2


class Albedo(NamedTuple):
    mean: Array  # (V, 3)
    basis: Array  # (V, 3, 80) per standard deviation
    names: list[str]


def albedo_basis(template: Template) -> Albedo:
    """Paint people, split each into its mirror-symmetric part and the rest, and find the modes of both."""
    grid, painter = template.grid, Painter(template)
    rng = np.random.default_rng(_SEED)
    sheets = np.stack([painter.paint(random_complexion(rng)).astype(np.float32) for _ in range(_PAINTINGS)])
    mirrored = sheets[:, grid.mirror()]
    even, odd = (sheets + mirrored) / 2, (sheets - mirrored) / 2
    mean = even.mean(0)
    area = vertex_areas(template.positions, grid.faces())
    area = area / area.sum()
    scale = np.float32(1 / np.sqrt(_PAINTINGS))
    symmetric = principal_modes((even - mean) * scale, area, MODES - _ASYMMETRIC)
    skewed = principal_modes(odd * scale, area, _ASYMMETRIC)
    fields = np.concatenate([symmetric.fields, skewed.fields])
    rms = np.concatenate([symmetric.rms, skewed.rms])
    wanted = np.maximum(rms, _LEAST_RMS)
    fields *= (wanted / rms).astype(np.float32)[:, None, None]
    order = np.argsort(-wanted, kind="stable")
    words = ["tone"] * len(symmetric.rms) + ["uneven"] * len(skewed.rms)
    return Albedo(mean, np.moveaxis(fields[order], 0, -1), [f"{words[k]}_{i:02d}" for i, k in enumerate(order)])
