"""Priors of a fit: average coefficients; light from the front and above, nearly white."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from faceuv.fitting.terms import PriorTerm, QuadraticTerm
from faceuv.geometry import ambient_light, directional_light
from faceuv.structures import CoefficientLayout, Coefficients

# Half the light comes from everywhere, half from the front and a little above: an average portrait's.
_AMBIENT, _KEY, _KEY_FROM = 0.62, 0.55, (0.0, 0.45, 0.9)


def likely(layout: CoefficientLayout, like: Tensor) -> Tensor:
    """``(1, N)``: the mean face, front view, in :func:`likely_light`; device and dtype of ``like``."""
    zeros = Coefficients.zeros(1, layout, device=like.device, dtype=like.dtype)
    return zeros.replace(lighting=likely_light(like)).data


def likely_light(like: Tensor) -> Tensor:
    """``(1, 3, 9)``."""
    white = like.new_ones(1, 3)
    return ambient_light(_AMBIENT * white) + directional_light(like.new_tensor([_KEY_FROM]), _KEY * white)


def prior_terms(
    layout: CoefficientLayout, weights: Mapping[str, float], centre: Tensor, *, tint: float
) -> list[PriorTerm | QuadraticTerm]:
    """``weights`` of the groups around ``centre (B or 1, N)``, and ``tint`` on the light's difference from its own
    grey: who is brown, and who stands in a brown light?"""
    terms: list[PriorTerm | QuadraticTerm] = [PriorTerm(layout, weights, centre)]
    if tint > 0:
        columns = layout.slice("lighting")
        bands = layout.lighting // 3
        matrix = torch.zeros(layout.lighting, layout.size).to(centre)
        matrix[:, columns] = torch.kron(torch.eye(3) - 1 / 3, torch.eye(bands)).to(centre)
        terms.append(QuadraticTerm(matrix, centre.new_zeros(layout.lighting), tint))
    return terms
