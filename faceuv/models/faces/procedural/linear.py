"""Principal modes of a few fields under a weighted inner product, by the small Gram matrix (never a tall SVD)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faceuv.models.faces.procedural.sdf import Array
from faceuv.models.faces.procedural.twin import Twin, each


class Modes(NamedTuple):
    """Orthogonal fields ``(K, N, C)``, their weighted RMS ``(K,)`` and the rotation: ``fields = mixing @ input``; RMS
    and orthogonality are those on the reference chart."""

    fields: Twin[Array]
    rms: Array
    mixing: Array


def principal_modes(fields: Twin[Array], weight: Array, count: int | None = None) -> Modes:
    """Rotate ``fields (M, N, C)``, each one standard deviation of an independent source, into orthogonal modes.

    ``weight (N,)`` is that of the reference chart, on which the rotation is found. The modes have the same covariance
    as the sources. Signs are fixed so that the largest weight of each mode's mixing is positive.
    """
    flat = _weighted(fields.reference, weight)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(-values)[:count]
    mixing = vectors[:, order].T
    peak = mixing[np.arange(len(mixing)), np.abs(mixing).argmax(1)]
    mixing = mixing * np.sign(peak)[:, None]
    modes = each(lambda field: np.tensordot(mixing.astype(field.dtype), field, 1), fields)
    return Modes(modes, np.sqrt(np.maximum(values[order], 0)), mixing)


def without(fields: Twin[Array], basis: Modes, weight: Array) -> Twin[Array]:
    """``fields`` with their projection on an orthogonal basis removed."""
    flat, known = _weighted(fields.reference, weight), _weighted(basis.fields.reference, weight)
    share = (flat @ known.T) / np.maximum(basis.rms**2, 1e-12)
    return each(lambda field, mode: field - np.tensordot(share.astype(field.dtype), mode, 1), fields, basis.fields)


def _weighted(fields: Array, weight: Array) -> Array:
    return (fields * np.sqrt(weight)[:, None]).reshape(len(fields), -1).astype(np.float64)
