"""Light on hair: spherical harmonics on fragments, and the gleam of strands (Kajiya and Kay 1989)."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry import sh_basis
from faceuv.geometry.lighting import DC_OFFSET


def light_on(normal: Tensor, image: Tensor, lighting: Tensor, dim: int = 1) -> Tensor:
    """Light ``(P, 3)`` on unit normals ``(P, 3)`` of the scenes ``image (P,)``; with ``dim=0`` both are ``(3, P)``."""
    lighting = torch.cat([lighting[..., :1] + DC_OFFSET, lighting[..., 1:]], -1)
    basis = sh_basis(normal, dim)
    if len(lighting) == 1:
        return basis @ lighting[0].T if dim else lighting[0] @ basis
    light = (basis.movedim(dim, 1)[:, None] * lighting.index_select(0, image)).sum(-1)
    return light.movedim(1, dim)


def main_light(lighting: Tensor) -> Tensor:
    """The direction ``(B, 3)`` that most light comes from."""
    linear = lighting.sum(1)
    return unit(torch.stack([-linear[:, 3], -linear[:, 1], linear[:, 2]], 1), 1)


def strand_gleam(normal: Tensor, tangent: Tensor, toward: Tensor, tone: Tensor, dim: int = 1) -> Tensor:
    """``(P, 1)``: strands of a lightness ``tone (P, 1)`` gleam where they run across ``toward``, half-way between the
    light and the camera; with ``dim=0`` all are ``(·, P)``."""
    across = (1 - (tangent * toward).sum(dim, keepdim=True).square()).clamp_min(0)
    return across**12 * tone * (normal * toward).sum(dim, keepdim=True).clamp_min(0)


def unit(vectors: Tensor, dim: int) -> Tensor:
    """Vectors of three components along ``dim`` at length 1 (0 stays 0)."""
    x, y, z = vectors.unbind(dim)
    return vectors * (x * x + y * y + z * z).clamp_min(1e-24).rsqrt().unsqueeze(dim)
