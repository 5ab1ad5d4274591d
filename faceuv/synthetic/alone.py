"""Scenes drawn in one batch that keep the bits that each has alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def one_by_one(function: Callable[..., Tensor], *batch: Tensor) -> Tensor:
    """``function(*batch)``, on a CPU of each row of the tensors by itself.

    A product of matrices and some sums round by the number of their rows, and a power or a sigmoid takes another
    formula where the numbers fill a vector of the processor. Other functions of single numbers do not. Elsewhere a
    launch costs more than these bits are worth.
    """
    if batch[0].device.type != "cpu" or len(batch[0]) == 1:
        return function(*batch)
    return torch.cat([function(*rows) for rows in zip(*(tensor.split(1) for tensor in batch))])
