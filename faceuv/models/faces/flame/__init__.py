"""FLAME: a head with jaw, neck and eyes that turn, from the files that users hold."""

from __future__ import annotations

from faceuv.models.faces.flame.model import FLAME

__all__ = ["FLAME"]
