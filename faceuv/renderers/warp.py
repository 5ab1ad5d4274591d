"""NVIDIA's warp as a backend (Apache-2.0): its wheel brings a compiler, so kernels run on CUDA and on a CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from faceuv.geometry.scan import Cull
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Appearance, Renderer
from faceuv.renderers.compositing import composite
from faceuv.structures import Camera, Mesh, Render


@RENDERERS.register_module(name="warp")
class WarpRenderer(Renderer):
    """Kernels that warp compiles when they are first used; CUDA, and one thread of a CPU.

    Interpolation, texture, normals, light and silhouettes are kernels, too, in float32. float64, gradients of
    ``mesh.uv`` and ``antialias="gradient"`` take the code that all renderers share.

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

    def _paint(self, mesh: Mesh, look: Appearance, height: int, width: int, camera: Camera, repeat: int) -> Render:
        if self.antialias == "gradient" or not _fits(mesh):
            return super()._paint(mesh, look, height, width, camera, repeat)
        drawn = self._layers(mesh, look, height, width, camera, picture=True)
        mask = drawn.mask.clamp(0, 1) if self.antialias == "edges" else drawn.mask  # but for rounding
        return replace(drawn, image=composite(drawn.image, mask, look.background, repeat=repeat), mask=mask)

    def _relief(self, mesh: Mesh, look: Appearance, height: int, width: int, camera: Camera) -> Render:
        if not _fits(mesh):
            return super()._relief(mesh, look, height, width, camera)
        return self._layers(mesh, look, height, width, camera, picture=False)

    def _layers(
        self, mesh: Mesh, look: Appearance, height: int, width: int, camera: Camera, *, picture: bool
    ) -> Render:
        from faceuv.renderers.kernels.painting import Scene, paint_layers

        pixels, face_id = self._see(mesh, height, width, camera)
        edges = self._topology_of(mesh) if picture and self.antialias == "edges" else None
        uv = None if mesh.uv is None else mesh.uv.detach().float().contiguous()
        image, mask, depth, normal, uv_image = paint_layers(
            Scene(face_id, mesh.faces, uv, self.texture_samples, edges),
            pixels,
            texture=look.texture if picture else None,
            vertex_colours=look.vertex_colours if picture else None,
            normals=None if look.normal_map is not None else look.normals,
            normal_map=look.normal_map,
            lighting=look.lighting if picture else None,
        )
        return Render(image=image, mask=mask, depth=depth, normal=normal, uv=uv_image, face_id=face_id)


def _fits(mesh: Mesh) -> bool:
    return mesh.vertices.dtype == torch.float32 and not (mesh.uv is not None and mesh.uv.requires_grad)
