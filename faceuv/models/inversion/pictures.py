"""Pictures as inverters take them: squares at the generator's size, RGB in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.readers.regressor import resample

LEAST = 32  # pixels: the side of the smallest picture whose face can be read
_LEVELS = {torch.uint8: 255, torch.uint16: 65535}


def as_pictures(images: Tensor) -> Tensor:
    """Square pictures ``(B, 3, S, S)``, float in [0, 1], of ``images``: ``(B, 3, S, S)``, one ``(3, S, S)``, or grey
    with one channel; float in [0, 1], uint8 or uint16. NaN is allowed: :func:`unusable` names the rows."""
    if not isinstance(images, Tensor) or images.ndim not in (3, 4) or images.shape[-3] not in (1, 3):
        came = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise InputError(f"pictures must be a tensor (B, 3, S, S) or (3, S, S), RGB or grey, got {came}")
    images = images[None] if images.ndim == 3 else images
    height, width = images.shape[2:]
    if not len(images):
        raise InputError("an empty batch of pictures (0, 3, S, S); an inversion needs at least one")
    if height != width:
        raise InputError(
            f"pictures must be squares around an upright face, as the generator draws them, got {width} × {height}"
            " pixels: cut the square first (faceuv invert --framing align)"
        )
    if height < LEAST:
        raise InputError(f"a picture of {width} × {height} pixels is too small to invert; at least {LEAST}² are needed")
    if images.dtype in _LEVELS:
        images = images.to(torch.int32).float() / _LEVELS[images.dtype]
    elif not images.is_floating_point():
        raise InputError(f"pictures hold floats in [0, 1], uint8 or uint16, got {images.dtype}")
    known = images[torch.isfinite(images)]
    if known.numel() and (float(known.min()) < -1e-3 or float(known.max()) > 1 + 1e-3):
        raise InputError(
            f"pictures hold values in [0, 1], got {float(known.min()):.3g} … {float(known.max()):.3g}: divide 8-bit"
            " levels by 255, and bring [−1, 1] to [0, 1]"
        )
    return images.float().clamp(0, 1).expand(-1, 3, -1, -1)


def unusable(images: Tensor) -> list[str]:
    """Why each picture ``(B, 3, S, S)`` cannot be inverted, ``""`` where it can."""
    finite = torch.isfinite(images).flatten(1).all(1).tolist()
    plain = (images.flatten(1).std(1) < 1e-3).tolist()
    return [
        "" if fine and not flat else "it shows one colour: there is no face in it" if fine else "it holds NaN"
        for fine, flat in zip(finite, plain)
    ]


def at_size(images: Tensor, size: int) -> Tensor:
    """Square pictures at another size: means of whole blocks where they fit."""
    return resample(images, size).clamp(0, 1)


def prepared(images: Tensor, size: int) -> tuple[Tensor, list[str]]:
    """Pictures at the generator's ``size``, and why rows cannot be inverted; such rows are grey."""
    images = as_pictures(images)
    reasons = unusable(images)
    bad = torch.tensor([bool(reason) for reason in reasons], device=images.device)
    images = torch.where(bad[:, None, None, None], torch.full_like(images, 0.5), images)
    return at_size(images, size), reasons


def first_reason(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """The reasons of both, the first ones before the second ones."""
    return [a or b for a, b in zip(first, second)]
