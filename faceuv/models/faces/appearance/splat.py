"""Marks of a size in millimetres, drawn on a texture through the surface: pores, freckles, moles, follicles.

A mark is a point of the surface with its triangle's map between millimetres and texels, so its size does not depend on
the chart. Marks next to a UV seam are drawn on both of its sides.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from faceuv.models.faces.appearance.frame import MM_PER_DM
from faceuv.models.faces.appearance.texels import Texels

_WINDOWS = (3, 4, 5, 6, 7, 9, 13, 19, 29, 45)  # sides of the squares of texels in which marks are drawn
_CHUNK = 1 << 21
_FLAT = 1e-12
_KEPT: weakref.WeakKeyDictionary[Texels, Triangles] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Triangles:
    """Per face: area (mm²), texel → mm ``(F, 3, 2)``, the largest stretch (texels per mm), and the face across each
    seam: ``seams (S, 2)`` pairs of faces."""

    corners: Tensor  # (F, 3, 3) mm
    texels: Tensor  # (F, 3, 2)
    area: Tensor
    to_mm: Tensor
    stretch: Tensor
    seams: Tensor

    @classmethod
    def of(cls, texels: Texels) -> Triangles:
        if texels not in _KEPT:
            _KEPT[texels] = cls._build(texels)
        return _KEPT[texels]

    @classmethod
    def _build(cls, texels: Texels) -> Triangles:
        head = texels.head
        corners = head.mean[head.faces] * MM_PER_DM
        places = texels.uv[head.faces] * texels.size
        sides = (corners[:, 1:] - corners[:, :1]).mT  # (F, 3, 2)
        across = (places[:, 1:] - places[:, :1]).mT  # (F, 2, 2)
        area = 0.5 * torch.linalg.cross(sides[..., 0], sides[..., 1]).norm(dim=1)
        det = across[:, 0, 0] * across[:, 1, 1] - across[:, 0, 1] * across[:, 1, 0]
        usable = (det.abs() > _FLAT) & (area > _FLAT)
        inverse = (
            torch.stack(
                [
                    torch.stack([across[:, 1, 1], -across[:, 0, 1]], 1),
                    torch.stack([-across[:, 1, 0], across[:, 0, 0]], 1),
                ],
                1,
            )
            / torch.where(usable, det, torch.ones_like(det))[:, None, None]
        )
        to_mm = sides @ inverse
        gram = to_mm.mT @ to_mm
        half, product = (gram[:, 0, 0] + gram[:, 1, 1]) / 2, gram[:, 0, 0] * gram[:, 1, 1] - gram[:, 0, 1] ** 2
        least = (half - (half * half - product).clamp_min(0).sqrt()).clamp_min(_FLAT)
        area = torch.where(usable, area, torch.zeros_like(area))
        return cls(corners, places, area, to_mm, least.rsqrt(), _seams(texels))


def _seams(texels: Texels) -> Tensor:
    """``(S, 2)``: pairs of faces that share an edge of the welded surface but not of the chart, both ways."""
    faces = texels.head.faces
    if texels.head.weld is None:
        return torch.zeros(0, 2, dtype=torch.int64)
    welded = texels.head.weld[faces]
    count = len(texels.head.weld)
    owners = torch.arange(len(faces)).repeat(3)
    pairs = torch.cat([welded[:, [0, 1]], welded[:, [1, 2]], welded[:, [2, 0]]]).sort(1).values
    own = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    key, chart_key = pairs[:, 0] * count + pairs[:, 1], own[:, 0] * count + own[:, 1]
    order = key.argsort(stable=True)
    same = (key[order][1:] == key[order][:-1]) & (chart_key[order][1:] != chart_key[order][:-1])
    first, second = owners[order][:-1][same], owners[order][1:][same]
    return torch.cat([torch.stack([first, second], 1), torch.stack([second, first], 1)])


@dataclass(frozen=True)
class Marks:
    """M points of the surface: their face, place in texels ``(M, 2)`` and position in mm ``(M, 3)``, and numbers that
    go with each of them."""

    face: Tensor
    texel: Tensor
    position: Tensor
    numbers: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.face)

    def __getitem__(self, rows: Tensor) -> Marks:
        return Marks(
            self.face[rows], self.texel[rows], self.position[rows], {k: v[rows] for k, v in self.numbers.items()}
        )

    def given(self, **numbers: Tensor) -> Marks:
        return replace(self, numbers={**self.numbers, **numbers})


def scatter(texels: Texels, density: Tensor, generator: torch.Generator, spacing: float | None = None) -> Marks:
    """Random points, ``density (F,)`` per mm² of each face; with ``spacing`` (mm) few are much nearer than that: one is
    kept per cube of this side."""
    triangles = Triangles.of(texels)
    expected = triangles.area * density
    end = expected.double().cumsum(0)
    total = int(end[-1]) if len(end) else 0
    if total == 0:
        empty = torch.zeros(0, dtype=torch.int64)
        return Marks(empty, torch.zeros(0, 2), torch.zeros(0, 3), {"chance": torch.zeros(0)})
    drawn = torch.rand(total, 4, generator=generator)
    at = (torch.arange(total) + drawn[:, 0].double()) * (end[-1] / total)
    face = torch.searchsorted(end, at).clamp_max(len(end) - 1)
    root = drawn[:, 1].sqrt()
    weights = torch.stack([1 - root, root * (1 - drawn[:, 2]), root * drawn[:, 2]], 1)[..., None]
    position = (triangles.corners[face] * weights).sum(1)
    place = (triangles.texels[face] * weights).sum(1)
    marks = Marks(face, place, position, {"chance": drawn[:, 3]})
    if spacing is None:
        return marks
    for shift in (0.0, 0.5):  # the second grid parts those that stand on both sides of a wall of the first
        cell = (marks.position / spacing + shift).floor().long() + (1 << 19)
        key = (cell[:, 0] << 40) | (cell[:, 1] << 20) | cell[:, 2]
        _, which = torch.unique(key, return_inverse=True)
        count = len(marks)
        first = torch.full((int(which.max()) + 1,), count).scatter_reduce_(0, which, torch.arange(count), "amin")
        marks = marks[first.sort().values]
    return marks


def draw(
    texels: Texels,
    marks: Marks,
    radius: Tensor,
    value: Callable[[Tensor, Marks], Tensor],
    canvas: Tensor,
    *,
    how: str = "sum",
) -> None:
    """Draw marks onto ``canvas (T·T,)`` in place.

    Args:
        radius: ``(M,)`` mm: how far a mark reaches.
        value: distance in mm ``(m, K)`` and the ``m`` marks → what is added there (``how="sum"``), or of which the
            largest stays (``how="max"``).
    """
    triangles = Triangles.of(texels)
    marks = marks.given(radius=radius)
    marks = _with_seams(triangles, marks)
    reach = marks.numbers["radius"] * triangles.stretch[marks.face]
    reach = reach.clamp_max((_WINDOWS[-1] - 1) / 2)
    side = (2 * reach).floor() + 1  # texel centres within reach, in a row or a column
    low = 0
    for window in _WINDOWS:
        rows = ((side > low) & (side <= window)).nonzero()[:, 0]
        low = window
        for part in rows.split(max(1, _CHUNK // window**2)):
            if len(part):
                _draw(texels, triangles, marks[part], (reach[part], window), value, canvas, how)


def _draw(
    texels: Texels,
    triangles: Triangles,
    marks: Marks,
    within: tuple[Tensor, int],
    value: Callable[[Tensor, Marks], Tensor],
    canvas: Tensor,
    how: str,
) -> None:
    size, (reach, window) = texels.size, within
    side = torch.arange(window)
    first = (marks.texel - 0.5 - reach[:, None]).ceil().long()
    column, row = first[:, :1] + side, first[:, 1:] + side
    dx = column + 0.5 - marks.texel[:, :1]
    dy = row + 0.5 - marks.texel[:, 1:]
    m = triangles.to_mm[marks.face]
    gram = m.mT @ m
    square = (
        gram[:, 0, 0, None, None] * dx[:, None, :] ** 2
        + 2 * gram[:, 0, 1, None, None] * dx[:, None, :] * dy[:, :, None]
        + gram[:, 1, 1, None, None] * dy[:, :, None] ** 2
    )
    flat = (row.clamp(0, size - 1) * size)[:, :, None] + column.clamp(0, size - 1)[:, None, :]
    face = texels.face_id.view(-1)[flat]
    # within reach, on the map, on the chart, and on the mark's own chart
    kept = (square < marks.numbers["radius"][:, None, None] ** 2) & (face >= 0)
    kept &= texels.island[face.clamp_min(0)] == texels.island[marks.face][:, None, None]
    kept &= ((row >= 0) & (row < size))[:, :, None] & ((column >= 0) & (column < size))[:, None, :]
    found = value(square.sqrt().flatten(1), marks).view_as(square)
    kept = kept.view(-1)
    index, values = flat.view(-1)[kept], found.reshape(-1)[kept]
    if how == "sum":
        canvas.index_add_(0, index, values)
    else:
        canvas.scatter_reduce_(0, index, values, "amax")


def _with_seams(triangles: Triangles, marks: Marks) -> Marks:
    """Marks beside a seam once more on the other side, where the neighbour's plane continues."""
    if not len(triangles.seams):
        return marks
    seams = triangles.seams[triangles.seams[:, 0].argsort()]
    start = torch.searchsorted(seams[:, 0].contiguous(), marks.face)
    stop = torch.searchsorted(seams[:, 0].contiguous(), marks.face, right=True)
    extra = []
    for k in range(3):
        rows = (start + k < stop).nonzero()[:, 0]
        other = seams[start[rows] + k, 1]
        rows, other = rows[triangles.area[other] > 0], other[triangles.area[other] > 0]
        corners = triangles.corners[other]
        sides = (corners[:, 1:] - corners[:, :1]).mT
        away = (marks.position[rows] - corners[:, 0])[..., None]
        weights = torch.linalg.solve(sides.mT @ sides + 1e-9 * torch.eye(2), sides.mT @ away)[..., 0]
        places = triangles.texels[other]
        texel = places[:, 0] + ((places[:, 1:] - places[:, :1]) * weights[..., None]).sum(1)
        extra.append(replace(marks[rows], face=other, texel=texel))
    return Marks(
        torch.cat([marks.face, *(e.face for e in extra)]),
        torch.cat([marks.texel, *(e.texel for e in extra)]),
        torch.cat([marks.position, *(e.position for e in extra)]),
        {k: torch.cat([v, *(e.numbers[k] for e in extra)]) for k, v in marks.numbers.items()},
    )
