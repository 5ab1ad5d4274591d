"""The base of finders that score codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import Generator
from faceuv.models.directions.base import Direction, DirectionFinder, Mapper, check_layers
from faceuv.models.directions.sampling import check_count
from faceuv.models.directions.scores import meaning, named_score
from faceuv.models.directions.table import CodeSample, ScoreTable
from faceuv.structures import Coefficients

Score = Callable[[Tensor], Tensor]


class ScoredFinder(DirectionFinder):
    """A finder of the direction of one score. ``find(generator, scores=table)`` takes the scores of the codes from a
    :class:`~faceuv.models.directions.table.ScoreTable`, where several finders share them.

    Args:
        score: a coefficient by name (``"yaw"``, ``"pitch"``, ``"light_right"``, ``"expression:3"``, see
            :mod:`~faceuv.models.directions.scores`), for which :meth:`find` needs a mapper or a table of scores; or any
            function from codes ``(B, L, D)`` to numbers ``(B,)``. A code whose score is NaN or infinite is left out.
        samples: number of codes N.
        orthogonal_to: directions, or their files; the result is orthogonal to them.
        layers: rows of the code that it moves; all if absent.
        name: of the direction; the score's by default.
        truncation: ψ of the sampled codes.
        batch: codes scored at a time.
        seed: of the codes.
    """

    def __init__(
        self,
        score: str | Score,
        *,
        samples: int,
        orthogonal_to: Sequence[Direction | str | Path] | Direction | str | Path,
        layers: Sequence[int] | None,
        name: str | None,
        truncation: float,
        batch: int,
        seed: int,
    ) -> None:
        if isinstance(score, str):
            label, self.meaning = score, meaning(score)
        elif callable(score):
            label = str(getattr(score, "__name__", type(score).__name__))
            self.meaning = f"the score {label!r}"
        else:
            raise InputError(f"score must be the name of a coefficient or a function of codes, got {score!r}")
        if isinstance(orthogonal_to, (Direction, str, Path)):
            orthogonal_to = [orthogonal_to]
        self.score, self.name = score, name or label
        self.samples, self.batch = check_count("samples", samples, 1), check_count("batch", batch, 1)
        self.orthogonal_to = list(orthogonal_to)
        self.layers = None if layers is None else list(layers)
        self.truncation, self.seed = truncation, seed

    @abstractmethod
    def find(
        self, generator: Generator, mapper: Mapper | None = None, scores: ScoreTable | None = None
    ) -> list[Direction]:
        """The one direction of the score; its sign is that the score grows."""

    def check(self, generator: Generator) -> None:
        """Layers and the directions to leave alone must be the generator's."""
        check_layers(self.layers, generator.num_layers)
        self.others(generator)

    def others(self, generator: Generator) -> list[Direction]:
        """The directions to leave alone, read and checked."""
        found = [d if isinstance(d, Direction) else Direction.load(d) for d in self.orthogonal_to]
        for direction in found:
            direction.check_fits(generator)
        return found

    @property
    def codes(self) -> CodeSample:
        """Which codes are scored."""
        return CodeSample(self.samples, self.seed, self.truncation, self.batch)

    def scorer(self, mapper: Mapper | None, scores: ScoreTable | None = None) -> Score | ScoreTable:
        """The score as a function of codes ``(B, L, D)``, or the table that holds it."""
        if not isinstance(self.score, str):
            return self.score
        if scores is not None:
            return scores
        if mapper is None:
            raise InputError(
                f"the score {self.score!r} is a coefficient: find(generator, mapper) needs a mapper from codes to"
                " Coefficients, or give the finder a function of codes as its score"
            )
        name = self.score

        def score(code: Tensor) -> Tensor:
            coefficients = mapper(code)
            if not isinstance(coefficients, Coefficients):
                raise InputError(f"the mapper must give Coefficients, got {type(coefficients).__name__}")
            return named_score(coefficients, name)

        return score

    def scored_codes(self, generator: Generator, score: Score | ScoreTable) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes w ``(b, D)`` and their finite scores ``(b,)`` in float64, on the CPU, one batch at a time."""
        for w, values in self._scored(generator, score):
            if not isinstance(values, Tensor) or values.shape != (len(w),):
                came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise InputError(f"a score must give one number per code, shape ({len(w)},), got {came}")
            usable = torch.isfinite(values)
            yield w[usable].cpu(), values[usable].double().cpu()

    def _scored(self, generator: Generator, score: Score | ScoreTable) -> Iterator[tuple[Tensor, Tensor]]:
        if isinstance(score, ScoreTable):
            yield from zip(self.codes.draw(generator), score.batches(str(self.score), self.codes))
            return
        for w in self.codes.draw(generator):
            with torch.no_grad():
                values = score(broadcast_code(w, generator.num_layers, generator.code_dim))
            yield w, values

    def meaning_beside(self, others: Sequence[Direction]) -> str:
        """The meaning in words, with what is left alone."""
        return self.meaning + "".join(f", orthogonal to {other.name}" for other in others)
