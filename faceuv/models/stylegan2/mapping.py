"""The mapping network, z → w."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.models.stylegan2.layers import EqualizedLinear, full_precision


class MappingNetwork(nn.Module):
    """``z (B, Z)`` → ``w (B, D)``: z is brought to unit mean square, then ``depth`` activated linear layers.

    Args:
        rate: learning-rate multiplier of the layers, 0.01 in config-f.
    """

    def __init__(self, latent_dim: int, code_dim: int, *, depth: int = 8, rate: float = 0.01):
        super().__init__()
        self.latent_dim = latent_dim
        self.code_dim = code_dim
        self.rate = rate
        self.layers = nn.ModuleList(
            EqualizedLinear(latent_dim if i == 0 else code_dim, code_dim, rate=rate, activate=True)
            for i in range(depth)
        )

    def forward(self, z: Tensor) -> Tensor:
        check_shape("latents z", z, ("B", self.latent_dim))
        check_floating("latents z", z)
        with full_precision(z):  # eight layers deep, a few values: nothing to win in half precision
            w = z.to(next(self.parameters()).dtype)
            w = w * torch.rsqrt(w.square().mean(1, keepdim=True) + 1e-8)
            for layer in self.layers:
                w = layer(w)
        return w
