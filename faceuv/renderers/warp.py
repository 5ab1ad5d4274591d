"""NVIDIA's warp as a backend (Apache-2.0): its wheel brings a compiler, so kernels run on CUDA and on a CPU."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from faceuv.geometry.scan import Cull
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Renderer


@RENDERERS.register_module(name="warp")
class WarpRenderer(Renderer):
    """Kernels that warp compiles when they are first used; CUDA, and one thread of a CPU.

    Face ids do not depend on the order of the threads. Gradients are sums of floats by atomic additions: on CUDA their
    last digits vary from run to run.
    """

    name: ClassVar[str] = "warp"
    package: ClassVar[str] = "warp"
    install: ClassVar[str] = 'pip install "faceuv[warp]"'

    @classmethod
    def available(cls, device: torch.device | str) -> bool:
        kind = torch.device(device).type
        return cls.installed() and (kind == "cpu" or (kind == "cuda" and torch.cuda.is_available()))

    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        from faceuv.renderers.kernels.scan import scan_triangles_warp

        return scan_triangles_warp(pixels, faces, height, width, cull=cull)
