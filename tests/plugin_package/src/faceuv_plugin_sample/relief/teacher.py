"""A generator that is no GAN: its codes are eggs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.models.base.codes import broadcast_code, truncate
from faceuv.registry import GENERATORS, RENDERERS
from faceuv.renderers import draw_surface
from faceuv_plugin_sample.relief.sheet import sheet


@GENERATORS.register_module()
class EggGenerator(nn.Module):
    """Codes ``(B, 2, 4)`` → pictures of eggs: row 0 is the form (width, height, depth), row 1 the colour.

    Config: ``dict(type="EggGenerator", size=32)``.
    """

    num_layers, code_dim, grid = 2, 4, 17
    mean_code: Tensor

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self.size = size
        self.renderer = RENDERERS.build("torch")
        self.register_buffer("mean_code", torch.zeros(self.code_dim), persistent=False)

    def sample_latents(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """``(count, 4)``."""
        return torch.randn(count, self.code_dim, generator=generator).to(self.mean_code)

    def mapping(self, latent: Tensor) -> Tensor:
        """z → w, which is z."""
        return latent

    def sample_codes(self, count: int, *, truncation: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """``(count, 2, 4)``."""
        w = truncate(self.mapping(self.sample_latents(count, generator=generator)), self.mean_code, truncation)
        return broadcast_code(w, self.num_layers, self.code_dim)

    def synthesis(self, code: Tensor) -> Tensor:
        """``(B, 3, S, S)``."""
        image: Tensor = draw_surface(self.renderer, sheet(*self.egg(code)), size=self.size).image
        return image

    def egg(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The truth: depth ``(B, n, n)`` and colour ``(B, 3, n, n)``."""
        code = broadcast_code(code, self.num_layers, self.code_dim)
        line = torch.linspace(-1, 1, self.grid).to(code)
        width, height, depth = (0.6 + 0.1 * torch.tanh(code[:, 0, k, None, None]) for k in range(3))
        inside = 1 - (line / width).square() - (line[:, None] / height).square()
        wall = torch.full_like(code[:, 1, :3, None, None], 0.3)
        colour = torch.where(inside[:, None] > 0, torch.sigmoid(code[:, 1, :3, None, None]), wall)
        return depth * inside.clamp(min=0).sqrt(), colour
