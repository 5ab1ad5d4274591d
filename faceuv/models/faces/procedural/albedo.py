"""How people's colours differ: principal modes of painted complexions, symmetric and antisymmetric apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faceuv.models.faces.procedural.linear import principal_modes
from faceuv.models.faces.procedural.paint import Painter, random_complexion
from faceuv.models.faces.procedural.sdf import Array
from faceuv.models.faces.procedural.template import Template, vertex_areas
from faceuv.models.faces.procedural.twin import Twin, each

MODES = 80
_PAINTINGS = 180
_ASYMMETRIC = 24
_LEAST_RMS = 0.0012  # of full scale, over the head
_SEED = 2


class Albedo(NamedTuple):
    mean: Array  # (V, 3)
    basis: Array  # (V, 3, 80) per standard deviation
    names: list[str]


def albedo_basis(template: Twin[Template]) -> Albedo:
    """Paint people, split each into its mirror-symmetric part and the rest, and find the modes of both."""
    rng = np.random.default_rng(_SEED)
    complexions = [random_complexion(rng) for _ in range(_PAINTINGS)]
    scale = np.float32(1 / np.sqrt(_PAINTINGS))

    def painted(chart: Template) -> tuple[Array, Array, Array]:
        """The mean ``(V, 3)``, and what is symmetric and what is not of each sheet's difference from it."""
        painter, mirror = Painter(chart), chart.grid.mirror()
        even, odd = (np.empty((_PAINTINGS, len(mirror), 3), np.float32) for _ in range(2))
        for k, complexion in enumerate(complexions):  # one at a time: fresh memory takes longer than the sums
            sheet = painter.paint(complexion)
            mirrored = sheet[mirror]
            even[k], odd[k] = (sheet + mirrored) / 2, (sheet - mirrored) / 2 * scale
        mean = even.mean(0)
        even -= mean
        even *= scale
        return mean, even, odd

    sheets = each(painted, template)
    reference = template.reference
    area = vertex_areas(reference.positions, reference.grid.faces())
    area = area / area.sum()
    symmetric = principal_modes(each(lambda found: found[1], sheets), area, MODES - _ASYMMETRIC)
    skewed = principal_modes(each(lambda found: found[2], sheets), area, _ASYMMETRIC)
    fields = np.concatenate([symmetric.fields.wanted, skewed.fields.wanted])
    rms = np.concatenate([symmetric.rms, skewed.rms])
    wanted = np.maximum(rms, _LEAST_RMS)
    fields *= (wanted / rms).astype(np.float32)[:, None, None]
    order = np.argsort(-wanted, kind="stable")
    words = ["tone"] * len(symmetric.rms) + ["uneven"] * len(skewed.rms)
    names = [f"{words[k]}_{i:02d}" for i, k in enumerate(order)]
    return Albedo(sheets.wanted[0], np.moveaxis(fields[order], 0, -1), names)
