"""SeFa: directions in closed form from the weights that turn codes into styles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.generator import Generator
from faceuv.models.directions.base import (
    Direction,
    DirectionFinder,
    Mapper,
    check_layers,
    first_sign,
    unit_over_layers,
)
from faceuv.models.directions.sampling import check_count, code_covariance, spread
from faceuv.registry import DIRECTION_FINDERS


@DIRECTION_FINDERS.register_module(name="sefa")
class SeFaDirections(DirectionFinder):
    """Directions that change the chosen layers' styles most: eigenvectors of their weights, as in SeFa.

    With A the style weights ``(C, D)`` of the layers below one another, they are the eigenvectors of AᵀA, largest
    eigenvalue first, and move those layers only. No code is scored; a few are drawn for σ. Config::

        direction=dict(type='sefa', layers=[0, 1, 2, 3], components=5)

    Args:
        layers: rows of the code, all if absent.
        components: how many directions.
        normalise: bring every style's weights (row of A) to length one first, as the authors' release does; without
            it, the formula of the paper.
        seed, truncation: of the codes that σ is measured on.
    """

    def __init__(
        self,
        layers: Sequence[int] | None = None,
        components: int = 5,
        *,
        normalise: bool = True,
        truncation: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.layers = None if layers is None else list(layers)
        self.components = check_count("components", components, 1)
        self.normalise, self.truncation, self.seed = normalise, truncation, seed

    def check(self, generator: Generator) -> None:
        """The generator must have style weights, the layers, and as many dimensions as components are wanted."""
        check_layers(self.layers, generator.num_layers)
        style_weights(generator)
        if self.components > generator.code_dim:
            raise InputError(f"codes of width {generator.code_dim} have no {self.components} components; ask for fewer")

    def find(self, generator: Generator, mapper: Mapper | None = None) -> list[Direction]:
        """The directions, largest eigenvalue first."""
        self.check(generator)
        rows = check_layers(self.layers, generator.num_layers)
        weights = style_weights(generator)
        values, vectors = factorise([weights[row] for row in rows], normalise=self.normalise)
        covariance = code_covariance(generator, seed=self.seed, truncation=self.truncation)
        total = float(values.sum())
        found = []
        for k in range(self.components):
            vector = unit_over_layers(vectors[k], generator.num_layers, rows)
            found.append(
                Direction(
                    vector=vector.float(),
                    name=f"sefa{k}",
                    meaning=f"eigenvector {k} of the style weights of layers {', '.join(map(str, rows))}",
                    method="sefa",
                    scale=spread(vector, covariance),
                    seed=self.seed,
                    metadata={
                        "eigenvalue": float(values[k]),
                        "share": float(values[k]) / total,
                        "normalise": self.normalise,
                        "truncation": self.truncation,
                    },
                )
            )
        return found


def factorise(weights: Sequence[Tensor], *, normalise: bool = True) -> tuple[Tensor, Tensor]:
    """Style weights ``(C, D)`` of some layers → eigenvalues ``(D,)`` and unit eigenvectors ``(D, D)`` in rows, float64,
    largest first; each with its number of largest magnitude positive."""
    matrix = torch.cat([w.detach().double().cpu() for w in weights])
    if normalise:
        matrix = torch.nn.functional.normalize(matrix, dim=1)
    values, columns = torch.linalg.eigh(matrix.T @ matrix)
    return values.flip(0).clamp(min=0), first_sign(columns.T.flip(0))


def style_weights(generator: Generator) -> list[Tensor]:
    """The style weights of every row of a code, from the generator or from its synthesis network."""
    for owner in (generator, getattr(generator, "synthesis", None)):
        weights = getattr(owner, "style_weights", None)
        if callable(weights):
            return list(weights())
    raise InputError(
        f"sefa needs a generator with style_weights(), and {type(generator).__name__} has none; 'svm' and 'ganspace'"
        " work with any generator"
    )
