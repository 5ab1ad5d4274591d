"""Levenberg–Marquardt for a batch of small problems, each with its own damping, acceptance and stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-7, 10.0
_EASE, _STIFFEN = 0.2, 5.0
_PASSES = 3  # at most: of columns that meet their bounds within a step


class Term(Protocol):
    """A part of the objective: a sum of squares, or of robust functions of squares.

    ``rows (b,)`` says which problems the ``x (b, N)`` belong to.
    """

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        """``(b,)``."""

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Gauss–Newton matrix ``(b, N, N)`` and gradient ``(b, N)`` of the cost, both halved."""


@dataclass(frozen=True, eq=False)
class Solution:
    """``x (B, N)``, ``cost (B,)``, ``iterations (B,)`` and ``finite (B,)``: False where the cost was never a number."""

    x: Tensor
    cost: Tensor
    iterations: Tensor
    finite: Tensor


@torch.no_grad()
def minimise(
    terms: Sequence[Term],
    x: Tensor,
    columns: Tensor,
    *,
    iterations: int,
    tolerance: float = 1e-4,
    bounds: tuple[Tensor, Tensor] | None = None,
    rows: Tensor | None = None,
) -> Solution:
    """Minimise the sum of ``terms`` over some columns of ``x (B, N)``, each row by itself.

    A step that does not lower a row's cost is not taken, and the row's damping grows. A row is done when a step gains
    less than ``tolerance`` of its cost, or promises a tenth of that, or when no damping finds a gain; rows that are
    done cost nothing more.

    Args:
        columns: ``(n,)`` int64, the columns that are free.
        iterations: at most so many steps, taken or refused.
        bounds: lowest and highest values ``(N,)``. The columns start within them and stay there: one that lies at a
            bound and would leave is held during a step, and a step ends at the bounds.
        rows: which rows to minimise, by default all; the others stay, and count as finite if they are.
    """
    x = x.clone()
    every = torch.arange(len(x), device=x.device) if rows is None else rows
    limits = None if bounds is None else (bounds[0][columns], bounds[1][columns])
    if limits is not None:
        within = x[every][:, columns].clamp(*limits)
        x[every[:, None], columns] = within
    cost, finite = torch.full_like(x[:, 0], torch.nan), torch.isfinite(x).all(1)
    cost[every] = _cost(terms, x[every], every)
    finite[every] = torch.isfinite(cost[every])
    damping = torch.full_like(cost, _FIRST_DAMPING)
    taken = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    rows = every[finite[every]]
    for _ in range(iterations):
        if not len(rows):
            break
        taken[rows] += 1
        trial, promise = _step(terms, x[rows], rows, columns, damping[rows], limits)
        # NaN promises nothing, and is kept: its damping grows
        worth = ~(promise < 0.1 * tolerance * cost[rows] + torch.finfo(x.dtype).eps)
        rows, trial = rows[worth], trial[worth]
        if not len(rows):
            break
        trial_cost = _cost(terms, trial, rows)
        better = trial_cost < cost[rows]  # False for NaN
        gain = (cost[rows] - trial_cost) / cost[rows].clamp_min(torch.finfo(cost.dtype).tiny)
        x[rows] = torch.where(better[:, None], trial, x[rows])
        cost[rows] = torch.where(better, trial_cost, cost[rows])
        factor = torch.where(better, _EASE, _STIFFEN)
        damping[rows] = (damping[rows] * factor).clamp_min(_LEAST_DAMPING)
        # a small gain of a heavily damped step says nothing; a refused step of a free one neither
        done = torch.where(better, (gain < tolerance) & (damping[rows] < 1), damping[rows] > _MOST_DAMPING)
        rows = rows[~done]
    return Solution(x, cost, taken, finite)


def _cost(terms: Sequence[Term], x: Tensor, rows: Tensor) -> Tensor:
    return torch.stack([term.cost(x, rows) for term in terms]).sum(0)


def _step(
    terms: Sequence[Term],
    x: Tensor,
    rows: Tensor,
    columns: Tensor,
    damping: Tensor,
    limits: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """``x`` after a damped Gauss–Newton step and about how much it lowers the cost; NaN where no step can be found."""
    parts = [term.system(x, rows) for term in terms]
    matrix = torch.stack([part[0] for part in parts]).sum(0) if len(parts) > 1 else parts[0][0]
    gradient = torch.stack([part[1] for part in parts]).sum(0)
    matrix = matrix.index_select(1, columns).index_select(2, columns)
    gradient = gradient.index_select(1, columns)
    held, fixed = torch.zeros_like(gradient, dtype=torch.bool), torch.zeros_like(gradient)
    if limits is not None:
        (low, high), now = limits, x.index_select(1, columns)
        held = ((now <= low) & (gradient > 0)) | ((now >= high) & (gradient < 0))
    step = _solve(matrix, gradient, damping, held, fixed)
    promise = (gradient * step).sum(1)
    if limits is not None:
        for _ in range(_PASSES):
            # what would leave its limits goes to them; the others make the best of it
            beyond = ~held & ((now - step < low) | (now - step > high))  # False for NaN
            if not bool(beyond.any()):
                break
            held = held | beyond
            fixed = torch.where(beyond, now - (now - step).clamp(low, high), fixed)
            step = _solve(matrix, gradient, damping, held, fixed)
        step = now - (now - step).clamp(low, high)  # NaN stays NaN
        promise = (2 * gradient - (matrix @ step[:, :, None])[:, :, 0]).mul(step).sum(1)
        lost = (step != 0).any(1) & (promise <= 0)  # cut off until nothing is gained: a shorter step may gain
        promise = promise.masked_fill(lost, torch.nan)
    return x.index_add(1, columns, -step), promise


def _solve(matrix: Tensor, gradient: Tensor, damping: Tensor, held: Tensor, fixed: Tensor) -> Tensor:
    """The damped step ``(b, n)`` of the columns that are not ``held``; those that are take the step ``fixed``."""
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    # Marquardt's scaling: the step does not depend on the units of a column; the floor is for columns without effect
    floor = 1e-6 * diagonal.amax(1, keepdim=True) + torch.finfo(matrix.dtype).tiny
    damped = matrix + torch.diag_embed(damping[:, None] * torch.maximum(diagonal, floor))
    if bool(held.any()):
        gradient = torch.where(held, 0.0, gradient - (damped @ fixed[:, :, None])[:, :, 0])
        free = ~held
        own = torch.diag_embed(torch.where(held, torch.maximum(diagonal, floor), 0.0))
        damped = damped * free[:, :, None] * free[:, None] + own  # what is held has its diagonal alone
    factor, failed = torch.linalg.cholesky_ex(damped)
    step = torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
    return torch.where(held, fixed, step.masked_fill((failed != 0)[:, None], torch.nan))
