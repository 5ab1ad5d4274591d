"""Folds and wrinkles: what is narrow in a photograph's brightness is split into relief, which its light shades, and
pigment, which stays a colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.lighting import light_form
from faceuv.geometry.uv import unit_planes
from faceuv.photo.boxes import box_mean

_PIGMENT = ((0.16, 0.23, 0.29), (0.04, 0.12, 0.08))  # fall of log red, green, blue with those of melanin and of blood
_SPOTS = 0.25  # of both, usual changes; a mole is four of them
_GRAIN = 0.03  # of a channel's logarithm, noise of its own
_WIDE = 7  # mm: what is wider is the shape's, or a shadow
_PLAIN = 0.02  # of log brightness: unevenness that no photograph is without
_NOISE = 2.0  # times the finest texture around counts as noise
_PIXELS = 1.5  # of the photograph: the finest texture
_AROUND = 13.0  # mm, where that is measured
_STEEP = 0.08  # usual slope of skin, rise over run
_HIGH = 0.2  # mm, usual height
_CREASE = (16.0, 0.05)  # of the slopes across a crease, times what the first look found; of all others
_BESIDE = 2.5  # mm, over which creases keep their direction
_DEEP = 0.1  # of log brightness per mm: what lies deep sees less of the light around
_STRANGE = 3.0  # deviations at which what relief does not explain is pigment
_ROUNDS = (8, 16)  # of conjugate gradients: first look, with creases
_FINE_ENOUGH = (0.9, 1.8)  # mm of a pixel or a texel: all creases are looked for, none
_DARK = (0.2, 0.4)  # of the mean light: none of it, all


@dataclass(frozen=True, eq=False)
class Ground:
    """The smooth surface under a photograph's light, at H × W texels.

    normal              (3, H, W)  unit, after the pose
    along_u, along_v    (3, H, W)  mm per texel, after the pose
    lighting            (3, 9)
    """

    normal: Tensor
    along_u: Tensor
    along_v: Tensor
    lighting: Tensor

    def light(self, normal: Tensor) -> Tensor:
        """``(3, H, W)``: of each colour, on unit ``normal (3, H, W)``."""
        quadratic, linear, constant = self._form(normal)
        return (quadratic * normal).sum(1) + (linear[:, :, None, None] * normal).sum(1) + constant[:, None, None]

    def light_slope(self, normal: Tensor) -> Tensor:
        """``(3 colours, 3, H, W)``: how fast it grows with the normal."""
        quadratic, linear, _ = self._form(normal)
        return 2 * quadratic + linear[:, :, None, None]

    def _form(self, normal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quadratic, linear, constant = (part[0] for part in light_form(self.lighting[None]))
        return torch.einsum("cij,jhw->cihw", quadratic, normal), linear, constant


def colour_weights() -> Tensor:
    """``(3,)``, sum 1: of the logarithms of red, green and blue, the mean in which light counts fully and pigment
    least: melanin and blood take more of green and blue than of red."""
    pigment = torch.tensor(_PIGMENT)
    unlike = _GRAIN**2 * torch.eye(3) + _SPOTS**2 * pigment.T @ pigment
    weights = torch.linalg.solve(unlike, torch.ones(3))
    return weights / weights.sum()


def relief(ratio: Tensor, weight: Tensor, ground: Ground, pixel: float) -> tuple[Tensor, Tensor]:
    """Height in mm ``(H, W)`` and what it does to the logarithm of the light ``(3, H, W)``.

    The brightness of a slope follows from the light: s = −a·∂h/∂u − b·∂h/∂v + what lies deep is darker + pigment.
    Height is the mean of what is likely, given s, noise as large as the finest texture around, and slopes that are
    small but across creases; a mole is no crease. Where light falls straight onto the skin, a and b vanish, and nearly
    nothing is found; where pixels or texels are coarser than creases, nothing is.

    Args:
        ratio: ``(3, H, W)``, logarithm of the unlit photograph over a smooth albedo.
        weight: ``(1, H, W)`` in [0, 1], where that is plain skin.
        pixel: of the photograph, mm: its noise is as wide.
    """
    sizes = check_shape("the ratio", ratio, (3, "H", "W"))
    check_shape("the weight", weight, (1, sizes["H"], sizes["W"]))
    colours = colour_weights().to(ratio)
    u, v = (_on_plane(along, ground.normal) for along in (ground.along_u, ground.along_v))
    uu, uv, vv = ((one * two).sum(0) for one, two in ((u, u), (u, v), (v, v)))
    area = (uu * vv - uv * uv).clamp_min(1e-6)
    texel = float((area.sqrt() * weight[0]).sum() / weight.sum().clamp_min(1e-6)) or 1.0  # mm
    low, high = _FINE_ENOUGH
    weight = weight * min(1.0, max(0.0, (high - max(pixel, texel)) / (high - low)))
    light = ground.light(ground.normal)
    mean = ((light * weight).sum((1, 2), keepdim=True) / weight.sum().clamp_min(1e-6)).clamp_min(1e-3)
    low, high = _DARK
    weight = weight[0] * ((light / mean).amin(0) - low).div(high - low).clamp(0, 1)
    pull = (ground.light_slope(ground.normal) / light.clamp_min(1e-2)[:, None] * colours[:, None, None, None]).sum(0)
    pull_u, pull_v = (pull * u).sum(0), (pull * v).sum(0)
    shading = (vv * pull_u - uv * pull_v) / area, (uu * pull_v - uv * pull_u) / area
    bright = _narrow((ratio * colours[:, None, None]).sum(0), weight, _odd(_WIDE / texel))
    noise = _texture(bright, weight, max(3, _odd(_PIXELS * pixel / texel)), _odd(_AROUND / texel))
    sure = weight / (_PLAIN**2 + (_NOISE * noise) ** 2)
    usual = vv / area / _STEEP**2, -uv / area / _STEEP**2, uu / area / _STEEP**2
    height = _solved(bright, sure, shading, usual, torch.zeros_like(bright), _ROUNDS[0])
    across = _across_creases(height, (uu, uv, vv), _odd(_BESIDE / texel))
    left = bright + shading[0] * _du(height) + shading[1] * _dv(height) - _DEEP * height
    sure = sure / (1 + left.square() * sure / _STRANGE**2)
    height = _solved(bright, sure, shading, across, height, _ROUNDS[1])
    tilted = unit_planes((ground.normal - _gradient(height, u, v, (uu, uv, vv), area))[None])[0]
    least = 1e-2 * mean
    return height, torch.log(torch.maximum(ground.light(tilted), least) / torch.maximum(light, least))


def _gradient(height: Tensor, u: Tensor, v: Tensor, metric: tuple[Tensor, ...], area: Tensor) -> Tensor:
    """``(3, H, W)``: rise over run along the surface."""
    (uu, uv, vv), hu, hv = metric, _du(height), _dv(height)
    return u * ((vv * hu - uv * hv) / area) + v * ((uu * hv - uv * hu) / area)


def _on_plane(along: Tensor, normal: Tensor) -> Tensor:
    return along - (along * normal).sum(0, keepdim=True) * normal


def _odd(texels: float) -> int:
    return 2 * max(1, round(texels / 2)) + 1


def _narrow(values: Tensor, weight: Tensor, width: int) -> Tensor:
    """``values (H, W)`` without what is wider than ``width`` texels."""
    both = torch.stack([values * weight, weight])[None]
    for _ in range(3):
        both = box_mean(both, width)
    return (values - both[0, 0] / both[0, 1].clamp_min(1e-3)) * (weight > 0)


def _texture(values: Tensor, weight: Tensor, finest: int, width: int) -> Tensor:
    """``(H, W)``: mean size of what is finer than ``finest`` texels, within ``width`` texels."""
    fine = (values - box_mean(values[None, None], finest)[0, 0]).abs().clamp(max=0.1)
    both = torch.stack([fine * weight, weight])[None]
    for _ in range(2):
        both = box_mean(both, width)
    return both[0, 0] / both[0, 1].clamp_min(1e-3)


def _across_creases(height: Tensor, metric: tuple[Tensor, ...], width: int) -> tuple[Tensor, ...]:
    """How unlikely slopes are, coefficients of h_u², h_u·h_v and h_v²: less so across the creases of ``height (H, W)``,
    that is where slopes around are parallel. In round spots and in noise they point everywhere."""
    hu, hv = _du(height), _dv(height)
    square = torch.stack([hu * hu, hu * hv, hv * hv])[None]
    for _ in range(2):
        square = box_mean(square, width)
    su, sx, sv = square[0]
    half, apart = (su + sv) / 2, (su - sv) / 2
    every_way = (half - (apart * apart + sx * sx).sqrt()).clamp_min(0)
    more, least = _CREASE
    cu, cx, cv = (
        more * own + least**2 * m for own, m in zip((su - every_way, sx, sv - every_way), metric, strict=True)
    )
    whole = (cu * cv - cx * cx).clamp_min(1e-12)
    return cv / whole, -cx / whole, cu / whole


def _solved(
    bright: Tensor,
    sure: Tensor,
    shading: tuple[Tensor, Tensor],
    unlikely: tuple[Tensor, ...],
    height: Tensor,
    rounds: int,
) -> Tensor:
    """The height ``(H, W)`` that minimises Σ sure·(bright + a·h_u + b·h_v − deep·h)² + ∇hᵀ·unlikely·∇h + (h / high)²,
    by conjugate gradients from ``height`` on."""
    (a, b), (puu, puv, pvv) = shading, unlikely

    def gone(rest: Tensor) -> Tensor:
        return _du_back(a * rest) + _dv_back(b * rest) - _DEEP * rest

    def system(h: Tensor) -> Tensor:
        u, v = _ahead_u(h), _ahead_v(h)
        smooth = _ahead_u_back(puu * u + puv * v) + _ahead_v_back(puv * u + pvv * v)
        return gone(sure * (a * _du(h) + b * _dv(h) - _DEEP * h)) + smooth + h / _HIGH**2

    scale = sure * ((a * a + b * b) / 2 + _DEEP**2) + 2 * (puu + pvv) + 1 / _HIGH**2
    rest = gone(-sure * bright) - system(height)
    step = rest / scale
    along, size = step, (rest * step).sum()
    for _ in range(rounds):
        moved = system(along)
        far = size / (along * moved).sum().clamp_min(1e-20)
        height, rest = height + far * along, rest - far * moved
        step = rest / scale
        size, before = (rest * step).sum(), size
        along = step + size / before.clamp_min(1e-20) * along
    return height


# Differences on texels and their adjoints: central ones see the light, those to the next texel keep the height smooth.


def _du(h: Tensor) -> Tensor:
    return F.pad((h[:, 2:] - h[:, :-2]) / 2, (1, 1))


def _dv(h: Tensor) -> Tensor:
    return F.pad((h[2:] - h[:-2]) / 2, (0, 0, 1, 1))


def _du_back(x: Tensor) -> Tensor:
    inner = x[:, 1:-1] / 2
    return F.pad(inner, (2, 0)) - F.pad(inner, (0, 2))


def _dv_back(x: Tensor) -> Tensor:
    inner = x[1:-1] / 2
    return F.pad(inner, (0, 0, 2, 0)) - F.pad(inner, (0, 0, 0, 2))


def _ahead_u(h: Tensor) -> Tensor:
    return F.pad(h[:, 1:] - h[:, :-1], (0, 1))


def _ahead_v(h: Tensor) -> Tensor:
    return F.pad(h[1:] - h[:-1], (0, 0, 0, 1))


def _ahead_u_back(x: Tensor) -> Tensor:
    return F.pad(x[:, :-1], (1, 0)) - F.pad(x[:, :-1], (0, 1))


def _ahead_v_back(x: Tensor) -> Tensor:
    return F.pad(x[:-1], (0, 0, 1, 0)) - F.pad(x[:-1], (0, 0, 0, 1))
