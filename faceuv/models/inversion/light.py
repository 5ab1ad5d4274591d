"""The light of a picture, fitted to the generator's maps in closed form: what is light must not become detail."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry.lighting import sh_irradiance
from faceuv.models.faces import FaceRenderer
from faceuv.models.inversion.residual import covered_by, read, sight
from faceuv.structures import Coefficients, UVMaps

_RIDGE = 0.1  # of the change of the nine numbers of a colour, against a mean squared difference of colours
_ROBUST = 0.1  # differences of colours beyond this count less and less: they are detail
_ROUNDS = 3


@torch.no_grad()
def with_fitted_light(
    renderer: FaceRenderer,
    image: Tensor,
    coefficients: Coefficients,
    maps: UVMaps,
    *,
    map_size: int,
    mask: Tensor | None = None,
) -> Coefficients:
    """The coefficients with the light under which the maps look most like the picture ``(B, 3, S, S)``.

    The colour of a texel is its diffuse colour times the irradiance, which is linear in the light: least squares over
    the texels that the picture shows, each weighted by its cosine, large differences less, near the light that the
    coefficients have. What the maps lack is neither light nor fitted well by it, and stays in the residual.

    Args:
        mask: ``(B, 1, S, S)``: pixels that show the bare face, where that is known.
    """
    if maps.diffuse is None:
        raise InputError("a light is fitted to the diffuse map; this generator of faces makes none")
    view = sight(renderer, coefficients, maps, size=image.shape[-1], map_size=map_size)
    covered = covered_by(renderer(coefficients, maps, size=image.shape[-1]), mask)
    share = read(covered, view.grid)
    weight = ((share > 0.5) * view.cosine).flatten(2).transpose(1, 2)  # (B, T, 1)
    seen = (read(image * covered, view.grid) / share.clamp_min(0.5)).flatten(2).transpose(1, 2)
    diffuse = maps.diffuse.flatten(2).transpose(1, 2)
    normals, before = view.normals.flatten(2).transpose(1, 2), coefficients.lighting
    dark = sh_irradiance(normals, torch.zeros_like(before))
    basis = torch.stack(
        [
            (sh_irradiance(normals, torch.zeros_like(before).index_fill_(2, index, 1.0)) - dark)[..., 0]
            for index in torch.arange(before.shape[2], device=before.device)
        ],
        -1,
    )  # (B, T, 9)
    away = seen - diffuse * sh_irradiance(normals, before)
    change = torch.zeros_like(before)
    ridge = _RIDGE * torch.eye(before.shape[2]).to(before)
    for _ in range(_ROUNDS):
        rest = away - diffuse * torch.einsum("btk,bck->btc", basis, change)
        counted = weight / (1 + (rest.abs().mean(2, keepdim=True) / _ROBUST).square())
        counted = counted / counted.sum(1, keepdim=True).clamp_min(1e-6)
        columns = []
        for channel in range(3):
            lit = basis * diffuse[..., channel : channel + 1]
            matrix = torch.einsum("btk,btl->bkl", lit * counted, lit) + ridge
            columns.append(torch.linalg.solve(matrix, (lit * counted * away[..., channel : channel + 1]).sum(1)))
        change = torch.stack(columns, 1)
    return coefficients.replace(lighting=before + change)
