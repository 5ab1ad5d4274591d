"""InterFaceGAN: the normal of the plane between the codes of the highest and those of the lowest scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.generator import Generator
from faceuv.models.directions.base import (
    Direction,
    Mapper,
    check_layers,
    condition,
    unit_over_layers,
)
from faceuv.models.directions.linear_svm import separate
from faceuv.models.directions.sampling import code_covariance, spread
from faceuv.models.directions.scored import ScoredFinder
from faceuv.models.directions.table import ScoreTable
from faceuv.registry import DIRECTION_FINDERS

_TRAINING_SHARE = 0.7
_LEAST_END = 10  # codes at each end below which a plane means nothing


class Ends(NamedTuple):
    """The extreme codes of a sample: ``low``, ``high`` ``(k, D)``, and how many codes had no score."""

    low: Tensor
    high: Tensor
    unscored: int


@DIRECTION_FINDERS.register_module(name="svm")
class SVMDirection(ScoredFinder):
    """Direction of a score: linear SVM between the codes that score highest and lowest, as in InterFaceGAN.

    Codes are drawn and scored in batches, and only the ends are kept. They have one w for every layer, so the plane in
    W+ is found from w alone: it is exactly the one of the flattened codes. Config::

        direction=dict(type='svm', score='yaw', samples=200_000, ratio=0.02)
        direction=dict(type='svm', score='yaw', orthogonal_to=['work_dirs/smile.safetensors'])

    Args:
        score: a coefficient by name (``"yaw"``, ``"pitch"``, ``"light_right"``, ``"expression:3"``, see
            :mod:`~faceuv.models.directions.scores`), for which :meth:`find` needs a mapper; or any function from
            codes ``(B, L, D)`` to numbers ``(B,)``. A code whose score is NaN or infinite is left out.
        samples: number of codes N.
        ratio: share of N taken at each end.
        regularisation: C of the SVM.
        orthogonal_to: directions, or their files; the result is orthogonal to them.
        layers: rows of the code that it moves; all if absent.
        name: of the direction; the score's by default.
        truncation: ψ of the sampled codes.
        batch: codes scored at a time.
        seed: of the codes and of the split.
    """

    def __init__(
        self,
        score: str | Callable[[Tensor], Tensor] = "yaw",
        *,
        samples: int = 200_000,
        ratio: float = 0.02,
        regularisation: float = 1.0,
        orthogonal_to: Sequence[Direction | str | Path] | Direction | str | Path = (),
        layers: Sequence[int] | None = None,
        name: str | None = None,
        truncation: float = 1.0,
        batch: int = 1024,
        seed: int = 0,
    ) -> None:
        super().__init__(
            score,
            samples=samples,
            orthogonal_to=orthogonal_to,
            layers=layers,
            name=name,
            truncation=truncation,
            batch=batch,
            seed=seed,
        )
        if not 0 < ratio <= 0.5:
            raise InputError(f"ratio must lie in (0, 0.5], the share of codes at each end, got {ratio}")
        if not regularisation > 0:
            raise InputError(f"regularisation must be positive, got {regularisation}")
        self.end = round(ratio * samples)
        if self.end < _LEAST_END:
            raise InputError(
                f"ratio {ratio} of {samples} samples leaves {self.end} codes at each end; at least {_LEAST_END} are"
                f" needed: draw {math.ceil(_LEAST_END / ratio)} samples or more"
            )
        self.ratio, self.regularisation = ratio, regularisation

    def find(
        self, generator: Generator, mapper: Mapper | None = None, scores: ScoreTable | None = None
    ) -> list[Direction]:
        """The one direction of the score; its sign is that the score grows."""
        others = self.others(generator)
        ends = self.scored_ends(generator, self.scorer(mapper, scores))
        train, held_out = self._split(ends)
        rows = generator.num_layers
        normal, offset = separate(*train, rows=rows, regularisation=self.regularisation)
        vector = unit_over_layers(normal, rows, check_layers(self.layers, rows))
        if others:
            vector = condition(vector, [other.vector for other in others])
        along = vector.sum(0)
        if self.layers is not None or others:  # the plane has turned: put it between the ends again
            offset = float(sum((codes @ along).mean() for codes in train)) / 2
        else:
            offset *= math.sqrt(rows)
        covariance = code_covariance(generator, seed=self.seed, truncation=self.truncation)
        direction = Direction(
            vector=vector.float(),
            name=self.name,
            meaning=self.meaning_beside(others),
            method="svm",
            scale=spread(vector, covariance),
            accuracy=_accuracy(along, offset, *held_out),
            seed=self.seed,
            metadata={
                "samples": self.samples,
                "ratio": self.ratio,
                "regularisation": self.regularisation,
                "truncation": self.truncation,
                "unscored": ends.unscored,
                "orthogonal_to": [other.name for other in others],
            },
        )
        return [direction]

    def scored_ends(self, generator: Generator, score: Callable[[Tensor], Tensor] | ScoreTable) -> Ends:
        """Draw and score all codes; keep the ends, the most extreme first."""
        low, high, scored = _Best(self.end, largest=False), _Best(self.end, largest=True), 0
        for w, values in self.scored_codes(generator, score):
            scored += len(w)
            low.add(w, values)
            high.add(w, values)
        if scored < 2 * self.end:
            raise InputError(
                f"only {scored} of {self.samples} codes have a finite score, and {2 * self.end} are needed at the ends;"
                " check the score"
            )
        if not low.scores[-1] < high.scores[-1]:
            raise InputError(
                f"the score does not separate the ends (up to {float(low.scores[-1]):.6g} at one, from"
                f" {float(high.scores[-1]):.6g} at the other); use another score or a smaller ratio"
            )
        return Ends(low.codes, high.codes, self.samples - scored)

    def _split(self, ends: Ends) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        rng = torch.Generator().manual_seed(self.seed)
        count = round(_TRAINING_SHARE * self.end)
        orders = [torch.randperm(self.end, generator=rng) for _ in range(2)]
        low, high = (codes.double()[order] for codes, order in zip((ends.low, ends.high), orders))
        return (low[:count], high[:count]), (low[count:], high[count:])


class _Best:
    """The ``count`` codes of highest or lowest score seen so far, the most extreme first; of ties the earlier."""

    def __init__(self, count: int, *, largest: bool) -> None:
        self.count, self.largest = count, largest
        self.codes, self.scores = torch.empty(0, 0), torch.empty(0, dtype=torch.float64)

    def add(self, codes: Tensor, scores: Tensor) -> None:
        all_scores = torch.cat([self.scores, scores])
        order = torch.sort(all_scores, descending=self.largest, stable=True).indices[: self.count]
        self.codes = (torch.cat([self.codes, codes]) if len(self.codes) else codes)[order]
        self.scores = all_scores[order]


def _accuracy(along: Tensor, offset: float, low: Tensor, high: Tensor) -> float:
    right = (low @ along < offset).sum() + (high @ along > offset).sum()
    return float(right) / (len(low) + len(high))
