"""The built-in renderer: plain torch on any device, no compiler; numba, if installed, makes it faster on a CPU."""

from __future__ import annotations

import importlib.util
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from faceuv.errors import InputError, MissingDependency
from faceuv.geometry.scan import Cull, scan_triangles
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Renderer

Accelerator = Literal["auto", "numba", "none"]


@RENDERERS.register_module(name="torch")
class TorchRenderer(Renderer):
    """Built in: plain torch, any device, no compiler; the oracle that the other backends are tested against.

    Args:
        accelerator: ``"auto"`` uses numba on a CPU where it is installed, ``"numba"`` demands it, ``"none"`` stays with
            torch. The image is the same.
        others: see :class:`~faceuv.renderers.base.Renderer`.
    """

    name: ClassVar[str] = "torch"

    def __init__(self, *args: Any, accelerator: Accelerator = "auto", **others: Any) -> None:
        super().__init__(*args, **others)
        if accelerator not in ("auto", "numba", "none"):
            raise InputError(f"accelerator must be 'auto', 'numba' or 'none', got {accelerator!r}")
        there = importlib.util.find_spec("numba") is not None
        if accelerator == "numba" and not there:
            raise MissingDependency("accelerator='numba' needs numba: pip install numba — or use accelerator='none'")
        self.accelerator = accelerator
        self._numba = there and accelerator != "none"

    @classmethod
    def available(cls, device: torch.device | str) -> bool:
        return True

    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        if self._numba and pixels.device.type == "cpu":
            from faceuv.geometry.scan_numba import scan_triangles_numba

            return scan_triangles_numba(pixels, faces, height, width, cull=cull)
        return scan_triangles(pixels, faces, height, width, cull=cull)
