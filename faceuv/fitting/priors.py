"""Priors of a fit: average coefficients; light from the front and above, nearly white."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from faceuv.fitting.terms import PriorTerm, QuadraticTerm, SparseTerm
from faceuv.geometry import ambient_light, directional_light
from faceuv.models.faces.base import FaceModel
from faceuv.structures import CoefficientLayout, Coefficients

# Half the light comes from everywhere, half from the front and a little above: an average portrait's.
_AMBIENT, _KEY, _KEY_FROM = 0.62, 0.55, (0.0, 0.45, 0.9)

SPARSE = 1.0
"""How much a full movement of a blend shape costs by its amount, in what it costs by its square."""


def likely(layout: CoefficientLayout, like: Tensor) -> Tensor:
    """``(1, N)``: the mean face, front view, in :func:`likely_light`; device and dtype of ``like``."""
    zeros = Coefficients.zeros(1, layout, device=like.device, dtype=like.dtype)
    return zeros.replace(lighting=likely_light(like)).data


def likely_light(like: Tensor) -> Tensor:
    """``(1, 3, 9)``."""
    white = like.new_ones(1, 3)
    return ambient_light(_AMBIENT * white) + directional_light(like.new_tensor([_KEY_FROM]), _KEY * white)


def amounts_of(model: FaceModel) -> Tensor | None:
    """``(E,)``: the full movement of expression modes that only go one way, from 0, as blend shapes do; infinity for
    the others. None where all go both ways."""
    if model.expression_limits is None:
        return None
    low, high = model.expression_limits.unbind(1)
    amounts = torch.where((low >= 0) & (high > 0), high, torch.inf)
    return amounts if bool(torch.isfinite(amounts).any()) else None


def prior_terms(
    layout: CoefficientLayout,
    weights: Mapping[str, float],
    centre: Tensor,
    *,
    tint: float,
    amounts: Tensor | None = None,
    distance: float = 0.0,
) -> list[PriorTerm | QuadraticTerm | SparseTerm]:
    """``weights`` of the groups around ``centre (B or 1, N)``, and ``tint`` on the light's difference from its own
    grey: who is brown, and who stands in a brown light?

    ``amounts`` are those of :func:`amounts_of`: of such modes few take part in a face, so that the sum of the amounts
    costs, too, by the weight of the group times :data:`SPARSE`. ``distance`` is the weight of the squared translation
    away from the camera, where the other directions are free.
    """
    prior = PriorTerm(layout, weights, centre)
    prior.weights[layout.slice("translation").start + 2] += distance
    terms: list[PriorTerm | QuadraticTerm | SparseTerm] = [prior]
    if amounts is not None and weights.get("expression"):
        columns = layout.slice("expression")
        sparse = torch.zeros_like(prior.weights)
        sparse[columns] = SPARSE * weights["expression"] / amounts.to(sparse)
        terms.append(SparseTerm(sparse))
    if tint > 0:
        columns = layout.slice("lighting")
        bands = layout.lighting // 3
        matrix = torch.zeros(layout.lighting, layout.size).to(centre)
        matrix[:, columns] = torch.kron(torch.eye(3) - 1 / 3, torch.eye(bands)).to(centre)
        terms.append(QuadraticTerm(matrix, centre.new_zeros(layout.lighting), tint))
    return terms
