"""The plain head of the renderers."""

from __future__ import annotations

from plain_head import head, light, texture

__all__ = ["head", "light", "texture"]
