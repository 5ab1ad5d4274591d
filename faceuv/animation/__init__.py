"""Facial animations in ARKit's blend shapes: read from files, played on faces."""

from __future__ import annotations

from faceuv.animation.audio2face import read_audio2face
from faceuv.animation.data import ARKitAnimation
from faceuv.animation.playing import animated, not_shown, pictures, save_animation, turns_head
from faceuv.animation.reading import read_animation
from faceuv.animation.tables import read_csv

__all__ = [
    "ARKitAnimation",
    "animated",
    "not_shown",
    "pictures",
    "read_animation",
    "read_audio2face",
    "read_csv",
    "save_animation",
    "turns_head",
]
