"""How people differ: modes of the macros by name, the rest of the macros, and mixtures of the head targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from faceuv.models.faces.makehuman.details import mirrored_targets, random_mixtures
from faceuv.models.faces.makehuman.macros import TARGETS, average_weights, random_person, weights_of_people
from faceuv.models.faces.makehuman.source import Array, MakeHumanData

NAMED = ("age", "gender", "african", "asian", "weight", "muscle")
MACRO_REST, DETAILS = 30, 80
_PEOPLE, _MIXTURES = 3000, 4000
_SEED = 12
_TOGETHER = 8  # differences of the mesh that are mapped at once


@dataclass(frozen=True)
class Identity:
    """The average person and the modes, decimetres in MakeHuman's frame with the eyes' midpoint at the origin."""

    mean: Array  # (V, 3)
    basis: Array  # (V, 3, I)
    names: list[str]
    rms_mm: Array  # (I,) over the head, weighted by area
    projection: Array  # (M, T): macro target weights minus `centre` → coefficients of the first M modes
    centre: Array  # (T,)
    macro_error_mm: tuple[float, float]  # median and largest RMS of the macros' mixture against the modes


def average(data: MakeHumanData) -> Array:
    """``(19158, 3)``: the average adult, from MakeHuman's macros."""
    mean = data.base.vertices.copy()
    for name, weight in zip(TARGETS, average_weights()):
        if weight:
            mean += weight * data.macro(name)
    return mean


class Aligner:
    """Vertices or differences of MakeHuman's mesh → the head's, with the eyes' midpoint at the origin."""

    def __init__(self, surface: sparse.csr_matrix, eyes: Array) -> None:
        self.surface, self.eyes = surface, eyes  # (V, 19158), (19158,) weights of the midpoint

    def __call__(self, field: Array) -> Array:
        return (self.surface @ field - self.eyes @ field).astype(np.float32)

    def each(self, fields: Sequence[Array]) -> Array:
        """All of ``fields``, stacked ``(K, V, 3)``; several at once, as the sparse product is bound by its indices."""
        stacked = np.empty((len(fields), self.surface.shape[0], 3), np.float32)
        for start in range(0, len(fields), _TOGETHER):
            some = fields[start : start + _TOGETHER]
            found = self(np.concatenate(some, 1)).reshape(len(stacked[0]), len(some), 3)
            stacked[start : start + _TOGETHER] = found.transpose(1, 0, 2)
        return stacked


def identity_modes(data: MakeHumanData, align: Aligner, offset: Array, mirror: Array, weight: Array) -> Identity:
    """Principal modes; ``weight (V,)`` sums to 1 and says where a difference counts. The mean is symmetric."""
    rng = np.random.default_rng(_SEED)
    root = np.sqrt(weight).astype(np.float32)[:, None]

    macros = align.each([data.macro(name) for name in TARGETS])
    people = [random_person(rng) for _ in range(_PEOPLE)]
    mixed = weights_of_people(people)
    centre = mixed.mean(0)
    gram = _gram(macros * root)
    traits = np.array([[getattr(person, name) for name in NAMED] for person in people])
    standard = (traits - traits.mean(0)) / traits.std(0)
    named = np.linalg.lstsq(standard, mixed - centre, rcond=None)[0]  # (6, T)
    rest, _ = _principal(mixed - centre - standard @ named, gram, MACRO_REST)
    chosen = np.concatenate([named, rest])  # (M, T), each a mode per standard deviation
    projection = np.linalg.solve(chosen @ gram @ chosen.T, chosen @ gram)
    missed = (mixed - centre) - (mixed - centre) @ projection.T @ chosen
    error = 100 * np.sqrt(np.maximum(((missed @ gram) * missed).sum(1), 0))

    targets = data.head_targets()
    names = list(targets)
    fields = align.each([targets[name] for name in names])
    draws = random_mixtures(names, _MIXTURES, rng)
    draws = np.concatenate([draws, draws[:, mirrored_targets(names)]])  # as many mirrored people
    details, _ = _principal(draws - draws.mean(0), _gram(fields * root), DETAILS)

    mean = align(data.base.vertices) + _mixed(centre[None], macros)[0] + offset
    mean = (mean + mean[mirror] * [-1.0, 1.0, 1.0]) / 2
    basis = np.concatenate([_mixed(chosen, macros), _mixed(details, fields)])
    rms = 100 * np.sqrt((basis**2).sum(2) @ weight)
    return Identity(
        mean=mean,
        basis=np.moveaxis(basis, 0, -1),
        names=[
            *NAMED,
            *(f"macro_{k:02d}" for k in range(len(rest))),
            *(f"detail_{k:02d}" for k in range(len(details))),
        ],
        rms_mm=rms,
        projection=projection,
        centre=centre,
        macro_error_mm=(float(np.median(error)), float(error.max())),
    )


def _mixed(weights: Array, fields: Array) -> Array:
    """``(M, V, 3)``: sums of ``fields (K, V, 3)`` with ``weights (M, K)``, in the precision of the fields."""
    mixed = weights.astype(fields.dtype) @ fields.reshape(len(fields), -1)
    return mixed.reshape(len(weights), *fields.shape[1:])


def _gram(fields: Array) -> Array:
    flat = fields.reshape(len(fields), -1)
    return (flat @ flat.T).astype(np.float64)


def _principal(draws: Array, gram: Array, count: int) -> tuple[Array, Array]:
    """The principal modes ``(count, K)`` of linear combinations ``draws (N, K)`` of fields with this Gram matrix, each
    per standard deviation, and their variances. The sign is that of the largest weight."""
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(values, 0))  # gram = root rootᵀ
    spread, axes = np.linalg.eigh(root.T @ (draws.T @ draws / len(draws)) @ root)
    axes, spread = axes[:, ::-1][:, :count], spread[::-1][:count]
    covariance = draws.T @ draws / len(draws)
    modes = (covariance @ root @ axes / np.sqrt(np.maximum(spread, 1e-18))).T
    sign = np.sign(modes[np.arange(len(modes)), np.abs(modes).argmax(1)])
    return modes * sign[:, None], spread
