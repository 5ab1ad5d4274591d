"""Means over masks, one for each image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from faceuv.checks import check_floating, check_shape


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """``(B,)``: mean of ``values (B, C, H, W)`` over channels and pixels, weighted by ``mask (B, 1, H, W)`` in [0, 1].

    NaN for an image whose mask is empty; what ``values`` hold where the mask is 0 does not matter, not even NaN.
    """
    return channel_sums(values, mask).mean(1) / mask.flatten(1).sum(1)


def channel_sums(values: Tensor, mask: Tensor) -> Tensor:
    """``(B, C)``: sums of ``values (B, C, H, W)`` over the pixels, weighted by ``mask (B, 1, H, W)``."""
    return (torch.where(mask > 0, values, 0) * mask).flatten(2).sum(2)


def check_pair(first: Tensor, second: Tensor, mask: Tensor, *, channels: int | str = 3) -> None:
    """Check two pictures or maps ``(B, channels, H, W)`` of one shape and their ``mask (B, 1, H, W)``."""
    sizes = check_shape("the first picture", first, ("B", channels, "H", "W"))
    check_shape("the second picture", second, tuple(first.shape))
    check_shape("mask", mask, (sizes["B"], 1, sizes["H"], sizes["W"]))
    for name, tensor in (("the first picture", first), ("the second picture", second), ("mask", mask)):
        check_floating(name, tensor)


def mean_of_known(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Per-image values ``(N,)`` → their means, without the images where a value is NaN: nothing was there to measure.
    NaN where that is every image."""
    return {name: float(value.double().nanmean()) for name, value in values.items()}
