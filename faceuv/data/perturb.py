"""Photographic perturbations of synthetic images, for networks that must work on photographs.

Points of an image keep their places. In order: occluders, exposure and colour, blur, a coarse sensor, noise, JPEG
compression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.checks import check_shape, check_shares
from faceuv.errors import InputError

Randomness = torch.Generator | Tensor | Sequence[int]
"""A generator, from which each picture gets a seed, or the seeds themselves, one of each picture."""

# Ranges at full strength; lengths are shares of the picture's shorter side.
_OCCLUDER = (0.05, 0.22)  # half sizes
_GAIN, _GAMMA, _CONTRAST, _SATURATION, _BALANCE = 0.45, 0.5, 0.35, 0.7, 0.12  # log2 or share, either way
_GREY_SHARE = 0.12  # of the recoloured pictures: black and white
_BLUR = (0.004, 0.022)  # σ along the long axis; the short axis is 0.35 … 1 of it
_BLUR_RADIUS = 4
_COARSEST = 0.375  # a coarse sensor has at least this share of the pixels of each side, and at least _LEAST_SIDE
_LEAST_SIDE = 24
_LEVELS = 6  # sensor sizes are rounded to this many, so that pictures of one size are resampled together
_NOISE = (0.008, 0.07)  # σ
_QUALITY = (18.0, 90.0)  # of the JPEG, on its usual scale
_NUMBERS = 48  # random numbers of a picture
# The example quantisation tables of the JPEG standard (ITU-T T.81, annex K), in rows
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, *(99,) * 32,
)  # fmt: skip
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@dataclass(frozen=True)
class Shares:
    """The share of images with each perturbation, in [0, 1]; ``strength`` 1 is the full range of each."""

    occlusion: float = 0.3
    colour: float = 0.8
    blur: float = 0.3
    resolution: float = 0.4
    noise: float = 0.4
    jpeg: float = 0.4
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_shares("perturbed pictures", self)


@torch.no_grad()
def perturb(
    images: Tensor, generator: Randomness, landmarks: Tensor | None = None, *, shares: Shares | None = None
) -> Tensor:
    """Perturbed ``images (B, 3, H, W)`` in [0, 1], the same shape; the result of an image depends on it and its
    seed alone, not on the batch.

    Args:
        generator: draws a seed for each image; or the seeds themselves, one per image.
        landmarks: ``(B, K, 2)`` pixels, over which occluders are placed; without them they are placed anywhere.
        shares: kinds, shares and strength of the perturbations.
    """
    sizes = check_shape("images", images, ("B", 3, "H", "W"))
    if landmarks is not None:
        check_shape("landmarks", landmarks, (sizes["B"], "K", 2))
    if not sizes["B"]:
        return images.clone()
    shares = shares or Shares()
    sources = [torch.Generator().manual_seed(seed) for seed in sample_seeds(generator, sizes["B"])]
    numbers = torch.stack([torch.rand(_NUMBERS, generator=source) for source in sources])
    draw = _Numbers(numbers.to(images.device), shares.strength)
    result = images.float()
    rows, drawn = draw.happens(shares.occlusion)
    if len(rows):
        places = None if landmarks is None else landmarks[rows]
        result = result.index_copy(0, rows, _occlude(result[rows], drawn, places))
    for share, step in ((shares.colour, _recolour), (shares.blur, _blur), (shares.resolution, _coarsen)):
        rows, drawn = draw.happens(share)
        if len(rows):
            result = result.index_copy(0, rows, step(result[rows], drawn))
    rows, drawn = draw.happens(shares.noise)
    if len(rows):
        grain = torch.stack([torch.randn(result.shape[1:], generator=sources[row]) for row in rows.tolist()])
        result = result.index_copy(0, rows, result[rows] + _noise(grain.to(result), drawn))
    rows, drawn = draw.happens(shares.jpeg)
    if len(rows):
        result = result.index_copy(0, rows, jpeg(result[rows].clamp(0, 1), drawn.between(*_QUALITY, hard=False)))
    return result.clamp(0, 1).to(images.dtype)


def sample_seeds(randomness: Randomness, count: int) -> list[int]:
    """One seed for each of ``count`` pictures."""
    if isinstance(randomness, torch.Generator):
        drawn = torch.randint(2**62, (count,), generator=randomness, device=randomness.device)
        return [int(seed) for seed in drawn.tolist()]
    seeds = [int(seed) for seed in randomness]
    if len(seeds) != count:
        raise InputError(f"expected a seed for each of {count} pictures, got {len(seeds)}")
    return seeds


class _Numbers:
    """Uniform numbers ``(B, N)``, taken column by column, and how hard to perturb."""

    def __init__(self, table: Tensor, strength: float) -> None:
        self.table, self.strength, self.used = table, strength, 0

    def take(self) -> Tensor:
        """``(B,)`` in [0, 1)."""
        self.used += 1
        return self.table[:, self.used - 1]

    def happens(self, share: float) -> tuple[Tensor, _Numbers]:
        """The rows with a perturbation, and their random numbers for it: always eight columns."""
        rows = (self.take() < share).nonzero()[:, 0]
        block = self.table[rows, self.used : self.used + 7]
        self.used += 7
        return rows, _Numbers(block, self.strength)

    def around(self, spread: float) -> Tensor:
        """``(B,)`` in ±spread, scaled by the strength."""
        return (2 * self.take() - 1) * spread * self.strength

    def between(self, low: float, high: float, *, hard: bool = True) -> Tensor:
        """``(B,)`` in the range; its hard end is the high or the low one, the strength shortens the way to it."""
        part = self.take() * self.strength
        return low + (high - low) * part if hard else high - (high - low) * part


def _occlude(image: Tensor, draw: _Numbers, landmarks: Tensor | None) -> Tensor:
    """A box or an ellipse, turned, of one colour of the picture with a gradient, laid over a landmark."""
    batch, _, height, width = image.shape
    side, rows = min(height, width), torch.arange(batch, device=image.device)
    place = draw.take()
    if landmarks is not None:
        centre = landmarks[rows, (place * landmarks.shape[1]).long()].to(image)
    else:
        centre = torch.stack([place * width, torch.frac(place * 97.0) * height], 1)
    half = torch.stack([draw.between(*_OCCLUDER), draw.between(*_OCCLUDER)], 1) * side
    angle, colour, shade = draw.take() * math.pi, draw.take(), draw.take() - 0.5
    y, x = torch.meshgrid(
        torch.arange(height, device=image.device) + 0.5, torch.arange(width, device=image.device) + 0.5, indexing="ij"
    )
    away = torch.stack([x, y])[None] - centre[:, :, None, None]
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    u = (away[:, 0] * cos + away[:, 1] * sin) / half[:, 0, None, None]
    v = (away[:, 1] * cos - away[:, 0] * sin) / half[:, 1, None, None]
    ellipse = (torch.frac(colour * 31.0) < 0.5)[:, None, None]
    reach = torch.where(ellipse, (u.square() + v.square()).sqrt(), torch.maximum(u.abs(), v.abs()))
    edge = half.amin(1)[:, None, None]  # pixels per unit of reach: the edge is about a pixel wide
    cover = ((1 - reach) * edge + 0.5).clamp(0, 1)[:, None]
    texel = (colour * height * width).long().clamp(max=height * width - 1)
    own = image.flatten(2)[rows, :, texel]
    fill = own[:, :, None, None] + (shade[:, None, None] * (u + v) * 0.4)[:, None]
    return torch.lerp(image, fill.clamp(0, 1), cover)


def _recolour(image: Tensor, draw: _Numbers) -> Tensor:
    """Exposure, gamma, contrast, saturation (down to grey) and white balance."""
    gain, gamma, contrast = (torch.exp2(draw.around(spread)) for spread in (_GAIN, _GAMMA, _CONTRAST))
    saturation, warm, tint = draw.around(_SATURATION), draw.around(_BALANCE), draw.around(_BALANCE / 2)
    grey_one = draw.take() < _GREY_SHARE * min(draw.strength, 1)
    balance = torch.stack([1 + warm, 1 + tint, 1 - warm], 1) * gain[:, None]
    result = (image * balance[:, :, None, None]).clamp(0, 1) ** gamma[:, None, None, None]
    grey = (result * result.new_tensor(_YCC[0])[:, None, None]).sum(1, keepdim=True)
    keep = torch.where(grey_one, torch.zeros_like(saturation), 1 + saturation)
    result = torch.lerp(grey.expand_as(result), result, keep[:, None, None, None])
    middle = grey.mean((2, 3), keepdim=True)
    return (middle + (result - middle) * contrast[:, None, None, None]).clamp(0, 1)


def _blur(image: Tensor, draw: _Numbers) -> Tensor:
    """A Gaussian, longer along one axis: out of focus to shaken."""
    batch, _, height, width = image.shape
    long = draw.between(*_BLUR) * min(height, width)
    short, angle = long * (0.35 + 0.65 * draw.take()), draw.take() * math.pi
    radius = min(_BLUR_RADIUS, height - 1, width - 1)
    steps = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    along, across = x * cos + y * sin, y * cos - x * sin
    # a σ below half a pixel is no blur; it must not be a division by nothing either
    scales = [sigma.clamp_min(0.2)[:, None, None] for sigma in (long, short)]
    kernel = torch.exp(-0.5 * ((along / scales[0]) ** 2 + (across / scales[1]) ** 2))
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    padded = F.pad(image, (radius,) * 4, mode="reflect").flatten(0, 1)[None]
    weight = kernel.repeat_interleave(3, 0)[:, None]
    return F.conv2d(padded, weight, groups=3 * batch)[0].unflatten(0, (batch, 3))


def _coarsen(image: Tensor, draw: _Numbers) -> Tensor:
    """Taken with fewer pixels and enlarged again."""
    height, width = image.shape[2:]
    least = max(_COARSEST, min(1.0, _LEAST_SIDE / min(height, width)))
    share = draw.between(least, 1.0, hard=False)
    level = ((share - least) / max(1 - least, 1e-6) * _LEVELS).long().clamp(0, _LEVELS - 1)
    smooth = draw.take() < 0.5
    result = image.clone()
    for number in level.unique().tolist():
        scale = least + (1 - least) * (number + 0.5) / _LEVELS
        size = [max(1, round(side * scale)) for side in (height, width)]
        for mode, chosen in (("bilinear", ~smooth), ("bicubic", smooth)):
            rows = ((level == number) & chosen).nonzero()[:, 0]
            if len(rows):
                small = F.interpolate(image[rows], size=size, mode="bilinear", antialias=True)
                result[rows] = F.interpolate(small, size=[height, width], mode=mode)
    return result


def _noise(grain: Tensor, draw: _Numbers) -> Tensor:
    """``grain (B, 3, H, W)`` standard normal → noise: more or less coloured, at times coarse-grained."""
    sigma, colour, coarse = draw.between(*_NOISE), draw.take(), draw.take() < 0.4
    one = grain.mean(1, keepdim=True) * math.sqrt(3)
    mixed = torch.lerp(one.expand_as(grain), grain, colour[:, None, None, None])
    wide = F.avg_pool2d(mixed, 3, stride=1, padding=1, count_include_pad=False) * 2.0
    return torch.where(coarse[:, None, None, None], wide, mixed) * sigma[:, None, None, None]


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """``image (B, 3, H, W)`` in [0, 1] as JPEG of ``quality (B,)`` in 1 … 100 would keep it, without subsampled colour:
    8 × 8 cosine blocks, rounded to the standard's quantisation steps."""
    height, width = image.shape[2:]
    padded = F.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")
    matrix = image.new_tensor(_YCC)
    levels = torch.einsum("dc,bchw->bdhw", matrix, padded * 255)
    levels = levels - levels.new_tensor([128.0, 0.0, 0.0])[:, None, None]
    blocks = levels.unflatten(3, (-1, 8)).unflatten(2, (-1, 8))  # b c y i x j
    cosine = _cosines(image)
    table = image.new_tensor([_LUMA, _CHROMA, _CHROMA]).unflatten(1, (8, 8))
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    step = ((table * percent[:, None, None, None] + 50) / 100).floor().clamp(1, 255)[:, :, None, :, None, :]
    found = torch.einsum("ui,bcyixj,vj->bcyuxv", cosine, blocks, cosine)
    found = (found / step).round() * step
    blocks = torch.einsum("ui,bcyuxv,vj->bcyixj", cosine, found, cosine)
    levels = blocks.flatten(4, 5).flatten(2, 3) + levels.new_tensor([128.0, 0.0, 0.0])[:, None, None]
    result = torch.einsum("dc,bchw->bdhw", torch.linalg.inv(matrix), levels) / 255
    return result[:, :, :height, :width].clamp(0, 1)


def _cosines(like: Tensor) -> Tensor:
    """The orthonormal 8 × 8 cosine transform."""
    k = torch.arange(8, device=like.device, dtype=like.dtype)
    rows = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    return torch.cat([rows[:1] / math.sqrt(2), rows[1:]])
