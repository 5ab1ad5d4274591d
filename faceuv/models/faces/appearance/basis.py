"""A linear albedo for any head: the painted person is differentiated by each of its numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from faceuv.models.faces.appearance.geometry import Head
from faceuv.models.faces.appearance.modes import NAMES, NotedPerson, Person
from faceuv.models.faces.appearance.paint import Layer, Points, layers, paint

MARK = "faceuv-1"
"""``metadata["albedo"]`` of face models whose albedo is this one: they can be given detailed maps."""


_REACH = {"melanin": 1.8}  # deviations up and down: the way from light to dark skin is long and bent


def albedo_arrays(model: Any) -> tuple[Tensor, Tensor, list[str]]:
    """Mean ``(V, 3)``, basis ``(V, 3, A)`` per standard deviation, and the names of the A modes.

    Args:
        model: a face model, or a mapping with its ``mean (V, 3)``, ``faces (F, 3)``, ``landmarks (68,)`` and, where the
            head has parts, ``part (F,)`` with their names ``parts``. Where it holds ``mirror (V,)``, the result is
            exactly symmetric under it (but for the modes called ``uneven``, which are antisymmetric).

    Each mode is half the difference of a person one deviation up and one down (melanin: a chord over more).
    The colours of most people lie in [0, 1] as they are; the rest is clamped where maps are made.
    """
    points = Points.of_vertices(Head.of(model))
    steps = torch.eye(len(NAMES))
    everyone = torch.zeros(len(NAMES))
    mean = paint(points, Person(everyone))
    layer_of: dict[Layer, Any] = {}
    read: dict[Layer, set[str]] = {}
    for layer in layers():
        person = NotedPerson(everyone)
        layer_of[layer], read[layer] = layer(points, person), person.names
    columns = []
    for name, step in zip(NAMES, steps):
        reach = _REACH.get(name, 1.0)
        same = {layer: found for layer, found in layer_of.items() if name not in read[layer]}
        up, down = (paint(points, Person(sign * reach * step), same) for sign in (1, -1))
        columns.append((up - down) / (2 * reach))
    basis = torch.stack(columns, -1)
    mirror = model.get("mirror") if isinstance(model, dict) else getattr(model, "mirror", None)
    if mirror is not None:
        mirror = mirror.cpu()
        sign = torch.tensor([-1.0 if "uneven" in name else 1.0 for name in NAMES])
        mean = (mean + mean[mirror]) / 2
        basis = (basis + sign * basis[mirror]) / 2
    return mean, basis, list(NAMES)
