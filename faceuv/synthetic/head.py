"""The surroundings of the face: back of the head, neck, and shoulders in clothes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.surroundings import Follower, crossings, head_frame, is_procedural, march, to_object
from faceuv.models.faces.procedural.sdf import Array
from faceuv.synthetic.canvas import Canvas
from faceuv.synthetic.draw import Draw, blend, smoothstep

_CLOSED = 0.9  # of the rays from inside a head that must meet its skin
_COLLAR = -150.0  # mm, head frame: below, clothes hide a head
PIVOT = (0.0, -118.0, -20.0)  # mm, head frame: about here the head turns on the shoulders


def skull_radius(model: FaceModel, origin: Array, direction: Array) -> Array:
    """Distances in mm along rays ``(R, C, 3)`` (head frame) from inside the head to its outermost skin, ears left out.

    The procedural face knows its head beyond its chart; other models are whole heads, whose surface is hit.
    """
    if is_procedural(model):
        return march(origin, direction, 150.0)
    skin = model.faces_of("skin").cpu().numpy()
    corners = head_frame(model)[model.faces.cpu().numpy()[skin]]
    far = _farthest_hits(origin.reshape(-1, 3), direction.reshape(-1, 3), corners)
    radius = far.reshape(origin.shape[:-1])
    hit = radius > 0
    if hit.mean() < _CLOSED:
        raise InputError(f"hair needs a closed head, and {1 - hit.mean():.0%} of this {model.kind} is open")
    # rays through the eyes and between the lips find no skin: there the nearest skin counts
    nearest = ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True)
    radius = radius[tuple(nearest)]
    # An opening removes ears and folds; what it lowers elsewhere is less than the hair's own lift.
    return ndimage.gaussian_filter(ndimage.grey_opening(radius, (3, 7), mode=("nearest", "wrap")), 0.7, mode="nearest")


def _farthest_hits(origin: Array, direction: Array, corners: Array) -> Array:
    """:func:`_farthest_hit` of many rays ``(N, 3)``; each meets the surrounding spheres of few of the triangles."""
    centre = corners.mean(1)
    reach = np.linalg.norm(corners - centre[:, None], axis=2).max(1) + 1e-6
    found = np.zeros(len(origin))
    for start in np.unique(origin, axis=0):
        away = centre - start
        square = np.square(away).sum(1) - np.square(reach)
        for ray in np.flatnonzero((origin == start).all(1)):
            along = away @ (direction[ray] / np.linalg.norm(direction[ray]))
            found[ray] = _farthest_hit(start, direction[ray], corners[along * along >= square])
    return found


def _farthest_hit(origin: Array, direction: Array, corners: Array) -> float:
    """The largest distance along a ray at which it hits triangles ``(F, 3, 3)``; 0 where it hits none."""
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    distance, _, _ = crossings(origin, direction, a, ab, ac, slack=1e-9)
    return float(distance.max(initial=0.0))


def above_the_collar(model: FaceModel) -> Tensor:
    """The faces ``(F, 3)`` that a studio draws: a whole head's own shoulders are left to the clothes, which do not turn
    with the head."""
    if is_procedural(model):
        return model.faces.cpu()
    height = torch.from_numpy(head_frame(model)[:, 1])[model.faces.cpu()]
    return model.faces.cpu()[(height > _COLLAR).all(1)]


class BackOfHead(nn.Module):
    """The skull behind the ears and the nape, continued from the chart by repeating its border colours; nothing for a
    whole head."""

    def __init__(self, model: FaceModel, canvas: Canvas) -> None:
        super().__init__()
        if not is_procedural(model):
            self.follow = Follower(model, np.zeros((0, 3)))
            self.register_buffer("faces", torch.zeros(0, 3, dtype=torch.int64))
            self.register_buffer("normals", torch.zeros(0, 3))
            self.register_buffer("uv", torch.zeros(0, 2))
            return
        columns, rows = 49, 41
        theta = np.linspace(-np.pi, np.pi, columns)
        share = np.linspace(0, 1, rows)
        height = np.interp(share, [0, 0.45, 1], [30, 30, -205])
        elevation = np.deg2rad(np.interp(share, [0, 0.45, 1], [89, 0, 0]))
        height, angle = np.meshgrid(height, theta, indexing="ij")
        elevation = np.repeat(elevation[:, None], columns, 1)
        direction = np.stack(
            [np.sin(angle) * np.cos(elevation), np.sin(elevation), np.cos(angle) * np.cos(elevation)], -1
        )
        origin = np.stack([0 * height, height, np.interp(height, [-120, -60], [-18, 0])], -1)
        points = origin + (march(origin, direction, 190.0) - 1.2)[..., None] * direction
        normal = _grid_normals(points)
        flat = points.reshape(-1, 3)
        mean = head_frame(model)
        away, nearest = cKDTree(mean).query(flat)
        flat = flat - normal.reshape(-1, 3) * np.clip(2.0 - 0.3 * away, 0, 2)[:, None]
        faces = grid_faces(rows, columns)
        used = (away[faces] > 5).any(1)
        self.register_buffer("faces", torch.from_numpy(faces[used]))
        self.follow = Follower(model, flat)
        self.register_buffer("normals", torch.tensor(normal.reshape(-1, 3), dtype=torch.float32))
        inset = 1.5 / canvas.size
        self.register_buffer("uv", model.uv.cpu()[torch.from_numpy(nearest)].clamp(inset, 1 - inset))

    faces: Tensor
    normals: Tensor
    uv: Tensor


class Clothes(NamedTuple):
    vertices: Tensor  # (B, N, 3) dm, object frame, before any turning
    normals: Tensor  # (B, N, 3)
    colours: Tensor  # (B, N, 3)


class Bust(nn.Module):
    """Shoulders in a garment: crew neck, V-neck, shirt or high collar; plain, striped or flecked."""

    rows, columns = 36, 121

    def __init__(self) -> None:
        super().__init__()
        b = np.linspace(0, 1, self.rows)
        a = np.linspace(-np.pi, np.pi, self.columns)  # 0 in front, positive to the subject's left
        out, around = np.meshgrid(b, a, indexing="ij")
        side, front = np.sin(around), np.cos(around)
        side_power = np.sign(side) * np.abs(side) ** 0.85
        x = side_power * (58 + 177 * out**1.15)
        z = -22 + front * (61 + 45 * out**0.7) + 6 * np.clip(front, 0, 1) * np.sin(np.pi * out)
        # the trapezius slopes to the shoulders; front and back fall steeply
        y = -106 - 62 * out**1.1 * np.abs(side) ** 0.7 - (34 + 150 * out) * (1 - np.abs(side) ** 1.5) * out**0.45
        y = y - 12 * np.clip(front, 0, 1) * (1 - out)
        points = np.stack([x, y, z], -1)
        self.register_buffer("rest", to_object(points.reshape(-1, 3)))
        self.register_buffer("normals", torch.tensor(_grid_normals(points).reshape(-1, 3), dtype=torch.float32))
        self.register_buffer("faces", torch.from_numpy(grid_faces(self.rows, self.columns)))
        self.register_buffer("out", torch.tensor(out.reshape(-1), dtype=torch.float32))
        self.register_buffer("around", torch.tensor(around.reshape(-1), dtype=torch.float32))

    rest: Tensor
    normals: Tensor
    faces: Tensor
    out: Tensor
    around: Tensor

    def forward(self, numbers: Tensor, skin: Tensor) -> Clothes:
        """``numbers``: the factor ``clothes``; ``skin (B, 3)``: its colour at the neck."""
        draw = Draw(numbers)
        kind = draw.choice([0.4, 0.2, 0.25, 0.15])  # crew, V, shirt, high
        grey, vivid = draw.uniform(0.10, 0.85), draw.skewed(1.6, 0.45)
        hue = torch.stack([draw.normal(), draw.normal(), draw.normal()], 1)
        hue = hue - hue.mean(1, keepdim=True)
        colour = (grey[:, None] + vivid[:, None] * 0.4 * hue).clamp(0.05, 0.92)
        second = (colour + draw.normal(0, 0.22)[:, None]).clamp(0.05, 0.92)
        out, around = self.out[None], self.around[None]
        front = torch.cos(around).clamp_min(0)
        is_v, is_shirt, is_high = ((kind == k).to(skin.dtype)[:, None] for k in (1, 2, 3))
        neckline = 0.10 + 0.05 * draw.uniform()[:, None] + is_v * 0.40 * smoothstep(0.6, 1.0, front) ** 1.5
        neckline = neckline + is_shirt * (0.22 * smoothstep(0.86, 1.0, front) - 0.04) - 0.12 * is_high
        cloth = smoothstep(neckline - 0.03, neckline + 0.03, out)
        ridge = torch.exp(-(((out - neckline - 0.03) / 0.035) ** 2))
        lift = ridge * (0.03 + 0.05 * is_shirt + 0.05 * is_high) + 0.02 * cloth
        stripes = 0.5 + 0.5 * torch.tanh(6 * torch.sin(out * draw.uniform(30, 70)[:, None]))
        patterned = draw.chance(0.22)[:, None] * stripes
        tone = blend(colour[:, None], second[:, None], patterned[..., None])
        tone = tone * (1 - 0.22 * torch.exp(-(((out - neckline - 0.085) / 0.03) ** 2)))[..., None]
        folds = 1 + 0.07 * torch.sin(7 * around + 5 * out) * smoothstep(0.2, 0.5, out)
        colours = blend(skin[:, None].expand(-1, out.shape[1], -1), tone * folds[..., None], cloth[..., None])
        vertices = self.rest + self.normals * lift[..., None]
        return Clothes(vertices, self.normals.expand(len(skin), -1, -1), colours)


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """Triangles ``(F, 3)`` of a grid whose columns run to +x when seen from +z, rows downward: counter-clockwise."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a = (row * columns + column).reshape(-1)
    b, c, d = a + 1, a + columns, a + columns + 1
    return np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])


def _grid_normals(points: Array) -> Array:
    down, across = np.gradient(points, axis=(0, 1))
    normal = np.cross(down, across)
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
