"""Resampling with the binomial filter [1, 3, 3, 1], zero beyond the border.

Every function is one depthwise convolution: of the forms tried (4×4 depthwise, two separable passes, sums of slices,
one-channel convolutions, filters folded into the layer's weights), it was the fastest on the CPU, forward and
backward; ``docs/stylegan2.md`` has the figures.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

TAPS = (1.0, 3.0, 3.0, 1.0)


@lru_cache(maxsize=16)
def _taps(device: torch.device, dtype: torch.dtype, gain: float) -> Tensor:
    """The normalised 4×4 kernel ``(1, 1, 4, 4)`` times ``gain``."""
    with torch.inference_mode(False):  # a cached inference tensor could not take part in a later backward pass
        row = torch.tensor(TAPS, dtype=torch.float64, device=device)
        return (torch.outer(row, row) * (gain / row.sum() ** 2)).to(dtype)[None, None]


def _kernel(x: Tensor, gain: float) -> Tensor:
    # A compiled graph makes the kernel again, as a constant of the graph: tracing does not see through a cache.
    taps = _taps.__wrapped__ if torch.compiler.is_compiling() else _taps
    return taps(x.device, x.dtype, gain).expand(x.shape[1], 1, len(TAPS), len(TAPS))


def blur(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """Filter ``x (B, C, H, W)`` at its own resolution, after ``padding`` zeros on every side.

    Returns ``(B, C, H + 2·padding − 3, W + 2·padding − 3)``.
    """
    return F.conv2d(x, _kernel(x, gain), padding=padding, groups=x.shape[1])


def downsample(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` → ``(B, C, H/2, W/2)``."""
    return F.conv2d(x, _kernel(x, 1.0), padding=1, stride=2, groups=x.shape[1])


def upsample(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` → ``(B, C, 2H, 2W)``; brightness is kept, save for the outermost pixels, which see zeros."""
    return F.conv_transpose2d(x, _kernel(x, 4.0), padding=1, stride=2, groups=x.shape[1])
