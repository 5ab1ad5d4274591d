"""Albedo coefficients and light of photographs: Gauss and Newton over the skin that they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.lighting import DC_OFFSET, light_form, sh_basis

_ROUNDS = 10
_NOISE = 0.06  # RGB: what albedo modes and nine bands of light leave of a face
_ALIKE = 20  # neighbouring samples whose errors are one: they count together as one
_NOTHING = 1e-4  # of the largest weight: less does not count
_MOST = 4000  # samples: more say nothing new
_TYPICAL = (-0.05, -0.08, 0.14)  # constant, up and front coefficients of a usual light
_MOST_LIGHT, _OVER = 0.95, 0.10  # mean light on a face, and how far beyond is likely: photographs are exposed for faces
_BRIGHTNESS, _SHAPE, _TINT = 0.15, 0.30, 0.025  # deviations: of the constant, of the others, of a channel from the mean
_DARKEST = 0.35  # of the mean light: dividing by less only makes noise
_EXPLAINED, _LEAST_DIVIDED = (0.6, 0.9), 0.6
_TILT = 0.25  # radians: usual error of a fitted normal


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


@dataclass(frozen=True, eq=False)
class Samples:
    """Points of the skin that one picture shows.

    colour (N, 3)  in the picture;  normal (N, 3)  after the pose;  weight (N,)  how far each counts
    mean (N, 3), basis (N, 3, A)  of their albedo, per standard deviation
    tint (3,)  of the light, as the whites of the eyes show it; None is white
    """

    colour: Tensor
    normal: Tensor
    weight: Tensor
    mean: Tensor
    basis: Tensor
    tint: Tensor | None = None


def fit_colours(samples: Sequence[Samples], *, lighting: Tensor, noise: float = _NOISE) -> list[Colours]:
    """Fit the colours of one person in one or several pictures by ``(mean + basis · a) · Y(normal) · (light + DC)``:
    the albedo is the same in all, each picture has a light of its own.

    Skin and light share a factor that no picture tells apart. What settles it is that light is nearly white, after the
    tint of the eyes' whites: its three channels differ from their mean by a few hundredths, so that the picture's tint
    is the skin's, and dark skin has another tint than light skin. Photographs are exposed for faces: bright skin is
    pale rather than under a light that is much brighter than usual. All is solved for together: in turns, the shared
    factor would not move.

    Args:
        lighting: ``(3, 9)``, where the search begins and what the light's prior is about; it begins at the mean albedo.
        noise: RGB deviation that is usual; samples far beyond it lose their weight (Geman and McClure's function).
    """
    for part in samples:
        count = check_shape("colour", part.colour, ("N", 3))["N"]
        check_shape("basis", part.basis, (count, 3, "A"))
    asked, samples = samples, [_balanced(part) for part in samples]
    pictures, modes = len(samples), samples[0].basis.shape[2]
    step = max(1, -(-sum(len(part.colour) for part in samples) // _MOST))
    few = [_thinned(part, step) for part in samples]
    shadings = [sh_basis(part.normal) for part in few]
    total = sum(float(part.weight.sum()) for part in few)
    scale = max(1.0, sum(float(part.weight.sum()) for part in samples) / _ALIKE) / max(total, 1e-6)
    prior = _prior(modes, pictures).to(lighting)
    centre = torch.cat([lighting.new_zeros(modes), lighting.flatten().repeat(pictures)])
    found = centre.clone()
    trust = [torch.ones_like(part.weight) for part in few]
    exposed = [_exposure(part, shading) for part, shading in zip(few, shadings)]
    for _ in range(_ROUNDS):
        system, goal = prior.clone(), -prior @ (found - centre)
        for k, (part, shading) in enumerate(zip(few, shadings)):
            surface, light = part.mean + part.basis @ found[:modes], irradiance_of(part.normal, _light(found, modes, k))
            root = (part.weight * scale * trust[k]).sqrt()[:, None] / noise
            rest = (part.colour - surface * light) * root
            lights = slice(modes + 27 * k, modes + 27 * (k + 1))
            over = exposed[k] @ found[lights] + DC_OFFSET * exposed[k].view(3, 9)[:, 0].sum() - _MOST_LIGHT
            if over > 0:
                system[lights, lights] += exposed[k][:, None] * exposed[k] / _OVER**2
                goal[lights] -= over * exposed[k] / _OVER**2
            for channel in range(3):  # each has nine bands of its own
                bands = shading * (surface[:, channel, None] * root)
                slopes = torch.cat([part.basis[:, channel] * (light[:, channel, None] * root), bands], 1)
                own = torch.cat([torch.arange(modes), modes + 27 * k + 9 * channel + torch.arange(9)])
                system[own[:, None], own] += slopes.T @ slopes
                goal[own] += slopes.T @ rest[:, channel]
        found = found + torch.linalg.solve(system, goal)
        trust = [_trust(part, found[:modes], _light(found, modes, k), noise) for k, part in enumerate(few)]
    made = []
    for k, part in enumerate(samples):
        light = _light(found, modes, k)
        weight = _trust(part, found[:modes], light, noise)
        explained = float((part.weight * weight).sum() / part.weight.sum().clamp_min(1e-6))
        made.append(Colours(found[:modes], _tinted(light, asked[k].tint), weight, explained))
    return made


def _balanced(part: Samples) -> Samples:
    """The samples as they would look under white light."""
    return part if part.tint is None else replace(part, colour=part.colour / part.tint, tint=None)


def _tinted(lighting: Tensor, tint: Tensor | None) -> Tensor:
    """``lighting (3, 9)`` times ``tint (3,)``, with the offset that all light has."""
    if tint is None:
        return lighting
    offset = torch.zeros_like(lighting)
    offset[:, 0] = DC_OFFSET
    return (lighting + offset) * tint[:, None] - offset


def _exposure(part: Samples, shading: Tensor) -> Tensor:
    """``(27,)``: what makes the mean light on the samples, over the channels, of a light's coefficients."""
    mean = (shading * part.weight[:, None]).sum(0) / part.weight.sum().clamp_min(1e-6)
    return (mean / 3).repeat(3)


def _thinned(part: Samples, step: int) -> Samples:
    """Every ``step``-th sample, of those that count."""
    some = torch.arange(0, len(part.weight), step, device=part.weight.device)
    some = some[part.weight[some] > _NOTHING * part.weight.max()]
    return Samples(part.colour[some], part.normal[some], part.weight[some], part.mean[some], part.basis[some])


def _light(found: Tensor, modes: int, picture: int) -> Tensor:
    start = modes + 27 * picture
    return found[start : start + 27].view(3, 9)


def _trust(part: Samples, albedo: Tensor, lighting: Tensor, noise: float) -> Tensor:
    """``(N,)`` in [0, 1]: how well each sample is explained."""
    error = (part.colour - (part.mean + part.basis @ albedo) * irradiance_of(part.normal, lighting)).square().mean(1)
    return (1 / (1 + error / (2 * noise) ** 2)).square()


def _prior(modes: int, pictures: int) -> Tensor:
    """Precision ``(A + 27 P, A + 27 P)``: albedo in deviations; of each light the channels' mean and their
    differences."""
    wide = torch.full((9,), _SHAPE)
    wide[0] = _BRIGHTNESS
    shared = torch.ones(3, 3) / 3
    bands = torch.block_diag(*[shared / (3 * wide[k] ** 2) + (torch.eye(3) - shared) / _TINT**2 for k in range(9)])
    order = torch.arange(27).view(9, 3).T.flatten()  # bands by channels → channels by bands
    return torch.block_diag(torch.eye(modes), *[bands[order][:, order]] * pictures)


def irradiance_of(normal: Tensor, lighting: Tensor) -> Tensor:
    """The light on ``normal (N, 3)`` of ``lighting (3, 9)`` → ``(N, 3)``."""
    raised = lighting.clone()
    raised[:, 0] += DC_OFFSET
    return sh_basis(normal) @ raised.T


def light_doubt(normal: Tensor, lighting: Tensor, share: float, weight: Tensor) -> Tensor:
    """``(N, 1)``: how far the logarithm of the light that :func:`delit` divides by is usually wrong on
    ``normal (N, 3)``: because the normals of a fitted head are, and by what is not divided."""
    quadratic, linear, constant = (part[0].mean(0) for part in light_form(lighting[None]))
    bent = normal @ quadratic
    light = (normal * (bent + linear)).sum(1, keepdim=True) + constant
    known = weight[:, None] / weight.sum().clamp_min(1e-6)
    mean = (light * known).sum().clamp_min(1e-3)
    light = torch.maximum(light, _DARKEST * mean)
    slope = 2 * bent + linear
    along = slope - (slope * normal).sum(1, keepdim=True) * normal
    tilted = _TILT * along.norm(dim=1, keepdim=True) / light
    left = (1 - share) * torch.log(light / mean)
    return (tilted.square() + left.square()).sqrt()


def delit(colour: Tensor, irradiance: Tensor, share: float = 1.0, weight: Tensor | None = None) -> Tensor:
    """``colour (N, 3)`` with the light divided out; light far below its mean is held there, because it divides noise.

    Args:
        share: in [0, 1], how much of the light's unevenness is divided out; with 0 only its mean is.
        weight: ``(N,)``, of each point in that mean: how far the picture shows it. Light falls on the back of the head
            as well, and is another there.
    """
    known = torch.ones_like(irradiance[:, 0]) if weight is None else weight
    mean = ((irradiance * known[:, None]).sum(0) / known.sum().clamp_min(1e-6)).clamp_min(1e-3)
    return colour / torch.maximum(mean + share * (irradiance - mean), _DARKEST * mean)
