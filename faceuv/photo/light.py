"""Albedo coefficients and light of a photograph: Gauss and Newton over the skin that it shows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.lighting import DC_OFFSET, sh_basis

_ROUNDS = 10
_NOISE = 0.06  # RGB: what albedo modes and nine bands of light leave of a face
_ALIKE = 20  # neighbouring samples whose errors are one: they count together as one
_MOST = 4000  # samples: more say nothing new
_TYPICAL = (-0.05, -0.08, 0.14)  # constant, up and front coefficients of a usual light
_BRIGHTNESS, _SHAPE, _TINT = 0.15, 0.30, 0.03  # deviations: of the constant, of the others, of a channel from the mean
_DARKEST = 0.35  # of the mean light: dividing by less only makes noise
_EXPLAINED, _LEAST_DIVIDED = (0.6, 0.9), 0.6


@dataclass(frozen=True, eq=False)
class Colours:
    """What explains the skin's colours: ``albedo (A,)`` coefficients, ``lighting (3, 9)``, and how well each sample is
    explained, ``weight (N,)`` in [0, 1]: near 0 is not skin; ``explained`` is the mean over the samples that count."""

    albedo: Tensor
    lighting: Tensor
    weight: Tensor
    explained: float = 1.0

    @property
    def divisible(self) -> float:
        """How much of the light's unevenness is divided out, in [0, 1]: all of it where nine bands explain the picture,
        less where they do not. Cast shadows and hard highlights, divided by a smooth light, would come out twice."""
        low, high = _EXPLAINED
        return _LEAST_DIVIDED + (1 - _LEAST_DIVIDED) * min(1.0, max(0.0, (self.explained - low) / (high - low)))


def usual_light() -> Tensor:
    """``(3, 9)``: white, from above and in front; the centre of what is expected of a photograph."""
    light = torch.zeros(3, 9)
    light[:, :3] = torch.tensor(_TYPICAL)
    return light


def fit_colours(
    colour: Tensor,
    normal: Tensor,
    weight: Tensor,
    mean: Tensor,
    basis: Tensor,
    *,
    albedo: Tensor,
    lighting: Tensor,
    noise: float = _NOISE,
) -> Colours:
    """Fit ``colour (N, 3)`` by ``(mean + basis · a) · Y(normal) · (light + DC)``.

    Skin and light share a factor that no picture tells apart. What settles it is that light is nearly white: its
    three channels differ from their mean by a few hundredths, so that the picture's tint is the skin's, and dark skin
    has another tint than light skin. Both are solved for together: in turns, the shared factor would not move.

    Args:
        normal: ``(N, 3)`` after the pose; ``weight (N,)`` says how far each sample counts.
        mean: ``(N, 3)``; ``basis (N, 3, A)``, per standard deviation.
        albedo, lighting: ``(A,)`` and ``(3, 9)``, where the search begins; the light's prior is about ``lighting``.
        noise: RGB deviation that is usual; samples far beyond it lose their weight (Geman and McClure's function).
    """
    count = check_shape("colour", colour, ("N", 3))["N"]
    check_shape("basis", basis, (count, 3, "A"))
    step = max(1, -(-count // _MOST))
    some = slice(None, None, step)
    shading = sh_basis(normal)
    scale = max(1.0, float(weight.sum()) / _ALIKE)
    share = (weight[some] / weight[some].sum().clamp_min(1e-6) * scale)[:, None]  # sums to the independent samples
    modes = basis.shape[2]
    prior = _prior(modes).to(colour)
    centre = torch.cat([torch.zeros_like(albedo), lighting.flatten()])
    found = torch.cat([albedo, lighting.flatten()])
    trust = torch.ones_like(weight)
    for _ in range(_ROUNDS):
        surface, light = (mean + basis @ found[:modes])[some], irradiance_of(normal[some], found[modes:].view(3, 9))
        rest = colour[some] - surface * light
        slopes = torch.cat([basis[some] * light[..., None], _by_channel(surface, shading[some])], 2)
        weighted = slopes * (share * trust[some, None] / noise**2)[..., None]
        system = torch.einsum("ncp,ncq->pq", weighted, slopes) + prior
        goal = torch.einsum("ncp,nc->p", weighted, rest) - prior @ (found - centre)
        found = found + torch.linalg.solve(system, goal)
        albedo, lighting = found[:modes], found[modes:].view(3, 9)
        error = (colour - (mean + basis @ albedo) * irradiance_of(normal, lighting)).square().mean(1)
        trust = (1 / (1 + error / (2 * noise) ** 2)).square()
    explained = float((weight * trust).sum() / weight.sum().clamp_min(1e-6))
    return Colours(albedo, lighting, trust, explained)


def _by_channel(surface: Tensor, shading: Tensor) -> Tensor:
    """Derivatives ``(N, 3, 27)`` of the colour by the light's coefficients: each channel has its own nine."""
    own = surface[:, :, None] * shading[:, None]
    return torch.cat([own * (torch.arange(3, device=own.device) == c)[:, None].to(own) for c in range(3)], 2)


def _prior(modes: int) -> Tensor:
    """Precision ``(A + 27, A + 27)``: albedo in deviations; of the light the channels' mean and their differences."""
    wide = torch.full((9,), _SHAPE)
    wide[0] = _BRIGHTNESS
    shared = torch.ones(3, 3) / 3
    bands = torch.block_diag(*[shared / (3 * wide[k] ** 2) + (torch.eye(3) - shared) / _TINT**2 for k in range(9)])
    order = torch.arange(27).view(9, 3).T.flatten()  # bands by channels → channels by bands
    return torch.block_diag(torch.eye(modes), bands[order][:, order])


def irradiance_of(normal: Tensor, lighting: Tensor) -> Tensor:
    """The light on ``normal (N, 3)`` of ``lighting (3, 9)`` → ``(N, 3)``."""
    raised = lighting.clone()
    raised[:, 0] += DC_OFFSET
    return sh_basis(normal) @ raised.T


def delit(colour: Tensor, irradiance: Tensor, share: float = 1.0) -> Tensor:
    """``colour (N, 3)`` with the light divided out; light far below its mean is held there, because it divides noise.

    Args:
        share: in [0, 1], how much of the light's unevenness is divided out; with 0 only its mean is.
    """
    mean = irradiance.mean(0, keepdim=True).clamp_min(1e-3)
    return colour / torch.maximum(mean + share * (irradiance - mean), _DARKEST * mean)
