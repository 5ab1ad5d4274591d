"""PyTorch3D as a backend (BSD licence; CPU and CUDA)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from faceuv.geometry.scan import Cull, check_scan_input
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Renderer
from faceuv.renderers.dropping import collapse_dropped_faces


@RENDERERS.register_module(name="pytorch3d")
class PyTorch3DRenderer(Renderer):
    """PyTorch3D's rasterizer, from its authors' repository; CPU (slow) and CUDA."""

    name: ClassVar[str] = "pytorch3d"
    package: ClassVar[str] = "pytorch3d"
    install: ClassVar[str] = 'pip install --no-build-isolation "git+https://github.com/facebookresearch/pytorch3d.git"'

    @classmethod
    def available(cls, device: torch.device | str) -> bool:
        return cls.installed() and torch.device(device).type in ("cpu", "cuda")

    @torch.no_grad()
    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes

        check_scan_input(pixels, faces, height, width, cull)
        batch = pixels.shape[0]
        if faces.shape[0] == 0:
            return faces.new_full((batch, height, width), -1)
        # Its normalised coordinates: x left, y up, the shorter side spans [−1, 1].
        scale = 2.0 / min(height, width)
        x, y, z = pixels.detach().float().unbind(-1)
        points = torch.stack([(width / 2 - x) * scale, (height / 2 - y) * scale, z], -1)
        drawn = collapse_dropped_faces(pixels, faces, cull).expand(batch, -1, -1)
        packed: Tensor = rasterize_meshes(
            Meshes(verts=list(points), faces=list(drawn)),
            image_size=(height, width),
            blur_radius=0.0,
            faces_per_pixel=1,
            bin_size=0 if pixels.device.type == "cpu" else None,
            perspective_correct=True,
        )[0][..., 0]
        # Its ids run through the whole batch, image after image.
        first = torch.arange(batch, device=faces.device)[:, None, None] * faces.shape[0]
        return torch.where(packed >= 0, packed - first, packed)
