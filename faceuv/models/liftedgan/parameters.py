"""Light and view as the networks write them, raw numbers in −1 … 1, and in units.

light ``(B, 4)``  ambient, diffuse, x, y: ambient and diffuse become 0 … 1, the light comes from (x, y, 1) in the frame
                  of the neutral face
view ``(B, 6)``   rotation about x, y, z, then translation x, y, z, each times its range
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError

LIGHT, VIEW = 4, 6


@dataclass(frozen=True)
class ViewRange:
    """What a raw view of 1 means.

    rotation_deg    of each angle
    translation     decimetres along x, y, z; the paper's ±0.1 are 1 dm in a scene whose centre is 10 dm away, and the
                    release lets z vary a tenth of it
    """

    rotation_deg: float = 60.0
    translation: tuple[float, float, float] = (1.0, 1.0, 0.1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "translation", tuple(float(x) for x in self.translation))
        if not 0 < self.rotation_deg <= 90:
            raise InputError(f"view.rotation_deg lies in 0 … 90 degrees, got {self.rotation_deg}")
        if len(self.translation) != 3 or not all(x > 0 for x in self.translation):
            raise InputError(f"view.translation is three lengths > 0 in decimetres, got {self.translation}")

    def pose(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Rotation ``(B, 3)`` in radians and translation ``(B, 3)`` in decimetres of raw views."""
        check_shape("view", view, ("B", VIEW))
        rotation, translation = view.split(3, 1)
        return rotation * math.radians(self.rotation_deg), translation * view.new_tensor(self.translation)

    def view(self, rotation: Tensor, translation: Tensor) -> Tensor:
        """The raw view ``(B, 6)`` of a pose; beyond ±1 for poses outside the range."""
        turned = rotation / math.radians(self.rotation_deg)
        return torch.cat([turned, translation / rotation.new_tensor(self.translation)], 1)


def parsed_light(light: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ambient ``(B, 1)`` and diffuse ``(B, 1)`` in 0 … 1, and the unit direction toward the light ``(B, 3)``."""
    check_shape("light", light, ("B", LIGHT))
    ambient, diffuse = (light[:, :2] / 2 + 0.5).split(1, 1)
    toward = torch.cat([light[:, 2:], torch.ones_like(ambient)], 1)
    return ambient, diffuse, F.normalize(toward, dim=1)


def frontal(light: Tensor) -> Tensor:
    """L0: the same strengths, from the front."""
    return torch.cat([light[:, :2], torch.zeros_like(light[:, 2:])], 1)


def raw_light(ambient: Tensor, diffuse: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The raw light ``(B, 4)`` of strengths in 0 … 1 and a direction (x, y, 1), x and y in −1 … 1, each ``(B,)``."""
    strengths = torch.stack([ambient, diffuse], 1)
    direction = torch.stack([x, y], 1)
    check_finite("a light", torch.cat([strengths, direction], 1))
    if bool((strengths < 0).any() | (strengths > 1).any() | (direction.abs() > 1).any()):
        raise InputError(
            "a light has ambient and diffuse in 0 … 1 and x, y in −1 … 1, got"
            f" {[round(v, 3) for v in torch.cat([strengths, direction], 1).reshape(-1).tolist()][:8]}"
        )
    return torch.cat([strengths * 2 - 1, direction], 1)
