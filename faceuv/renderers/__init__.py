"""Renderers. A backend decides what is visible; interpolation, texture, light and antialiasing are shared code."""

from faceuv.renderers.base import Rasterized, Renderer
from faceuv.renderers.builtin import TorchRenderer
from faceuv.renderers.drtk import DRTKRenderer
from faceuv.renderers.nvdiffrast import NvdiffrastRenderer
from faceuv.renderers.pytorch3d import PyTorch3DRenderer
from faceuv.renderers.surface import draw_surface, world_mesh
from faceuv.renderers.warp import WarpRenderer

__all__ = [
    "DRTKRenderer",
    "NvdiffrastRenderer",
    "PyTorch3DRenderer",
    "Rasterized",
    "Renderer",
    "TorchRenderer",
    "WarpRenderer",
    "draw_surface",
    "world_mesh",
]
