"""The 52 ARKit movements: MakeHuman's face units on the head's mesh; eyes turn about their centres."""

from __future__ import annotations

import numpy as np

from faceuv.models.faces.makehuman.source import Array, MakeHumanData
from faceuv.models.faces.makehuman.surface import SIDES, HeadSurface

# Movement of one eye → axis of the turn (+x: the look goes down, +y: to the viewer's right) for the subject's left eye.
_LOOKS = {"In": (0, -1, 0), "Out": (0, 1, 0), "Up": (-1, 0, 0), "Down": (1, 0, 0)}
LOOK_DEG = {"In": 28.0, "Out": 28.0, "Up": 20.0, "Down": 22.0}
"""How far the eyes turn at full movement. MakeHuman's face units turn them about half as far; ARKit's full look is what
people reach."""
_LIDS = {"In": 1.3, "Out": 1.3, "Up": 1.6, "Down": 1.45}
"""Factor on the lids of MakeHuman's face units: they follow the eye, and leave it open."""


def movements(data: MakeHumanData, surface: HeadSurface, at: Array, eyes: dict[str, Array]) -> dict[str, Array]:
    """ARKit's name → the field ``(V, 3)`` of the full movement, for the average person ``at (V, 3)``.

    ``eyes``: the centres of the eyeballs by side, in the frame of ``at``.
    """
    fields = {name: surface.moving @ field for name, field in data.actions().items()}
    for side in SIDES:
        ball = surface.vertices_of(f"eye_{side}")
        for name in fields:
            if name.endswith(side.capitalize()) or not name.endswith(("Left", "Right")):
                fields[name][ball] = 0.0  # an eyeball moves by its joint alone
        for way, axis in _LOOKS.items():
            look = f"eyeLook{way}{side.capitalize()}"
            fields[look] = _LIDS[way] * fields[look]
            turn = np.array(axis, float)
            turn[1] *= 1 if side == "left" else -1
            rotation = _rotation(turn * np.radians(LOOK_DEG[way]))
            arms = at[ball] - eyes[side]
            fields[look][ball] = arms @ rotation.T - arms
    return fields


def _rotation(vector: Array) -> Array:
    """The matrix of a rotation vector (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
