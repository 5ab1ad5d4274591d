"""How people differ: 80 orthogonal modes of the head's measures, broad proportions and smooth residual form."""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from faceuv.models.faces.procedural.anatomy import SPREAD, Anatomy
from faceuv.models.faces.procedural.kernels import Parity, mirrored_fields
from faceuv.models.faces.procedural.linear import Modes, principal_modes, without
from faceuv.models.faces.procedural.sdf import Array, smoothstep
from faceuv.models.faces.procedural.surface import follow
from faceuv.models.faces.procedural.template import Template
from faceuv.models.faces.procedural.twin import Twin, each

MODES = 80
_ASYMMETRIC = 12
_LEAST_RMS = 0.06  # mm over the face: below this a mode could not be seen, nor recovered from a picture
_SEED = 0
_known: WeakKeyDictionary[Template, dict[str, Array]] = WeakKeyDictionary()  # the reference's serve every resolution


class Identity(NamedTuple):
    basis: Array  # (V, 3, 80) mm per standard deviation
    names: list[str]
    traits: dict[str, list[float]]  # a measure → the coefficients that change it by one standard deviation


def identity_basis(template: Twin[Template]) -> Identity:
    """Symmetric measures first rotated into orthogonal modes, then smooth form that the measures cannot express."""
    weight = _half_weight(template.reference)
    named = each(lambda chart: {**_measures(chart), **_proportions(chart)}, template)
    sources = list(named.reference)
    measured = principal_modes(each(lambda n: np.stack(list(n.values())).reshape(len(n), -1, 3), named), weight)
    form = _form(template, weight, "symmetric", MODES - _ASYMMETRIC - len(sources), measured)
    skew = _form(template, weight, "antisymmetric", _ASYMMETRIC, None)

    stretch = np.maximum(1.0, _LEAST_RMS / measured.rms)
    rms = np.concatenate([measured.rms * stretch, form.rms, skew.rms])
    order = np.argsort(-rms, kind="stable")
    scaled = measured.fields.wanted * stretch[:, None, None]
    fields = np.concatenate([scaled, form.fields.wanted, skew.fields.wanted])
    parity = np.array([1.0] * (len(measured.rms) + len(form.rms)) + [-1.0] * len(skew.rms))
    grid = template.wanted.grid
    half = (grid.rows, grid.columns - grid.middle)
    whole = [_unfold(fields[k].reshape(*half, 3), parity[k]) for k in order]

    words = [*_dominant(measured, named.reference, weight), *["form"] * len(form.rms), *["asymmetry"] * len(skew.rms)]
    names = [f"{words[k]}_{rank:02d}" for rank, k in enumerate(order)]
    loading = np.zeros((len(sources), MODES))
    loading[:, : len(measured.rms)] = measured.mixing.T / stretch
    traits = {name: [round(float(c), 4) for c in loading[j, order]] for j, name in enumerate(sources)}
    return Identity(np.stack(whole, -1), names, traits)


def _half_weight(template: Template) -> Array:
    """Of the subject's left half, ``(rows · half,)``; the midline is not doubled."""
    grid = template.grid
    weight = template.face_weight().reshape(grid.rows, grid.columns)[:, grid.middle :] * 2
    weight[:, 0] /= 2
    return weight.reshape(-1)


def _measures(template: Template) -> dict[str, Array]:
    """Central differences ``(rows, half, 3)`` of the sculpture in each measure, one standard deviation."""
    if template not in _known:
        fields = {}
        for name, spread in SPREAD.items():
            plus, minus = (
                follow(template.grid, Anatomy(**{name: sign * spread}), template.surface) for sign in (1.0, -1.0)
            )
            fields[name] = _tame((plus - minus) / 2)
        _known[template] = fields
    return _known[template]


def _tame(field: Array) -> Array:
    """Limit the few vertices on grazing rays, soften the creases; the midline stays on the midline."""
    from scipy.ndimage import gaussian_filter

    length = np.linalg.norm(field, axis=-1)
    limit = 1.5 * np.percentile(length, 99.7) + 0.5
    field = field * np.minimum(1, limit / np.maximum(length, 1e-6))[..., None]
    # 'mirror' reflects about the midline column; x is odd there, so smoothing needs the sign flipped by hand
    unfolded = np.concatenate([field[:, 4:0:-1] * np.array([-1.0, 1.0, 1.0]), field], axis=1)
    soft = gaussian_filter(unfolded, (0.8, 0.8, 0), mode="nearest", truncate=4.0)[:, 4:]
    soft[:, 0, 0] = 0
    return soft.astype(np.float32)


def _proportions(template: Template) -> dict[str, Array]:
    """Broad changes that no single measure makes."""
    x, y, z = np.moveaxis(template.surface.positions, -1, 0)
    nothing = np.zeros_like(x)
    front = np.clip(z / 80, 0, 1)
    fields = {
        "narrowness": (-0.020 * x, nothing, nothing),
        "lower_length": (nothing, 0.022 * np.minimum(y, 0), nothing),
        "convexity": (nothing, nothing, 1.8 * np.cos(np.clip(y + 30, -90, 90) / 90 * np.pi) * front),
        "taper": (0.00045 * x * (y + 40), nothing, nothing),
        "size": (0.009 * x, 0.009 * (y + 20), 0.009 * z),
    }
    return {name: np.stack(parts, -1).astype(np.float32) for name, parts in fields.items()}


def _form(template: Twin[Template], weight: Array, parity: Parity, count: int, known: Modes | None) -> Modes:
    """Smooth fields orthogonal to ``known``, with a spectrum that falls gently from 0.3 mm to the least RMS."""
    rng = np.random.default_rng(_SEED)
    points = each(lambda chart: chart.surface.positions.reshape(-1, 3), template)
    density = weight + weight.mean() * 0.02
    lengths = ((45.0, 10), (25.0, 14)) if parity == "symmetric" else ((50.0, 8),)
    parts = [mirrored_fields(points, density, length, parity, number, rng) for length, number in lengths]
    fields = each(lambda *some: np.concatenate(some), *parts)
    fields = each(
        lambda f, p: f * (0.15 + 0.85 * smoothstep(-40, 40, p[:, 2]))[:, None].astype(np.float32), fields, points
    )
    if known is not None:
        fields = without(fields, known, weight)
    modes = principal_modes(fields, weight, count)
    rms = _LEAST_RMS + (0.30 - _LEAST_RMS) * np.exp(-np.arange(count) / (0.3 * count))
    scale = (rms / modes.rms).astype(np.float32)
    return Modes(each(lambda f: f * scale[:, None, None], modes.fields), rms, modes.mixing * scale[:, None])


def _dominant(modes: Modes, sources: dict[str, Array], weight: Array) -> list[str]:
    """For each mode the measure that contributes most to it."""
    power = np.array([(field.reshape(-1, 3) ** 2).sum(1) @ weight for field in sources.values()])
    return [list(sources)[k] for k in (modes.mixing**2 * power).argmax(1)]


def _unfold(half: Array, parity: float) -> Array:
    """``(V, 3)`` of both sides; an antisymmetric field moves the other side against the mirror image."""
    other = half[:, :0:-1] * np.array([-parity, parity, parity], half.dtype)
    return np.concatenate([other, half], axis=1).reshape(-1, 3)
