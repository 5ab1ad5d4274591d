"""Folds and wrinkles: what is narrow in a photograph's brightness is split into relief, which its light shades, and
pigment, which stays a colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.boxes import box_max, box_mean
from faceuv.geometry.lighting import light_form
from faceuv.geometry.uv import unit_planes

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
_SPOT = 1.2  # mm, of a mole's radius
_DARK_SPOT = (0.006, 0.02)  # of log brightness, in which a spot is darker than all around it: skin, a mole
_OTHER_COLOUR = 0.08  # of the logarithm of red over blue: half skin
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


def colour_weights(grain: float = _GRAIN) -> Tensor:
    """``(3,)``, sum 1: of the logarithms of red, green and blue, the mean in which light counts fully and pigment
    least: melanin and blood take more of green and blue than of red. The less ``grain`` a channel has of its own, the
    less pigment counts."""
    pigment = torch.tensor(_PIGMENT)
    unlike = grain**2 * torch.eye(3) + _SPOTS**2 * pigment.T @ pigment
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
    weight = weight * _unspotted(ratio, bright, weight, texel)
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


def _unspotted(ratio: Tensor, bright: Tensor, weight: Tensor, texel: float) -> Tensor:
    """``(H, W)`` in [0, 1]: not what has another colour than the skin around, and not round dark spots either: moles,
    stubble, which a picture without colours shows as well."""
    colour = _narrow(ratio[0] - ratio[2], weight, _odd(_WIDE / texel))
    soft = torch.stack([colour, bright])[None]
    for _ in range(2):
        soft = box_mean(soft, _odd(2 * _SPOT / texel))
    colour, bright = soft[0]
    around = F.pad(bright[None, None], (1,) * 4, mode="replicate")[0, 0]
    height, width = bright.shape

    def beside(down: int, right: int) -> Tensor:
        return around[1 + down :, 1 + right :][:height, :width]

    across, down = ((beside(k, 1 - k) + beside(-k, k - 1)) / 2 - bright for k in (0, 1))
    twist = (beside(1, 1) + beside(-1, -1) - beside(1, -1) - beside(-1, 1)) / 8
    dent = (across + down) / 2 - ((across - down).square() / 4 + twist * twist).sqrt()  # the least way up from here
    low, high = _DARK_SPOT
    spot = box_max(
        ((dent * (_SPOT / texel) ** 2 - low) / (high - low)).clamp(0, 1)[None, None], _odd(4 * _SPOT / texel)
    )[0, 0]
    return (1 - spot) / (1 + (colour / _OTHER_COLOUR).square())


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
    by conjugate gradients from ``height`` on. Slopes are those of cells between four texels."""
    cells = torch.stack([bright, sure, *shading, *unlikely])
    cells = (cells[:, :-1] + cells[:, 1:]) / 2
    bright, sure, a, b, puu, puv, pvv = (cells[:, :, :-1] + cells[:, :, 1:]) / 2
    corners = [(u * a + v * b) / 2 - _DEEP / 4 for v in (-1, 1) for u in (-1, 1)]
    system = _Stencil.of(sure, corners, puu, puv, pvv)
    rest = -system(height)
    for corner, part in zip(corners, _corners(rest)):
        part.addcmul_(corner, sure * bright, value=-1)
    step = rest / system.own
    along, size = step, (rest * step).sum()
    for _ in range(rounds):
        moved = system(along)
        far = size / (along * moved).sum().clamp_min(1e-20)
        height, rest = height + far * along, rest - far * moved
        step = rest / system.own
        size, before = (rest * step).sum(), size
        along = step + size / before.clamp_min(1e-20) * along
    return height


@dataclass(frozen=True, eq=False)
class _Stencil:
    """A symmetric matrix over texels: what ties each to itself, to the next one in its row, to the one below, and to
    those below on the right and on the left."""

    own: Tensor
    right: Tensor
    below: Tensor
    below_right: Tensor
    below_left: Tensor

    @classmethod
    def of(cls, sure: Tensor, corners: list[Tensor], puu: Tensor, puv: Tensor, pvv: Tensor) -> _Stencil:
        """Of cells that see light by their four ``corners``, with slopes as unlikely as ``puu``, ``puv``, ``pvv``; all
        ``(H − 1, W − 1)``. A row's slopes are counted along both its sides, so that no pattern is free of cost."""
        one, two, three, four = corners
        height, width = sure.shape[0] + 1, sure.shape[1] + 1
        own = sure.new_full((height, width), 1 / _HIGH**2)
        for corner, part, sign in zip(corners, _corners(own), (1, -1, -1, 1)):
            part += sure * corner * corner + (puu + pvv + sign * puv) / 2
        right, below = sure.new_zeros(height, width - 1), sure.new_zeros(height - 1, width)
        right[:-1] += sure * one * two - puu / 2
        right[1:] += sure * three * four - puu / 2
        below[:, :-1] += sure * one * three - pvv / 2
        below[:, 1:] += sure * two * four - pvv / 2
        return cls(own, right, below, sure * one * four - puv / 2, sure * two * three + puv / 2)

    def __call__(self, h: Tensor) -> Tensor:
        found = self.own * h
        first, second, third, fourth = _corners(h)
        one, two, three, four = _corners(found)
        found[:, :-1].addcmul_(self.right, h[:, 1:])
        found[:, 1:].addcmul_(self.right, h[:, :-1])
        found[:-1].addcmul_(self.below, h[1:])
        found[1:].addcmul_(self.below, h[:-1])
        one.addcmul_(self.below_right, fourth)
        four.addcmul_(self.below_right, first)
        two.addcmul_(self.below_left, third)
        three.addcmul_(self.below_left, second)
        return found


def _corners(x: Tensor) -> tuple[Tensor, ...]:
    """Views ``(H − 1, W − 1)``: of each cell the texels on its upper left, upper right, lower left and lower right."""
    return x[:-1, :-1], x[:-1, 1:], x[1:, :-1], x[1:, 1:]


def _du(h: Tensor) -> Tensor:
    return F.pad((h[:, 2:] - h[:, :-2]) / 2, (1, 1))


def _dv(h: Tensor) -> Tensor:
    return F.pad((h[2:] - h[:-2]) / 2, (0, 0, 1, 1))
