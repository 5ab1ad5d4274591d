"""What happens to rendered pixels: light on albedo, and the surface over a background."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_same_device
from faceuv.errors import InputError
from faceuv.geometry.lighting import sh_irradiance

Background = Tensor | Sequence[float] | float | None


def composite(image: Tensor, mask: Tensor, background: Background, *, repeat: int = 1) -> Tensor:
    """``image (B, 3, H, W)``, already multiplied by ``mask (B, 1, H, W)``, over a background.

    ``background``: an image ``(B or 1, 3, H/repeat, W/repeat)``, whose pixels are repeated (for supersampling), an RGB
    triple, a grey value, or None for black.
    """
    if background is None:
        return image
    return image + (1 - mask) * _as_background(background, image, repeat)


def _as_background(background: Tensor | Sequence[float] | float, like: Tensor, repeat: int) -> Tensor:
    """A background as a tensor that broadcasts against the image ``like (B, 3, H, W)``."""
    batch, channels = like.shape[:2]
    height, width = like.shape[2] // repeat, like.shape[3] // repeat
    if isinstance(background, Tensor) and background.ndim == 4:
        if background.shape[0] not in (1, batch) or tuple(background.shape[1:]) != (channels, height, width):
            raise InputError(
                f"background must have shape ({batch} or 1, {channels}, {height}, {width}),"
                f" got {tuple(background.shape)}"
            )
        check_same_device(image=like, background=background)
        check_finite("background", background.detach())
        background = background.to(like.dtype)
        return background.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3) if repeat > 1 else background
    wanted = f"an image ({batch} or 1, {channels}, {height}, {width}), an RGB triple or a grey value"
    try:
        colour = torch.as_tensor(background, dtype=like.dtype, device=like.device)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"background must be {wanted}, got {background!r}") from None
    if colour.numel() not in (1, channels) or colour.ndim > 1:
        raise InputError(f"background must be {wanted}, got shape {tuple(colour.shape)}")
    check_finite("background", colour.detach())
    return colour.reshape(1, -1, 1, 1)


def shade(albedo: Tensor, normals: Tensor, lighting: Tensor) -> Tensor:
    """``albedo (B, 3, H, W)`` under ``lighting (B, 3, 9)`` with unit ``normals (B, H, W, 3)`` → ``(B, 3, H, W)``.

    Albedo times light, on display-referred values, as in the papers."""
    light = sh_irradiance(normals.flatten(1, 2), lighting)
    return albedo * light.transpose(1, 2).unflatten(2, tuple(albedo.shape[2:]))
