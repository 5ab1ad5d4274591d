"""First weights of networks.

Networks are also built on the ``meta`` device, where :func:`faceuv.files.networks.shapes_of` asks for their shapes.
There arithmetic, and drawing of numbers, imports PyTorch's compiler, which takes a second.
"""

from __future__ import annotations

import torch
from torch import Tensor


def normal(*shape: int, over: float = 1.0) -> Tensor:
    """``torch.randn(*shape) / over``, bit by bit; without numbers on ``meta``."""
    drawn = torch.empty(shape)
    if not drawn.is_meta:
        drawn.normal_().div_(over)
    return drawn


def unit_matrix(side: int) -> Tensor:
    """``torch.eye(side)``; without numbers on ``meta``."""
    found = torch.empty(side, side)
    return found if found.is_meta else torch.eye(side)
