"""Where on a head things are: soft masks of lips, lids, cheeks, beard, scalp, …, from canonical coordinates."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from faceuv.models.faces.appearance.curves import signed_distance, smoothstep

Made = TypeVar("Made")
SEEN_FROM_FRONT = 60.0  # mm: features of the face lie before this plane

ZONES = (
    "lips", "lower_lip", "lip_line", "lip_rim", "philtrum",
    "cheeks", "nose", "nostrils", "ears", "chin", "forehead", "temples", "jaw", "neck", "below_neck",
    "perioral", "nasolabial", "under_eye", "upper_lid", "lid_crease", "lash_line", "lower_lash_line", "socket",
    "inner_corner", "sunny", "moustache", "goatee", "whiskers", "scalp",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Regions:
    """Soft masks in [0, 1] of N points ``(29, N)``, in the order of ZONES, and their canonical coordinates ``(N, 3)``
    mm."""

    points: Tensor
    stacked: Tensor

    @functools.cached_property
    def masks(self) -> dict[str, Tensor]:
        """Zone → mask ``(N,)``."""
        return dict(zip(ZONES, self.stacked))

    def total(self, weights: Mapping[str, Tensor | float]) -> Tensor:
        """``(N,)``: the sum of masks with their weights."""
        row = torch.zeros(len(ZONES))
        for name, weight in weights.items():
            row[ZONES.index(name)] = weight
        return row.to(self.stacked) @ self.stacked

    def __getitem__(self, name: str) -> Tensor:
        return self.masks[name]


def kept_for_regions(made: Callable[[Regions], Made]) -> Callable[[Regions], Made]:
    """What a function gives for some regions, kept as long as they are."""
    known: weakref.WeakKeyDictionary[Regions, Made] = weakref.WeakKeyDictionary()

    @functools.wraps(made)
    def kept(regions: Regions) -> Made:
        if regions not in known:
            known[regions] = made(regions)
        return known[regions]

    return kept


def find_regions(points: Tensor, skin: Tensor, normals: Tensor) -> Regions:
    """Masks of points at canonical ``(N, 3)`` mm, of which ``skin (N,)`` says which lie on skin; ``normals (N, 3)``
    tell the inside of the nose from its outside."""
    x, y, z = points[:, 0].abs(), points[:, 1], points[:, 2]

    def spot(cx: float, cy: float, wide: float, high: float) -> Tensor:
        return torch.exp(-(((x - cx) / wide) ** 2) - ((y - cy) / high) ** 2)

    front = smoothstep(20, 50, z)
    masks = _mouth(points, normals) | _eyes(points)
    outside = 1 - masks["lips"]
    masks["philtrum"] = spot(0, -50, 4, 7) * front * outside
    masks["cheeks"] = spot(38, -27, 18, 14) * front
    masks["nose"] = (spot(0, -33, 15, 11) * smoothstep(92, 102, z) + 0.5 * spot(12, -38, 7, 7)).clamp(0, 1) * front
    masks["nostrils"] = _nostrils(points, normals)
    ears = smoothstep(73, 80, x) * smoothstep(14, 4, z) * smoothstep(-60, -44, z)
    masks["ears"] = ears * smoothstep(-54, -42, y) * smoothstep(28, 16, y)
    masks["chin"] = spot(0, -93, 18, 10) * front
    masks["forehead"] = spot(0, 44, 44, 22) * front
    masks["temples"] = spot(58, 18, 14, 18) * smoothstep(10, 40, z)
    below = smoothstep(-60, -84, y) * smoothstep(-10, 30, z)
    masks["jaw"] = below * smoothstep(-122, -104, y)
    masks["neck"] = smoothstep(-100, -122, y + 0.35 * (95 - z).clamp(0, 60)) * smoothstep(-60, -20, z)
    masks["below_neck"] = smoothstep(-150, -185, y)
    masks["perioral"] = spot(0, -65, 32, 20) * front * outside
    fold = 19.5 + (-36 - y) * 0.42
    line = torch.exp(-(((x - fold) / 4.5) ** 2)) * smoothstep(-34, -41, y) * smoothstep(-76, -62, y)
    masks["nasolabial"] = line * front * outside
    masks["sunny"] = (spot(0, -18, 14, 22) + spot(40, -16, 16, 12) + 0.7 * spot(0, 45, 42, 20)).clamp(0, 1) * front
    masks |= _hair(x, y, z, outside)
    return Regions(points, torch.stack([masks[name] * skin for name in ZONES]))


def _nostrils(points: Tensor, normals: Tensor) -> Tensor:
    """The insides of the nose: skin near a nostril's axis that faces it."""
    mask = points.new_zeros(len(points))
    for side in (-1.0, 1.0):
        away = points - points.new_tensor([6.8 * side, -33.0, 100.0])
        away[:, 1] = 0.8 * away[:, 1]
        reach = away.norm(dim=1)
        rows = (reach < 14).nonzero()[:, 0]
        facing = (away[rows] * normals[rows]).sum(1) / reach[rows].clamp_min(1.0)
        # the lip under a nostril faces it too, and is no part of it
        above = smoothstep(-44.0, -42.6, points[rows, 1])
        found = smoothstep(0.15, -0.35, facing) * smoothstep(12, 9, reach[rows]) * above
        mask[rows] = torch.maximum(mask[rows], found)
        # where the nose is closed, the roofs of two shallow hollows
        reach = (points - points.new_tensor([7.1 * side, -39.8, 104.4])).norm(dim=1)
        roof = smoothstep(4.2, 2.2, reach) * smoothstep(-0.60, -0.85, normals[:, 1])
        mask = torch.maximum(mask, roof)
    return mask


def _near(points: Tensor, x: tuple[float, float], y: tuple[float, float]) -> Tensor:
    inside = (points[:, 0] > x[0]) & (points[:, 0] < x[1]) & (points[:, 1] > y[0]) & (points[:, 1] < y[1])
    return (inside & (points[:, 2] > SEEN_FROM_FRONT)).nonzero()[:, 0]


def _mouth(points: Tensor, normals: Tensor) -> dict[str, Tensor]:
    """Vermilion: between the lips' outer contour and the inside of the mouth, which faces backwards."""
    found = {name: points.new_zeros(len(points)) for name in ("lips", "lower_lip", "lip_line", "lip_rim")}
    rows = _near(points, (-34, 34), (-86, -46))
    x, y, z = points[rows].unbind(1)
    outer = signed_distance(points[rows, :2], "lips")
    # the seam of closed lips: a shallow bow through the corners
    seam = -64.0 + 1.0 * (x / 22) ** 2
    backwards = smoothstep(0.15, -0.25, normals[rows, 2]) * smoothstep(6.0, 3.0, outer)
    lips = torch.maximum(smoothstep(0.9, -1.1, outer), backwards)
    found["lips"][rows] = lips
    # near the seam the way that a lip faces tells the lower one, which faces up, from the upper one
    up = normals[rows, 1]
    lower = smoothstep(-0.8, 0.8, seam - y + 2.5 * up)
    touching = smoothstep(0.55, 0.95, up * (2 * lower - 1)) * torch.exp(-(((y - seam) / 3.0) ** 2))
    found["lower_lip"][rows] = lips * lower
    deep = smoothstep(97, 90, z + 6.0 * (x / 22) ** 2)
    found["lip_line"][rows] = lips * torch.maximum(touching, deep)
    found["lip_rim"][rows] = torch.exp(-(((outer - 1.2) / 1.3) ** 2))
    return found


def _eyes(points: Tensor) -> dict[str, Tensor]:
    names = ("under_eye", "upper_lid", "lid_crease", "lash_line", "lower_lash_line", "socket", "inner_corner")
    found = {name: points.new_zeros(len(points)) for name in names}
    for side, name in ((-1.0, "eye_right"), (1.0, "eye_left")):
        x_range = (min(4 * side, 66 * side), max(4 * side, 66 * side))
        rows = _near(points, x_range, (-26, 26))
        y, z = points[rows, 1], points[rows, 2]
        x = points[rows, 0] * side
        outside = signed_distance(points[rows, :2], name)
        # the lids' line: from the inner to the outer corner
        level = -0.5 + (x - 15.5) * (1.6 / 30.5)
        above, below = smoothstep(-0.6, 0.6, y - level), smoothstep(-0.6, 0.6, level - y)
        within = smoothstep(12.5, 15.5, x) * smoothstep(49, 45, x)
        lashes = smoothstep(15, 22, x) * smoothstep(48, 44, x)
        wide = smoothstep(8, 16, x) * smoothstep(60, 48, x)
        near = smoothstep(0.3, -0.4, outside)
        found["socket"][rows] = near * smoothstep(88, 82, z + 0.10 * (x - 28).abs())
        found["upper_lid"][rows] = above * wide * smoothstep(9.0, 4.0, outside) * smoothstep(-1, 0.3, outside)
        found["lid_crease"][rows] = torch.exp(-(((outside - 4.6) / 0.8) ** 2)) * above * within
        found["lash_line"][rows] = torch.exp(-(((outside - 0.1) / 0.8) ** 2)) * above * lashes
        found["lower_lash_line"][rows] = torch.exp(-(((outside - 0.3) / 0.6) ** 2)) * below * lashes
        hollow = torch.exp(-((((x - 27) / 15) ** 2) + ((y + 12 - 0.10 * (x - 27)) / 6.5) ** 2))
        found["under_eye"][rows] = hollow * smoothstep(0.0, 2.5, outside) * below
        found["inner_corner"][rows] = torch.exp(-(((x - 13.5) / 3.5) ** 2) - ((y + 1) / 4.0) ** 2)
    return found


def _hair(x: Tensor, y: Tensor, z: Tensor, outside: Tensor) -> dict[str, Tensor]:
    """Where beards and hair grow."""
    front = smoothstep(20, 45, z)
    moustache = torch.exp(-((x / 27) ** 4) - (((y + 51.5) / 6.5) ** 2)) * smoothstep(-43, -47, y) * front
    goatee = smoothstep(-74, -80, y) * smoothstep(38, 24, x) + 0.8 * torch.exp(
        -(((x - 29) / 5) ** 2) - ((y + 66) / 12) ** 2
    )
    under = smoothstep(-132, -112, y)
    edge = -40 - 0.60 * (x - 40).clamp(-22, 18)
    whiskers = smoothstep(2, -16, y - edge) * smoothstep(26, 40, x) * smoothstep(-14, 8, z)
    sideburn = smoothstep(60, 66, x) * smoothstep(14, 22, z) * smoothstep(44, 36, z)
    whiskers = torch.maximum(whiskers, sideburn * smoothstep(14, 4, y))
    ear = smoothstep(72, 78, x) * smoothstep(18, 8, z) * smoothstep(-46, -30, z) * smoothstep(28, 16, y)
    # the hairline: high over the forehead, down before the ears, behind them and around the nape
    line = 68.0 - 0.30 * (x - 34).clamp_min(0) - 2.2 * (x - 52).clamp_min(0)
    top = smoothstep(-4, 6, y - line) * smoothstep(-30, 0, y + 40)
    back = smoothstep(14, -2, z + 0.12 * (y - 10)) * smoothstep(-66, -46, y)
    scalp = torch.maximum(top, back) * (1 - ear)
    return {
        "moustache": moustache * outside,
        "goatee": goatee.clamp(0, 1) * front * outside * under,
        "whiskers": whiskers * outside * under,
        "scalp": scalp,
    }
