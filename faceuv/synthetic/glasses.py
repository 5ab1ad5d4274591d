"""Spectacles: two rims, a bridge and arms as tubes of four sides."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.surroundings import Follower, is_procedural
from faceuv.models.faces.procedural.build import MM_PER_DM, ORIGIN
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.draw import Draw

_BEHIND = 100.0  # dm: behind the camera, however the head is turned about the viewing axis
_RIM, _BRIDGE, _ARM, _SIDES = 28, 6, 7, 4
_ANCHORS = np.array([[-33.0, -2, 95], [33, -2, 95], [0, -6, 98], [-70, 2, 40], [70, 2, 40], [-76, 2, 0], [76, 2, 0]])


_BRIDGE_AT = (0.0, 3.0, 97.3)  # mm, of the procedural face
_FITTED = (0.0, 0.5, 1.0)  # how far the frames follow the bridge sideways, up and forward


class Frames(NamedTuple):
    vertices: Tensor  # (B, N, 3) dm, object frame; far behind the camera where none are worn
    normals: Tensor
    colours: Tensor


class Glasses(nn.Module):
    """Frames of any shape between round and rectangular, thin or heavy."""

    def __init__(self, model: FaceModel, probability: float = 0.16) -> None:
        super().__init__()
        self.probability = probability
        self.follow = Follower(model, _ANCHORS)
        # where the bridge of the nose is, compared with the head that the frames were made for
        bridge = model.mean[model.landmarks[27]].cpu() * MM_PER_DM - torch.tensor(ORIGIN)
        fitted = torch.zeros(3) if is_procedural(model) else (bridge - torch.tensor(_BRIDGE_AT)) * torch.tensor(_FITTED)
        self.register_buffer("fitted", fitted)
        faces, start = [], 0
        for count, closed in ((_RIM, True), (_RIM, True), (_BRIDGE, False), (_ARM, False), (_ARM, False)):
            faces.append(start + _tube_faces(count, closed))
            start += count * _SIDES
        self.register_buffer("faces", torch.from_numpy(np.concatenate(faces)))
        self.count = start
        self.register_buffer("turn", torch.linspace(0, 2 * math.pi, _RIM + 1)[:-1])

    faces: Tensor
    turn: Tensor
    fitted: Tensor

    def forward(self, numbers: Tensor, identity: Tensor) -> Frames:
        """``numbers``: the factor ``glasses``."""
        draw = Draw(numbers)
        worn = draw.chance(self.probability)[:, None, None]
        half_width, ratio = draw.uniform(22.5, 27.5)[:, None], draw.uniform(0.66, 0.95)[:, None]
        power = draw.uniform(0.55, 1.0)[:, None]
        thick = draw.uniform(0.9, 2.6)[:, None]
        tone, hue = draw.skewed(2.2, 0.6), draw.normal()
        dark = torch.stack([tone + 0.06 + 0.05 * hue.clamp_min(0), tone + 0.05, tone + 0.05 - 0.02 * hue], 1).clamp(
            0.03, 0.9
        )
        rest = self.follow.rest
        if not bool(worn.any()):
            nothing = numbers.new_zeros(len(numbers), self.count, 3)
            return Frames(nothing + nothing.new_tensor([0.0, 0.0, _BEHIND]), nothing, nothing)
        moved = (one_by_one(self.follow, identity) - rest) * MM_PER_DM
        cos, sin = self.turn.cos(), self.turn.sin()
        tubes = []
        rims = []
        for side, anchor in ((-1.0, 0), (1.0, 1)):
            x = side * 33.5 + half_width * torch.sign(cos) * cos.abs() ** power
            y = -3 + half_width * ratio * torch.sign(sin) * sin.abs() ** power
            y = y - 0.06 * (x.abs() - 33) * ratio
            z = 103.5 - 0.0052 * (x.abs() - 10).clamp_min(0) ** 2
            rim = torch.stack([x, y, z], -1) + 0.5 * (moved[:, anchor, None] + moved[:, 2, None])
            rims.append(rim)
            tubes.append(_tube(rim, thick, closed=True))
        outer_left, outer_right = rims[0][:, _RIM // 2], rims[1][:, 0]
        inner_left, inner_right = rims[0][:, 1], rims[1][:, _RIM // 2 - 1]
        share = torch.linspace(0, 1, _BRIDGE, device=numbers.device)[None, :, None]
        bow = torch.stack(
            [torch.zeros_like(share), 4 * torch.sin(math.pi * share), 2 * torch.sin(math.pi * share)], -1
        )[..., 0, :]
        tubes.append(_tube(inner_left[:, None] * (1 - share) + inner_right[:, None] * share + bow, thick, closed=False))
        share = torch.linspace(0, 1, _ARM, device=numbers.device)[None, :, None]
        for hinge, temple, ear in ((outer_left, 3, 5), (outer_right, 4, 6)):
            temple_point = rest[temple] * MM_PER_DM + moved[:, temple] - self._origin(rest)
            ear_point = rest[ear] * MM_PER_DM + moved[:, ear] - self._origin(rest)
            path = hinge[:, None] * (1 - share) ** 2 + 2 * share * (1 - share) * (temple_point * 1.05)[:, None]
            tubes.append(_tube(path + share**2 * ear_point[:, None], thick, closed=False))
        points = torch.cat([points for points, _ in tubes], 1) + self._origin(rest) + self.fitted
        normals = torch.cat([normal for _, normal in tubes], 1)
        vertices = torch.where(worn > 0, points / MM_PER_DM, points.new_tensor([0.0, 0.0, _BEHIND]))
        return Frames(vertices, normals, dark[:, None].expand(-1, points.shape[1], -1))

    @staticmethod
    def _origin(rest: Tensor) -> Tensor:
        return rest[0] * MM_PER_DM - rest.new_tensor(_ANCHORS[0].tolist())


def _tube(path: Tensor, radius: Tensor, *, closed: bool) -> tuple[Tensor, Tensor]:
    """Vertices and normals ``(B, n · sides, 3)`` around ``path (B, n, 3)``; ``radius (B, 1)`` mm."""
    if closed:
        along = path.roll(-1, 1) - path.roll(1, 1)
    else:
        along = torch.cat([path[:, 1:], path[:, -1:]], 1) - torch.cat([path[:, :1], path[:, :-1]], 1)
    along = torch.nn.functional.normalize(along, dim=-1)
    up = torch.zeros_like(along)
    up[..., 2] = 1.0
    if not closed:  # arms run along z
        up[..., 1], up[..., 2] = 1.0, 0.3
    side = torch.nn.functional.normalize(torch.linalg.cross(along, up, dim=-1), dim=-1)
    other = torch.linalg.cross(side, along, dim=-1)
    angles = [math.pi / 4 + k * math.pi / 2 for k in range(_SIDES)]
    normal = torch.stack([math.cos(a) * side + math.sin(a) * other for a in angles], 2)
    vertices = path[:, :, None] + radius[:, :, None, None] * normal
    return vertices.flatten(1, 2), normal.flatten(1, 2)


def _tube_faces(count: int, closed: bool) -> np.ndarray:
    ring, side = np.meshgrid(np.arange(count if closed else count - 1), np.arange(_SIDES), indexing="ij")
    after = (ring + 1) % count
    beside = (side + 1) % _SIDES
    a, b = ring * _SIDES + side, ring * _SIDES + beside
    c, d = after * _SIDES + side, after * _SIDES + beside
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
