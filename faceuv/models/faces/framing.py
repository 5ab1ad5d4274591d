"""How a head is framed: where the camera looks and how far away it stands, so that a picture shows all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_HALF, _MOST = 0.45, 0.475  # of a picture's side, that half a centred head takes: a model's mean, anybody at most


@dataclass(frozen=True, eq=False)
class Framing:
    """Of a centred picture: the point in its ``middle (3,)`` in the object frame, its ``distance`` from the camera, and
    how far the person reaches from it (``reach``), decimetres."""

    middle: Tensor
    distance: float
    reach: float


def framing(mean: Tensor, person: Tensor, focal: float) -> Framing:
    """The framing of ``person (V, 3)``, a surface at rest, by a camera of this ``focal`` length.

    How large somebody is depends on the model's ``mean (V, 3)`` alone, so that people side by side keep their
    proportions; somebody larger than the picture would show is farther away.
    """
    distance = max(focal * _reach(mean) / _HALF, _least_distance(person, focal))
    return Framing((person.amin(0) + person.amax(0)) / 2, distance, _reach(person))


def _reach(vertices: Tensor) -> float:
    """How far ``vertices (V, 3)`` reach from the middle of their box, up or to any side of a turning head."""
    height, radius = _extents(vertices)
    return max(float(height.max()), float(radius.max()))


def _least_distance(vertices: Tensor, focal: float) -> float:
    """From the camera to the middle of a head, so that all of it is in the picture at any yaw."""
    height, radius = _extents(vertices)
    below = focal * height / _MOST + radius  # turned towards the camera
    beside = radius * math.sqrt((focal / _MOST) ** 2 + 1)
    return float(torch.maximum(below, beside).max())


def _extents(vertices: Tensor) -> tuple[Tensor, Tensor]:
    """``(V,)`` each: distances from the middle of the box along its vertical axis, and from that axis."""
    offset = vertices - (vertices.amin(0) + vertices.amax(0)) / 2
    return offset[:, 1].abs(), offset[:, [0, 2]].norm(dim=1)
