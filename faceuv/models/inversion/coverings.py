"""Things before a face that are not on its skin: a fringe, hair beside the face, loose strands, spectacles. They are
drawn over pictures in training, so that a branch learns not to copy them onto the maps."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from faceuv.checks import check_shape, check_shares
from faceuv.synthetic.seeds import combine, normals, uniforms

_KINDS = ("sides", "fringe", "strands", "glasses")  # from behind to the front
_SOFT = 1.0  # pixels over which an edge fades
_STRANDS, _COLUMNS, _POINTS = 3, 12, 4  # loose strands; noise across a lock; points of a strand
_DARK, _BROWN, _FAIR, _RED, _GREY = (
    (0.09, 0.07, 0.07), (0.30, 0.19, 0.12), (0.80, 0.63, 0.38), (0.62, 0.28, 0.12), (0.70, 0.69, 0.68),
)  # fmt: skip


@dataclass(frozen=True)
class CoveringShares:
    """The share of pictures with each thing before the face, in [0, 1], ``coverings=dict(fringe=0.3)``; 0 by default.

    sides    hair that hangs beside the face and over its edges
    fringe   hair over the forehead
    strands  up to three loose strands anywhere over the face
    glasses  spectacles: rims, bridge, temples, clear or dark lenses
    """

    sides: float = 0.0
    fringe: float = 0.0
    strands: float = 0.0
    glasses: float = 0.0

    def __post_init__(self) -> None:
        check_shares("coverings", self)

    @property
    def any(self) -> bool:
        """Whether there is anything to draw."""
        return any(getattr(self, f.name) > 0 for f in fields(self))


class _Axes(NamedTuple):
    """Pixels in the axes of each face: ``x`` to the picture's right and ``y`` down along the face ``(B, H, W)``, from
    the middle between the eyes, in units of about the distance of the eyes; ``points (B, 68, 2)`` likewise; ``soft``
    units per pixel ``(B, 1, 1)``."""

    x: Tensor
    y: Tensor
    points: Tensor
    soft: Tensor


@torch.no_grad()
def cover(images: Tensor, points: Tensor, seeds: Tensor, shares: CoveringShares) -> tuple[Tensor, Tensor]:
    """``images (B, 3, H, W)`` with things before the faces at ``points (B, 68, 2)`` pixels, and how much of each pixel
    they cover ``(B, 1, H, W)``; those of a picture depend on its seed ``(B,)`` int64 alone."""
    sizes = check_shape("images", images, ("B", 3, "H", "W"))
    check_shape("points", points, (sizes["B"], 68, 2))
    check_shape("seeds", seeds, (sizes["B"],))
    seeds = seeds.to(images.device)
    axes = _axes(points.to(images), sizes["H"], sizes["W"])
    chosen = uniforms(combine(seeds, 5), (len(_KINDS),))
    hair = _hair_colour(combine(seeds, 6))
    covered = torch.zeros_like(images[:, :1])
    for k, kind in enumerate(_KINDS):
        there = (chosen[:, k] < getattr(shares, kind)).to(images)[:, None, None, None]
        if bool((there > 0).any()):
            alpha, colour = _MAKERS[kind](axes, combine(seeds, 11 + k), hair)
            alpha = alpha[:, None] * there
            images = torch.lerp(images, colour.clamp(0, 1), alpha)
            covered = covered + alpha * (1 - covered)
    return images, covered


def _axes(points: Tensor, height: int, width: int) -> _Axes:
    middle, chin = points[:, 36:48].mean(1), points[:, 8]
    length = torch.linalg.vector_norm(chin - middle, dim=1).clamp_min(1e-3)
    down, unit = (chin - middle) / length[:, None], 0.6 * length
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack([x, y], 2).to(points)

    def inside(place: Tensor) -> tuple[Tensor, Tensor]:
        wide = (slice(None), *([None] * (place.ndim - 2)))
        away = place - middle[wide]
        across = away[..., 0] * down[:, 1][wide] - away[..., 1] * down[:, 0][wide]
        along = away[..., 0] * down[:, 0][wide] + away[..., 1] * down[:, 1][wide]
        return across / unit[wide], along / unit[wide]

    own = inside(pixels.expand(len(points), -1, -1, -1))
    return _Axes(*own, torch.stack(inside(points), 2), (_SOFT / unit)[:, None, None])


def _wide(value: Tensor) -> Tensor:
    return value[:, None, None]


def _between(numbers: Tensor, low: float, high: float) -> Tensor:
    """``(B, 1, 1)``."""
    return _wide(low + (high - low) * numbers)


def _hair_colour(seeds: Tensor) -> Tensor:
    """``(B, 3)``: dark and brown ones most often."""
    numbers = uniforms(seeds, (4,))
    table = numbers.new_tensor([_DARK, _DARK, _BROWN, _BROWN, _FAIR, _RED, _GREY])
    first, second = ((numbers[:, k] * len(table)).long() for k in (0, 1))
    return torch.lerp(table[first], table[second], 0.5 * numbers[:, 2:3]) * (0.6 + 0.6 * numbers[:, 3:4])


def _line(noise: Tensor, place: Tensor, reach: float) -> Tensor:
    """Noise ``(B, N)`` along a line, read at ``place (B, H, W)`` in ± ``reach``."""
    grid = torch.stack([place / reach, torch.zeros_like(place)], 3)
    read = torch.nn.functional.grid_sample(noise[:, None, None], grid, padding_mode="border", align_corners=True)
    return read[:, 0]


def _locks(axes: _Axes, seeds: Tensor, hair: Tensor) -> Tensor:
    """Hair that hangs down ``(B, 3, H, W)``: streaks of light and shade."""
    fine, clump = normals(combine(seeds, 1), (48,)), normals(combine(seeds, 2), (_COLUMNS,))
    bent = axes.x + 0.15 * torch.sin(2 * axes.y + 6 * _wide(uniforms(seeds, (1,))[:, 0]))
    tone = 1 + 0.12 * _line(fine, bent, 2.0) + 0.12 * _line(clump, bent, 2.0)
    light = 0.85 + 0.25 * (-(axes.y + 0.6).square()).exp()
    return hair[:, :, None, None] * (tone * light)[:, None]


def _sides(axes: _Axes, seeds: Tensor, hair: Tensor) -> tuple[Tensor, Tensor]:
    numbers = uniforms(seeds, (8,))
    alpha = torch.zeros_like(axes.x)
    for side, k in ((-1.0, 0), (1.0, 1)):
        jaw = (side * axes.points[:, :17, 0]).amax(1)  # how far the face reaches to that side
        edge = _wide(jaw * (1.05 - 0.55 * numbers[:, k])) + 0.25 * axes.y.clamp(-1.5, 0)  # closer at the forehead
        edge = edge + 0.08 * _line(normals(combine(seeds, 20 + k), (9,)), axes.y, 2.5)
        inside = (side * axes.x - edge) / axes.soft + 0.5
        end = (_between(numbers[:, 2], 0.2, 2.6) - axes.y) / axes.soft
        beyond = (_wide(jaw) + 0.45 - side * axes.x) / axes.soft  # a lock, not all of the background
        on = _wide((numbers[:, 3 + k] < 0.8).to(alpha))
        one = inside.clamp(0, 1) * end.clamp(0, 1) * beyond.clamp(0, 1) * on
        alpha = torch.maximum(alpha, one)
    return alpha, _locks(axes, seeds, hair)


def _fringe(axes: _Axes, seeds: Tensor, hair: Tensor) -> tuple[Tensor, Tensor]:
    numbers = uniforms(seeds, (4,))
    edge = _between(numbers[:, 0], -0.95, 0.05) + _between(numbers[:, 1], -0.35, 0.35) * axes.x
    edge = edge - _between(numbers[:, 2], -0.1, 0.25) * axes.x.square()
    edge = edge + 0.09 * _line(normals(combine(seeds, 20), (24,)), axes.x, 1.6)
    below = (edge - axes.y) / axes.soft + 0.5
    left, right = axes.points[:, :17, 0].amin(1), axes.points[:, :17, 0].amax(1)
    across = torch.minimum(axes.x - _wide(left) + 0.25, _wide(right) + 0.25 - axes.x) / axes.soft
    return below.clamp(0, 1) * across.clamp(0, 1), _locks(axes, seeds, hair)


def _strands(axes: _Axes, seeds: Tensor, hair: Tensor) -> tuple[Tensor, Tensor]:
    alpha = torch.zeros_like(axes.x)
    for k in range(_STRANDS):
        numbers = uniforms(combine(seeds, 30 + k), (5 + _POINTS,))
        x, y = 2.4 * numbers[:, 0] - 1.2, 1.6 * numbers[:, 1] - 1.2
        heading = math.pi / 2 + 1.4 * (numbers[:, 2] - 0.5)  # mostly downward
        width = _between(numbers[:, 3], 0.02, 0.12)
        on = _wide((numbers[:, 4] < 0.7).to(alpha))
        for point in range(_POINTS):
            heading = heading + 0.9 * (numbers[:, 5 + point] - 0.5)
            after = (x + 0.4 * heading.cos(), y + 0.4 * heading.sin())
            away = _segment(axes, (x, y), after)
            alpha = torch.maximum(alpha, ((width - away) / axes.soft + 0.5).clamp(0, 1) * on)
            x, y = after
    return alpha, _locks(axes, seeds, hair)


def _glasses(axes: _Axes, seeds: Tensor, hair: Tensor) -> tuple[Tensor, Tensor]:
    numbers = uniforms(seeds, (12,))
    thin = _between(numbers[:, 0].square(), 0.02, 0.08)
    eyes = [axes.points[:, run].mean(1) for run in (slice(36, 42), slice(42, 48))]  # left in the picture first
    apart = (eyes[1] - eyes[0]).norm(dim=1)
    wide, high = apart * (0.34 + 0.12 * numbers[:, 1]), 0.26 + 0.22 * numbers[:, 2]
    power = 2 + 2.5 * numbers[:, 3]
    low = 0.1 * numbers[:, 4]
    rims, lenses = torch.zeros_like(axes.x), torch.zeros_like(axes.x)
    for eye in eyes:
        u = ((axes.x - _wide(eye[:, 0])) / _wide(wide.clamp_min(0.05))).abs()
        v = ((axes.y - _wide(eye[:, 1] + low)) / _wide(high)).abs()
        size = (u ** _wide(power) + v ** _wide(power)).clamp_min(1e-9) ** _wide(1 / power)
        away = (size - 1) * _wide(torch.minimum(wide, high))
        rims = torch.maximum(rims, ((thin - away.abs()) / axes.soft + 0.5).clamp(0, 1))
        lenses = torch.maximum(lenses, (-away / axes.soft + 0.5).clamp(0, 1))
    level = eyes[0][:, 1] + low - 0.3 * high, eyes[1][:, 1] + low - 0.3 * high
    inner = (eyes[0][:, 0] + wide, level[0]), (eyes[1][:, 0] - wide, level[1])
    lines = [_segment(axes, *inner)]
    for k, side, corner in ((0, -1.0, 0), (1, 1.0, 16)):
        ear = axes.points[:, corner]
        lines.append(_segment(axes, (eyes[k][:, 0] + side * wide, level[k]), (ear[:, 0], ear[:, 1] - 0.1)))
    for away in lines:
        rims = torch.maximum(rims, ((thin - away) / axes.soft + 0.5).clamp(0, 1))
    dark = torch.where(numbers[:, 5] < 0.12, 0.75 + 0.2 * numbers[:, 6], 0.12 * numbers[:, 6])
    frame = numbers[:, 7:10] * torch.where(numbers[:, 10:11] < 0.7, 0.25, 0.9)
    glass = 0.1 + 0.9 * (numbers[:, 11:12] < 0.5).to(frame) * (dark[:, None] < 0.5)  # dark, or a bright gleam
    alpha = torch.maximum(rims, lenses * _wide(dark))
    share = (rims / alpha.clamp_min(1e-6))[:, None].clamp(0, 1)
    return alpha, torch.lerp(glass[:, :, None, None].expand(-1, 3, -1, -1), frame[:, :, None, None], share)


def _segment(axes: _Axes, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    """``(B, H, W)``: distance to the line from ``a`` to ``b``, each ``(B,)`` twice."""
    along = _wide(b[0] - a[0]), _wide(b[1] - a[1])
    away = axes.x - _wide(a[0]), axes.y - _wide(a[1])
    length = (along[0].square() + along[1].square()).clamp_min(1e-9)
    share = ((away[0] * along[0] + away[1] * along[1]) / length).clamp(0, 1)
    return torch.hypot(away[0] - share * along[0], away[1] - share * along[1])


_MAKERS = {"sides": _sides, "fringe": _fringe, "strands": _strands, "glasses": _glasses}
