"""Renderers: a backend says what is visible; interpolation, texture, light and antialiasing are shared."""

from faceuv.renderers.base import Renderer, View
from faceuv.renderers.builtin import TorchRenderer

__all__ = ["Renderer", "TorchRenderer", "View"]
