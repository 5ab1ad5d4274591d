"""Albedo times light, on display-referred values, as in the papers."""

from __future__ import annotations

from torch import Tensor

from faceuv.geometry.lighting import sh_irradiance


def shade(albedo: Tensor, normals: Tensor, lighting: Tensor) -> Tensor:
    """``albedo (B, 3, H, W)`` under ``lighting (B, 3, 9)`` with unit ``normals (B, H, W, 3)`` → ``(B, 3, H, W)``."""
    light = sh_irradiance(normals.flatten(1, 2), lighting)
    return albedo * light.transpose(1, 2).unflatten(2, tuple(albedo.shape[2:]))
