"""DRTK as a backend (MIT licence; CPU and CUDA)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from faceuv.geometry.scan import Cull, check_scan_input
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Renderer
from faceuv.renderers.dropping import collapse_dropped_faces


@RENDERERS.register_module(name="drtk")
class DRTKRenderer(Renderer):
    """DRTK's rasterizer, from its authors' repository; CPU and CUDA."""

    name: ClassVar[str] = "drtk"
    package: ClassVar[str] = "drtk"
    install: ClassVar[str] = "pip install --no-build-isolation git+https://github.com/facebookresearch/DRTK.git"

    @classmethod
    def installed(cls) -> bool:
        # A stranger's placeholder of this name exists: look for the rasterizer, without importing anything.
        found = importlib.util.find_spec("drtk")
        return found is not None and found.origin is not None and (Path(found.origin).parent / "rasterize.py").is_file()

    @classmethod
    def available(cls, device: torch.device | str) -> bool:
        return cls.installed() and torch.device(device).type in ("cpu", "cuda")

    @torch.no_grad()
    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        import drtk

        check_scan_input(pixels, faces, height, width, cull)
        if pixels.shape[0] == 0 or faces.shape[0] == 0:
            return faces.new_full((pixels.shape[0], height, width), -1)
        # Its pixel centres are at integers.
        points = pixels.detach().float() - pixels.new_tensor([0.5, 0.5, 0.0], dtype=torch.float32)
        drawn = collapse_dropped_faces(pixels, faces, cull).expand(pixels.shape[0], -1, -1)
        ids: Tensor = drtk.rasterize(points.contiguous(), drawn.to(torch.int32).contiguous(), height, width)
        return ids.to(torch.int64)
