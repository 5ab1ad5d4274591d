"""Several pictures of one person as one problem: some columns of the coefficients are shared, the others are each
picture's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.fitting.solver import Solution, Term, minimise


@dataclass(frozen=True, eq=False)
class Sharing:
    """Where the columns of B rows lie in the one vector of M numbers that stands for all of them.

    index   ``(B, N)`` int64: ``x[b, n] = y[index[b, n]]``; a shared column has the same place in every row
    trust   ``(B,)``: how much the data of each picture count
    """

    index: Tensor
    trust: Tensor

    @classmethod
    def of(cls, count: int, shared: Tensor, trust: Tensor) -> Sharing:
        """``shared (N,)`` bool says which columns are the same in all ``count`` rows."""
        own = ~shared
        index = torch.zeros(count, len(shared), dtype=torch.int64, device=shared.device)
        common, rest = int(shared.sum()), int(own.sum())
        index[:, shared] = torch.arange(common, device=shared.device)
        index[:, own] = common + torch.arange(count * rest, device=shared.device).view(count, rest)
        return cls(index, trust)

    @property
    def size(self) -> int:
        return int(self.index.max()) + 1

    def joined(self, x: Tensor) -> Tensor:
        """``x (B, N)`` → ``(M,)``; what is shared becomes the mean of the rows, weighted by their trust."""
        weight = self.trust[:, None].expand_as(x).flatten()
        total = x.new_zeros(self.size).index_add(0, self.index.flatten(), x.flatten() * weight)
        return total / x.new_zeros(self.size).index_add(0, self.index.flatten(), weight)

    def spread(self, y: Tensor) -> Tensor:
        """``y (M,)`` → ``(B, N)``."""
        return y[self.index]


class SharedTerm:
    """A term of B pictures as a term of the one vector of all of them, for :func:`~faceuv.fitting.solver.minimise`.

    Each picture counts as far as it is trusted, with the priors of its own coefficients, so that they keep their
    proportion to its data; priors of what is shared are given a share of each picture.
    """

    def __init__(self, term: Term, sharing: Sharing) -> None:
        self.term, self.sharing = term, sharing
        self.weight = sharing.trust
        self.rows = torch.arange(len(sharing.index), device=sharing.index.device)

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        return (self.term.cost(self.sharing.spread(x[0]), self.rows) * self.weight).sum()[None]

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        matrix, slope = self.term.system(self.sharing.spread(x[0]), self.rows)
        index, size = self.sharing.index, self.sharing.size
        whole = x.new_zeros(size * size)
        for k, weight in enumerate(self.weight):  # one by one: there may be many pictures
            places = index[k][:, None] * size + index[k]
            whole.index_add_(0, places.flatten(), (matrix[k] * weight).flatten())
        slopes = x.new_zeros(size).index_add(0, index.flatten(), (slope * self.weight[:, None]).flatten())
        return whole.view(1, size, size), slopes[None]


def minimise_together(
    data: Sequence[Term],
    priors: Sequence[Term],
    x: Tensor,
    columns: Tensor,
    sharing: Sharing,
    *,
    iterations: int,
    tolerance: float,
    bounds: tuple[Tensor, Tensor] | None,
) -> Solution:
    """:func:`~faceuv.fitting.solver.minimise` for the rows of ``x (B, N)`` as one problem."""
    terms = [SharedTerm(term, sharing) for term in (*data, *priors)]
    free = sharing.index[:, columns].unique()
    limits = None if bounds is None else tuple(sharing.joined(edge.expand_as(x)) for edge in bounds)
    found = minimise(terms, sharing.joined(x)[None], free, iterations=iterations, tolerance=tolerance,
                     bounds=None if limits is None else (limits[0], limits[1]))  # fmt: skip
    count = len(x)
    return Solution(
        sharing.spread(found.x[0]), found.cost.expand(count), found.iterations.expand(count), found.finite.expand(count)
    )
