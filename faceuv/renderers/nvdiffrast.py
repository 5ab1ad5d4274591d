"""nvdiffrast as a backend (NVIDIA's licence: research use; CUDA only)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.errors import FaceUVError
from faceuv.geometry.scan import Cull, check_scan_input
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Renderer
from faceuv.renderers.dropping import collapse_dropped_faces

_FLOAT_IDS = 1 << 24  # up to here its id channel is the number itself; beyond, the float's bits count on
_ID_BITS = 0x4A800000
_MARGIN = 1.01  # the near and far planes lie this factor outside the mesh


@RENDERERS.register_module(name="nvdiffrast")
class NvdiffrastRenderer(Renderer):
    """nvdiffrast's rasterizer, from its authors' repository; CUDA only, snaps vertices to 1/16 pixel."""

    name: ClassVar[str] = "nvdiffrast"
    package: ClassVar[str] = "nvdiffrast"
    install: ClassVar[str] = "pip install --no-build-isolation git+https://github.com/NVlabs/nvdiffrast.git"

    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)
        self._contexts: dict[torch.device, Any] = {}

    @classmethod
    def available(cls, device: torch.device | str) -> bool:
        return cls.installed() and torch.device(device).type == "cuda" and torch.cuda.is_available()

    @torch.no_grad()
    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        import nvdiffrast.torch as dr

        check_scan_input(pixels, faces, height, width, cull)
        batch, count, _ = pixels.shape
        if batch == 0 or faces.shape[0] == 0:
            return faces.new_full((batch, height, width), -1)
        clip = clip_coordinates(pixels, height, width)
        drawn = collapse_dropped_faces(pixels, faces, cull)
        if drawn.ndim == 2:
            positions, triangles, ranges = clip, drawn, None
        else:  # faces differ between images: its range mode, where ids run through the batch
            offset = torch.arange(batch, device=faces.device)[:, None, None] * count
            positions, triangles = clip.view(-1, 4), (drawn + offset).view(-1, 3)
            start = torch.arange(batch, dtype=torch.int32) * faces.shape[0]
            ranges = torch.stack([start, torch.full_like(start, faces.shape[0])], 1)
        device = pixels.device
        if device not in self._contexts:
            self._contexts[device] = dr.RasterizeCudaContext(device=device)
        triangles = triangles.to(torch.int32).contiguous()
        result = dr.rasterize(
            self._contexts[device], positions.contiguous(), triangles, (height, width), ranges=ranges, grad_db=False
        )
        if isinstance(result, Exception):  # it returns some of its errors
            raise FaceUVError(f"nvdiffrast could not draw: {result}") from result
        ids = decode_ids(result[0][..., 3])
        if ranges is not None:
            ids = torch.where(ids >= 0, ids % faces.shape[0], ids)
        return ids


def clip_coordinates(pixels: Tensor, height: int, width: int) -> Tensor:
    """Pixels with depth ``(B, V, 3)`` → clip space ``(B, V, 4)``, row 0 at clip y = −1, planes just around the mesh."""
    x, y, z = pixels.detach().float().unbind(-1)
    drawn = z > 0
    near = torch.where(drawn, z, torch.inf).amin().clamp(max=1e6) / _MARGIN
    far = torch.where(drawn, z, 0.0).amax().clamp(min=1e-6) * _MARGIN
    far = torch.maximum(far, near * _MARGIN)
    depth = ((far + near) * z - 2 * far * near) / (far - near)
    return torch.stack([(2 * x / width - 1) * z, (2 * y / height - 1) * z, depth, z], -1)


def decode_ids(channel: Tensor) -> Tensor:
    """nvdiffrast's fourth channel (triangle + 1 as a float, bit patterns above 2²⁴) → int64 ids, −1 for none."""
    bits = channel.contiguous().view(torch.int32).to(torch.int64) - _ID_BITS
    return torch.where(channel <= _FLOAT_IDS, channel.to(torch.int64), bits) - 1
