"""What a rig is measured by: control error, leakage, identity, range, and which rows of a code it moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.models.stylerig.errors import KEPT_ALWAYS, OF_CONTROL, GroupErrors
from faceuv.models.stylerig.groups import controls_of
from faceuv.structures import Coefficients

Rows = dict[str, Tensor]
"""Name → one number per pair of codes ``(N,)``."""


def control_rows(
    errors: GroupErrors, before: Coefficients, after: Coefficients, wanted: Coefficients, controls: Sequence[str]
) -> Rows:
    """How well edits did what they should, as a reader sees it that no editor was trained with.

    ``<error>``            of the edited controls: what is read after the edit against what was wanted
    ``<error>_unedited``   the same for the unedited face: what no edit at all would get
    ``<error>_leaked``     of everything else: what is read after the edit against before it

    The errors are those of :class:`~faceuv.models.stylerig.errors.GroupErrors`. An editor of the yaw alone has the
    control ``"yaw"``: pitch and roll then are what should stay.
    """
    reached, missed, moved = errors(after, wanted), errors(before, wanted), errors(after, before)
    if tuple(controls) == ("yaw",):
        edited, kept = ["yaw_deg"], ["pitch_deg", "roll_deg", "expression_percent", "light_percent", *KEPT_ALWAYS]
    else:
        names = controls_of(controls)
        edited = [OF_CONTROL[name] for name in names]
        kept = [error for name, error in OF_CONTROL.items() if name not in names]
        kept += KEPT_ALWAYS
    found = {name: reached[name] for name in edited}
    found |= {f"{name}_unedited": missed[name] for name in edited}
    found |= {f"{name}_leaked": moved[name] for name in kept}
    return found


def mouth_rows(errors: GroupErrors, before: Coefficients, after: Coefficients, wanted: Coefficients) -> Rows:
    """How mouths should move, ``mouth_width_asked`` and ``mouth_opening_asked``, and how they do, ``…_reached``, in %
    of the eye distance: numbers with a sign, for :func:`followed`."""
    start, end, goal = errors.mouth(before), errors.mouth(after), errors.mouth(wanted)
    found = {f"{name}_asked": goal[name] - start[name] for name in start}
    return found | {f"{name}_reached": end[name] - start[name] for name in start}


@dataclass(frozen=True)
class Followed:
    """How changes that are asked for are followed: ``gain``, what is reached per unit, by least squares; and the
    ``correlation`` of both over the faces, which is about 0 for an editor that does not know what is asked. A mean
    error alone hides this where a reader's noise is as large as what faces differ by."""

    gain: float
    correlation: float


def followed(asked: Tensor, reached: Tensor) -> Followed:
    """From changes ``(N,)`` with their signs."""
    check_shape("reached changes", reached, tuple(asked.shape))
    x, y = asked.double(), reached.double()
    if len(x) < 2 or not float(x.std()) > 0:
        raise InputError("asked-for changes are those of at least two faces, and not all the same")
    centred, other = x - x.mean(), y - y.mean()
    scale = float(centred.norm() * other.norm())
    return Followed(float((x * y).sum() / x.square().sum()), float((centred * other).sum()) / scale if scale else 0.0)


def layer_energy(before: Tensor, after: Tensor) -> Tensor:
    """``(L,)``: the share of each row in the squared length of the steps ``after − before``, both ``(B, L, D)``; they
    sum to 1."""
    check_shape("codes after an edit", after, tuple(before.shape))
    energy = (after - before).double().square().sum((0, 2))
    if not float(energy.sum()) > 0:
        raise InputError("no code was moved, so that no row has a share; measure an edit that changes something")
    return (energy / energy.sum()).float()


def energy_centre(before: Tensor, after: Tensor) -> Tensor:
    """``(B,)``: the mean row, 0 … L − 1, weighed by the squared length of the step in it: small for edits of coarse
    rows. NaN for a code that was not moved."""
    energy = (after - before).double().square().sum(2)
    rows = torch.arange(energy.shape[1], dtype=energy.dtype, device=energy.device)
    return ((energy @ rows) / energy.sum(1)).float()


@dataclass(frozen=True)
class Range:
    """How far an editor follows.

    sizes    asked-for changes, in ascending order
    errors   mean control error at each size
    doubles  the size at which the error is twice that at the smallest size, between two sizes by a straight line; None
             if it never is
    gain     what is reached per unit that is asked for, by least squares over all faces and sizes
    """

    sizes: tuple[float, ...]
    errors: tuple[float, ...]
    doubles: float | None
    gain: float


def range_of(sizes: Sequence[float], reached: Tensor) -> Range:
    """The range from what was reached: changes ``(K, N)`` of N faces that were asked to change by K ``sizes`` > 0."""
    check_shape("reached changes", reached, (len(sizes), "N"))
    if len(sizes) < 2 or list(sizes) != sorted(sizes) or not sizes[0] > 0:
        raise InputError(f"sizes of edits are at least two, positive and in ascending order, got {list(sizes)}")
    asked = torch.tensor(list(sizes), dtype=torch.double)[:, None].to(reached.device)
    values = reached.double()
    errors = (values - asked).abs().mean(1).tolist()
    limit, doubles = 2 * errors[0], None
    for k in range(1, len(sizes)):
        if errors[k] >= limit:
            share = (limit - errors[k - 1]) / (errors[k] - errors[k - 1])
            doubles = sizes[k - 1] + share * (sizes[k] - sizes[k - 1])
            break
    gain = float((asked * values).sum() / (asked.square().sum() * values.shape[1]))
    return Range(tuple(sizes), tuple(errors), doubles, gain)


def by_size(values: Tensor, sizes: Tensor, edges: Sequence[float]) -> list[tuple[float, int]]:
    """Mean of ``values (N,)`` and their number in each bin of ``sizes (N,)``: identity against the size of the edit.
    Bin k holds edges[k] ≤ size < edges[k + 1]; the mean of an empty bin is NaN."""
    found = []
    for low, high in pairwise(edges):
        inside = values[(sizes >= low) & (sizes < high) & torch.isfinite(values)]
        found.append((float(inside.mean()) if len(inside) else float("nan"), len(inside)))
    return found


def calibrated(
    position: Callable[[Tensor], Tensor], codes: Tensor, values: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """(value now, wanted value) → step along a direction, each ``(B,)``: how a direction without a network follows a
    target, by the straight line through the positions of ``codes (N, L, D)`` along it and their ``values (N,)``."""
    along, value = position(codes).double(), values.double()
    along, value = along - along.mean(), value - value.mean()
    slope = float((along @ value) / along.square().sum())
    if slope == 0:
        raise InputError("the value does not change along this direction; choose another")
    return lambda now, wanted: (wanted - now) / slope


def means(rows: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    """Name → mean and its standard error over the pairs."""
    found = {}
    for name, values in rows.items():
        known = values[torch.isfinite(values)].double()
        error = float(known.std()) / len(known) ** 0.5 if len(known) > 1 else float("nan")
        found[name] = {"value": float(known.mean()) if len(known) else float("nan"), "error": error}
    return found
