"""Smooth random fields that are symmetric, or antisymmetric, between the halves of the face.

The mirrored kernel k(a, b) ± k(Ma, b), M the reflection, is an idea of the Gaussian-process morphable-model literature
(Lüthi, Gerig, Jud, Vetter: "Gaussian Process Morphable Models", 2018).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from faceuv.models.faces.procedural.sdf import Array
from faceuv.models.faces.procedural.twin import Twin, each

Parity = Literal["symmetric", "antisymmetric"]
_NODES = 260


def mirrored_fields(
    points: Twin[Array], density: Array, length: float, parity: Parity, count: int, rng: np.random.Generator
) -> Twin[Array]:
    """The leading ``3 × count`` displacement fields ``(3·count, N, 3)`` of a mirrored Gaussian kernel.

    Args:
        points: ``(N, 3)`` mm, one half of the face.
        density: ``(N,)`` where the Nyström nodes are drawn, of the points on the reference chart.
        length: the kernel's length, mm.
        parity: whether the mirrored half moves as the mirror image or against it.
        count: fields per axis, largest variance first; amplitudes are relative (a unit-variance process).
    """
    chosen = rng.choice(len(points.reference), _NODES, replace=False, p=density / density.sum())
    nodes = points.reference[chosen].astype(np.float32)
    scaled = [_node_weights(nodes, length, _sign(parity, axis), count) for axis in range(3)]

    def fields(at: Array) -> Array:
        found = np.zeros((3 * count, len(at), 3), np.float32)
        for axis in range(3):
            kernel = _kernel(at.astype(np.float32), nodes, length, _sign(parity, axis))
            found[axis * count : (axis + 1) * count, :, axis] = (kernel @ scaled[axis]).T
        return found

    return each(fields, points)


def _sign(parity: Parity, axis: int) -> float:
    """Mirroring negates x, so a symmetric field has an odd x and even y and z."""
    return 1.0 if (parity == "symmetric") == (axis > 0) else -1.0


def _node_weights(nodes: Array, length: float, sign: float, count: int) -> Array:
    """``(nodes, count)``: what each node contributes to each field."""
    values, vectors = np.linalg.eigh(_kernel(nodes, nodes, length, sign).astype(np.float64))
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    return (vectors / np.sqrt(np.maximum(values, 1e-6))).astype(np.float32)


def _kernel(a: Array, b: Array, length: float, sign: float) -> Array:
    mirrored = a * np.array([-1, 1, 1], a.dtype)
    return 0.5 * (_gauss(a, b, length) + sign * _gauss(mirrored, b, length))


def _gauss(a: Array, b: Array, length: float) -> Array:
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.exp(-np.maximum(squared, 0) / (2 * length * length))
