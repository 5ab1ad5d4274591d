"""The plain head that renderers draw."""

from __future__ import annotations

from plain_head import head, light, texture

__all__ = ["head", "light", "texture"]
