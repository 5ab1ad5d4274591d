"""Light on hair: spherical harmonics on fragments, and the gleam of strands (Kajiya and Kay 1989)."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry import sh_basis
from faceuv.geometry.lighting import DC_OFFSET


def light_on(normal: Tensor, image: Tensor, lighting: Tensor) -> Tensor:
    """Light ``(P, 3)`` on unit normals ``(P, 3)`` of the scenes ``image (P,)``."""
    lighting = torch.cat([lighting[..., :1] + DC_OFFSET, lighting[..., 1:]], -1)
    basis = sh_basis(normal)
    if len(lighting) == 1:
        return basis @ lighting[0].T
    return (basis[:, None] * lighting.index_select(0, image)).sum(-1)


def main_light(lighting: Tensor) -> Tensor:
    """The direction ``(B, 3)`` that most light comes from."""
    linear = lighting.sum(1)
    return unit(torch.stack([-linear[:, 3], -linear[:, 1], linear[:, 2]], 1), 1)


def strand_gleam(normal: Tensor, tangent: Tensor, toward: Tensor, tone: Tensor) -> Tensor:
    """``(P, 1)``: strands of a lightness ``tone (P, 1)`` gleam where they run across ``toward``, half-way between the
    light and the camera."""
    across = (1 - (tangent * toward).sum(1, keepdim=True).square()).clamp_min(0)
    return across**12 * tone * (normal * toward).sum(1, keepdim=True).clamp_min(0)


def unit(vectors: Tensor, dim: int) -> Tensor:
    """Vectors of three components along ``dim`` at length 1 (0 stays 0)."""
    x, y, z = vectors.unbind(dim)
    return vectors * (x * x + y * y + z * z).clamp_min(1e-24).rsqrt().unsqueeze(dim)
