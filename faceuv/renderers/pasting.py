"""Pastes a rendered face into an image without a visible seam."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_floating, check_same_device, check_shape
from faceuv.errors import InputError
from faceuv.renderers.compositing import composite

Seam = Literal["hard", "feather", "laplacian"]
SEAMS: tuple[Seam, ...] = ("hard", "feather", "laplacian")
WIDTH = 1 / 32  # of the picture's shorter side

_KERNEL = (1 / 8, 3 / 8, 3 / 8, 1 / 8)  # binomial; with an even number of taps, pyramids of even sides do not shift
_LEAST = 1e-6  # coverage below which nothing is known of a colour


def paste(
    render: Tensor, mask: Tensor, background: Tensor, *, seam: Seam = "feather", width: float | None = None
) -> Tensor:
    """A render over an image ``(B, 3, H, W)``; differentiable in render, mask and background.

    The transition lies inside the silhouette, so that nothing of the black around a render gets in, and what lies
    outside of it stays the image's.

    Args:
        render: ``(B, 3, H, W)``, already multiplied by its mask: what a renderer gives over black.
        mask: coverage ``(B, 1, H, W)`` in [0, 1].
        background: ``(B or 1, 3, H, W)``.
        seam: ``"hard"`` ends the render at its silhouette; ``"feather"`` lets it fade in over ``width``;
            ``"laplacian"`` lets each scale fade in over its own width, ``width`` for the coarsest (Burt and Adelson's
            multi-band blending of the difference): fine detail keeps its edge, and a difference of tone has none.
        width: of the transition in pixels; a thirty-second of the shorter side if absent.
    """
    sizes = check_shape("render", render, ("B", 3, "H", "W"))
    check_shape("mask", mask, (sizes["B"], 1, sizes["H"], sizes["W"]))
    check_floating("render", render)
    check_shape("background", background, ("N", 3, sizes["H"], sizes["W"]))
    if background.shape[0] not in (1, sizes["B"]):
        raise InputError(f"background must have batch {sizes['B']} (or 1) like the render, got {background.shape[0]}")
    check_same_device(render=render, mask=mask, background=background)
    if seam not in SEAMS:
        raise InputError(f"seam must be one of {', '.join(map(repr, SEAMS))}, got {seam!r}")
    width = WIDTH * min(sizes["H"], sizes["W"]) if width is None else float(width)
    if not (math.isfinite(width) and width > 0):
        raise InputError(f"width must be a positive number of pixels, got {width}")
    if seam == "hard":
        return composite(render, mask, background)
    if seam == "feather":
        ramp = fade(mask, width)
        return composite(render * ramp, mask * ramp, background)
    # Half way in, the finest scale changes at once; the coarsest does within a quarter of the width, give or take.
    inner = mask * fade(mask, width, sharp=True)
    difference = _extend(render - mask * background, mask)
    return background + _blend(difference, inner, levels=max(0, round(math.log2(width / 4))))


def fade(mask: Tensor, width: float, *, sharp: bool = False) -> Tensor:
    """How far inside a mask ``(B, 1, H, W)`` each pixel lies: 0 at the silhouette and outside, 1 from ``width`` pixels
    on, smooth between them; with ``sharp`` it rises at half the width. The border of the image is no silhouette."""
    radius = max(1, math.ceil(width))
    # a tent of half width `radius`: what it averages over a straight edge reaches 1 just there
    tent = torch.arange(1, radius + 1, device=mask.device, dtype=mask.dtype)
    kernel = torch.cat([tent, tent[:-1].flip(0)])
    soft = _filter(mask, kernel / kernel.sum(), before=radius - 1, after=(radius - 1, radius - 1))
    # half way in, the tent averages 7/8
    inside = ((soft - 7 / 8) * max(radius, 4) + 0.5 if sharp else 2 * soft - 1).clamp(0, 1)
    return inside * inside * (3 - 2 * inside)


def fill(picture: Tensor, known: Tensor, *, sweeps: int = 8) -> Tensor:
    """The image ``(B, 3, H, W)`` where ``known (B, 1, H, W)`` is 1; where it is 0, a smooth membrane between the known
    pixels.

    Solved from coarse to fine: each scale starts from the one before and takes every unknown pixel to the mean of its
    four neighbours, ``sweeps`` times. An image without a known pixel becomes black.
    """
    sizes = check_shape("picture", picture, ("B", 3, "H", "W"))
    check_shape("known", known, (sizes["B"], 1, sizes["H"], sizes["W"]))
    return _membrane(picture * known, known, sweeps)


def _membrane(premultiplied: Tensor, known: Tensor, sweeps: int) -> Tensor:
    height, width = premultiplied.shape[2:]
    if max(height, width) == 1:
        return premultiplied / known.clamp_min(_LEAST)
    filled = _up(_membrane(_down(premultiplied), _down(known), sweeps), height, width)
    for sweep in range(sweeps + 1):
        if sweep:
            around = F.pad(filled, (1, 1, 1, 1), mode="replicate")
            filled = (
                around[:, :, :-2, 1:-1] + around[:, :, 2:, 1:-1] + around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:]
            ) / 4
        filled = premultiplied + (1 - known) * filled
    return filled


def _extend(premultiplied: Tensor, mask: Tensor) -> Tensor:
    """Values known where ``mask`` > 0, continued everywhere: what is not known is taken from the next coarser scale,
    whose pixels are means of what is known (pull and push)."""
    height, width = premultiplied.shape[2:]
    if max(height, width) == 1:
        return premultiplied / mask.clamp_min(_LEAST)
    return premultiplied + (1 - mask) * _up(_extend(_down(premultiplied), _down(mask)), height, width)


def _blend(difference: Tensor, mask: Tensor, levels: int) -> Tensor:
    """``difference`` times ``mask`` at every scale: the Laplacian pyramid of the one times the Gaussian pyramid of the
    other, summed up again."""
    height, width = difference.shape[2:]
    if levels == 0 or max(height, width) == 1:
        return difference * mask
    coarse = _down(difference)
    detail = difference - _up(coarse, height, width)
    return detail * mask + _up(_blend(coarse, _down(mask), levels - 1), height, width)


def _down(image: Tensor) -> Tensor:
    """Half the size, ``(B, C, ⌈H/2⌉, ⌈W/2⌉)``: means over four pixels, whose centre is that of a pair."""
    height, width = image.shape[2:]
    return _filter(image, image.new_tensor(_KERNEL), before=1, after=(1 + height % 2, 1 + width % 2), step=2)


def _up(image: Tensor, height: int, width: int) -> Tensor:
    """Twice the size, cut to ``height`` and ``width``; linear between the centres of pairs."""
    large = F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
    return large[:, :, :height, :width]


def _filter(image: Tensor, kernel: Tensor, *, before: int, after: tuple[int, int], step: int = 1) -> Tensor:
    """Separable convolution of ``(B, C, H, W)``; beyond its border an image goes on as it ends."""
    channels = image.shape[1]
    image = F.pad(image, (before, after[1], before, after[0]), mode="replicate")
    rows = F.conv2d(image, kernel.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1), stride=(step, 1), groups=channels)
    return F.conv2d(rows, kernel.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1), stride=(1, step), groups=channels)
