"""The direction that predicts a score best: least squares over every code, not over the ends only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.generator import Generator
from faceuv.models.directions.base import Direction, Mapper, check_layers, condition, unit_over_layers
from faceuv.models.directions.sampling import RunningCovariance, spread
from faceuv.models.directions.scored import ScoredFinder
from faceuv.models.directions.table import ScoreTable
from faceuv.registry import DIRECTION_FINDERS

_LEAST_RIDGE = 1e-6  # directions in which codes do not vary are left out


@DIRECTION_FINDERS.register_module(name="regression")
class RegressionDirection(ScoredFinder):
    """Direction of a score: ridge regression of the score on all sampled codes, in one pass.

    Where the score is a (monotone) function of one combination of nearly normal codes, this is that combination, and
    every code counts: on planted scores it points several times closer than ``svm``. Config::

        direction=dict(type='regression', score='yaw', samples=50_000)

    A trained generator's codes vary a hundred times as much in some directions as in others. Plain least squares leans
    on the latter, which predict well and edit badly: codes hardly go there, and little happens when they do. Hence the
    ridge; where codes vary alike in all directions it changes nothing.

    The direction's metadata has ``correlation``, that of the score with the fitted plane over the sampled codes.

    Args:
        score, samples, orthogonal_to, layers, name, truncation, batch, seed: as for ``svm``; at least twice as many
            samples as a code is wide.
        ridge: penalty, in units of the mean variance of w; near 0 for the best prediction of the score.
    """

    def __init__(
        self,
        score: str | Callable[[Tensor], Tensor] = "yaw",
        *,
        samples: int = 50_000,
        ridge: float = 1.0,
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
        if not (math.isfinite(ridge) and ridge >= 0):
            raise InputError(f"ridge must be a number ≥ 0, got {ridge}")
        self.ridge = max(ridge, _LEAST_RIDGE)

    def find(
        self, generator: Generator, mapper: Mapper | None = None, scores: ScoreTable | None = None
    ) -> list[Direction]:
        """The one direction of the score; its sign is that the score grows."""
        others = self.others(generator)
        moments = RunningCovariance()  # of (w, score)
        for w, values in self.scored_codes(generator, self.scorer(mapper, scores)):
            if len(w):
                moments.add(torch.cat([w.double(), values[:, None]], 1))
        width = generator.code_dim
        if moments.count < 2 * width:
            raise InputError(
                f"{moments.count} of {self.samples} codes have a finite score; codes of width {width} need at least"
                f" {2 * width} for a regression"
            )
        joint = moments.covariance
        covariance, cross, variance = joint[:width, :width], joint[:width, -1], float(joint[-1, -1])
        ridge = self.ridge * covariance.trace() / width
        normal = torch.linalg.solve(covariance + ridge * torch.eye(width, dtype=torch.float64), cross)
        rounding = 1e-20 * float(moments.mean[-1]) ** 2
        if not variance > rounding or not float(normal.norm()) > 0:
            raise InputError("the score is the same for all codes, so nothing predicts it; use another score")
        vector = unit_over_layers(normal, generator.num_layers, check_layers(self.layers, generator.num_layers))
        if others:
            vector = condition(vector, [other.vector for other in others])
        sigma = spread(vector, covariance)
        return [
            Direction(
                vector=vector.float(),
                name=self.name,
                meaning=self.meaning_beside(others),
                method="regression",
                scale=sigma,
                seed=self.seed,
                metadata={
                    "samples": self.samples,
                    "ridge": self.ridge,
                    "unscored": self.samples - moments.count,
                    "truncation": self.truncation,
                    "correlation": float(vector.sum(0) @ cross) / (sigma * math.sqrt(variance)),
                    "orthogonal_to": [other.name for other in others],
                },
            )
        ]
