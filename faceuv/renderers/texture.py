"""Per-pixel texture look-up."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from faceuv.renderers.interpolation import Fragments, spread

_OUTSIDE = -3.0  # a grid coordinate beyond the texture: zero padding makes uncovered pixels black


def sample_texture(texture: Tensor, uv: Tensor, at: Fragments) -> Tensor:
    """Bilinear samples of ``texture (B, C, h, w)`` at ``uv (P, 2)`` → ``(B, C, H, W)``, 0 where nothing is covered.

    Beyond the outermost texel centres the border texel is repeated.
    """
    height, width = texture.shape[2:]
    half = uv.new_tensor([0.5 / width, 0.5 / height])
    inside = uv.clamp(min=half, max=1 - half)
    grid = spread(inside * 2 - 1, at, fill=_OUTSIDE).to(texture.dtype)
    return F.grid_sample(texture, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
