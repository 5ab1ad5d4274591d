"""The surface that hair lies on: distances from the middle of the head on a grid, upward as a sphere, downward as a
cylinder. Every grid point keeps its place on the skin, so that it moves with the person."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.cap import neck_border
from faceuv.models.faces.hair.stored import stored
from faceuv.models.faces.hair.surroundings import Follower, crossings, head_frame, is_procedural, march
from faceuv.models.faces.procedural.build import MM_PER_DM
from faceuv.models.faces.procedural.sdf import Array

CENTRE = np.array([0.0, 22.0, -12.0])  # mm, head frame
_POLAR = 18  # steps of 5° from the crown to the horizon
_DOWN, _STEP = 34, 8.0  # rows below, mm apart
_COLUMNS = 72
_WIDEST = 112.0  # mm: hair hangs before and behind shoulders, it does not lie on them
_NARROWEST = -110.0  # mm, head frame: below, what hair lies over does not widen to the shoulders
_CLOSED = 0.9  # of the rays above the ears that must meet skin
_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class Skull:
    """Distances in mm on a grid ``(R, C)`` over the mean head; columns are azimuths from −π, 0 in front.

    bare   the skin without ears: what roots grow on
    outer  the skin with ears, smoothed: what hair lies over
    raw    the skin that the rays met
    """

    bare: Array
    outer: Array
    raw: Array
    faces: np.ndarray | None  # (R·C, 3) vertices of the triangle at each grid point
    weights: Array | None  # (R·C, 3) their shares; rows of 0 where no ray met skin
    follower: Follower | None  # of a face that is open at the back
    border: Array | None = None  # (L, 3) mm, head frame: the lower border of a bust

    @classmethod
    def of(cls, model: FaceModel) -> Skull:
        """The skull of a face model, made once."""
        if model not in _KNOWN:
            _KNOWN[model] = cls._build(model)
        return _KNOWN[model]

    @classmethod
    def _build(cls, model: FaceModel) -> Skull:
        origin, direction = rays()
        if is_procedural(model):
            raw = march(origin, direction, 150.0)
            follower = Follower(model, (origin + raw[..., None] * direction).reshape(-1, 3))
            return cls(*_smoothed(raw), raw, None, None, follower)
        if model.part is None:
            raise InputError(
                f"hair needs a whole head with parts, and this {model.kind} is an open face; transfer the face first:"
                " face.to('ICTFaceKit')"
            )
        kept = stored(model, "skull", lambda: _cast(model), lambda tensors: _sound(tensors, len(model.mean)))
        raw, faces, weights = (kept[name].numpy() for name in ("raw", "faces", "weights"))
        bust = kept["border"].numpy() if "border" in kept else None
        return cls(*_smoothed(raw), raw, faces, weights, None, bust)

    def floor(self, points: Array) -> Array:
        """The height of the bust's border below ``points (…, 3)``, mm, head frame; −∞ without a bust."""
        if self.border is None:
            return np.full(points.shape[:-1], -np.inf)
        middle = (self.border.max(0) + self.border.min(0)) / 2
        around, azimuth = (np.arctan2(p[..., 0] - middle[0], p[..., 2] - middle[2]) for p in (self.border, points))
        order = around.argsort()
        found: Array = np.interp(azimuth, around[order], self.border[order, 1], period=2 * np.pi)
        return found

    def moved(self, model: FaceModel, identity: Tensor) -> Array:
        """How far the grid points of one person ``identity (1, I)`` are from the mean's, ``(R, C, 3)`` mm."""
        from scipy import ndimage

        with torch.no_grad():
            if self.follower is not None:
                follower = self.follower.to(identity.device)
                offsets = (follower(identity) - follower.rest)[0].cpu().numpy()
            else:
                assert self.faces is not None and self.weights is not None
                still = identity.new_zeros(1, model.expression_basis.shape[2])
                change = (model.shape(identity, still)[0] - model.mean).cpu().numpy()
                offsets = (change[self.faces] * self.weights[..., None]).sum(1)
        table = offsets.astype(np.float64).reshape(*self.raw.shape, 3) * MM_PER_DM
        smooth: Array = ndimage.gaussian_filter(table, (1.0, 1.0, 0), mode=("nearest", "wrap", "nearest"))
        return smooth


def rays() -> tuple[Array, Array]:
    """Origins and unit directions ``(R, C, 3)`` of the grid, head frame."""
    azimuth: Array = -np.pi + 2 * np.pi * np.arange(_COLUMNS) / _COLUMNS
    polar: Array = np.concatenate([np.linspace(0, np.pi / 2, _POLAR + 1), np.full(_DOWN, np.pi / 2)])
    height = CENTRE[1] - np.concatenate([np.zeros(_POLAR + 1), _STEP * np.arange(1, _DOWN + 1)])
    polar, azimuth = np.meshgrid(polar, azimuth, indexing="ij")
    direction = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1)
    origin = np.stack([0 * polar, np.repeat(height[:, None], _COLUMNS, 1), 0 * polar + CENTRE[2]], -1)
    return origin, direction


def locate(points: Array) -> tuple[Array, Array, Array]:
    """Points ``(…, 3)`` mm, head frame → row and column of the grid, and their distance from its axis or centre."""
    away = points - CENTRE
    level = np.hypot(away[..., 0], away[..., 2])
    above = away[..., 1] >= 0
    polar = np.arctan2(level, np.maximum(away[..., 1], 0))
    row = np.where(above, polar / (np.pi / 2) * _POLAR, _POLAR - np.minimum(away[..., 1], 0) / _STEP)
    column = (np.arctan2(away[..., 0], away[..., 2]) + np.pi) / (2 * np.pi) * _COLUMNS
    return row, column, np.where(above, np.linalg.norm(away, axis=-1), level)


def look_up(table: Array, row: Array, column: Array) -> Array:
    """A table ``(R, C)`` or ``(R, C, K)`` between its grid points; columns go round."""
    i = np.clip(np.floor(row).astype(int), 0, len(table) - 2)
    a = np.clip(row - i, 0, 1)
    j = np.floor(column).astype(int)
    b = column - j
    if table.ndim == 3:
        a, b = a[..., None], b[..., None]
    left, right = j % _COLUMNS, (j + 1) % _COLUMNS
    found: Array = (1 - a) * ((1 - b) * table[i, left] + b * table[i, right]) + a * (
        (1 - b) * table[i + 1, left] + b * table[i + 1, right]
    )
    return found


def outward(points: Array) -> Array:
    """Unit directions away from the centre, or from the axis below it."""
    away = points - CENTRE
    away = np.stack([away[..., 0], np.maximum(away[..., 1], 0), away[..., 2]], -1)
    found: Array = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
    return found


def placed(points: Array, distance: Array) -> Array:
    """The points moved along :func:`outward` to ``distance`` from the centre or the axis."""
    foot = np.broadcast_to(CENTRE, points.shape).copy()
    foot[..., 1] = np.minimum(points[..., 1], CENTRE[1])
    found: Array = foot + outward(points) * distance[..., None]
    return found


def _smoothed(raw: Array) -> tuple[Array, Array]:
    from scipy import ndimage

    wrap = ("nearest", "wrap")
    bare = ndimage.gaussian_filter(ndimage.grey_opening(raw, (3, 11), mode=wrap), 0.8, mode=wrap)
    wide = ndimage.gaussian_filter(ndimage.grey_dilation(raw, (3, 3), mode=wrap), 1.2, mode=wrap)
    outer = np.maximum(wide, bare)
    lowest = _POLAR + round((CENTRE[1] - _NARROWEST) / _STEP)
    outer[lowest + 1 :] = np.minimum(outer[lowest + 1 :], outer[lowest])
    return bare, outer


def _cast(model: FaceModel) -> dict[str, Tensor]:
    """What the rays meet of a whole head: see :class:`Skull`; ``border`` of a bust alone."""
    from scipy import ndimage

    origin, direction = rays()
    skin = model.faces.cpu().numpy()[model.faces_of("skin").cpu().numpy()]
    raw, faces, weights = _hits(head_frame(model), skin, origin, direction)
    hit = raw > 0
    if hit[:_POLAR].mean() < _CLOSED:
        raise InputError(
            f"hair needs a closed head, and {1 - hit[:_POLAR].mean():.0%} of this {model.kind} is open above the"
            " ears; transfer the face first: face.to('ICTFaceKit')"
        )
    nearest = ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True)
    flat = np.ravel_multi_index(tuple(nearest), raw.shape).reshape(-1)
    filled = raw.reshape(-1)[flat].reshape(raw.shape).clip(0, _WIDEST)
    border = neck_border(head_frame(model), skin, None if model.weld is None else model.weld.cpu().numpy())
    bust = None if border is None else head_frame(model)[border]
    found = {"raw": filled, "faces": faces[flat], "weights": weights[flat]} | ({} if bust is None else {"border": bust})
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()}


def _sound(tensors: dict[str, Tensor], vertices: int) -> bool:
    """Whether stored arrays are those of a skull of so many vertices."""
    shape = (_POLAR + 1 + _DOWN, _COLUMNS)
    raw, faces, weights, border = tensors["raw"], tensors["faces"], tensors["weights"], tensors.get("border")
    return (
        raw.shape == shape and faces.shape == weights.shape == (shape[0] * shape[1], 3)
        and raw.dtype == weights.dtype == torch.float64 and faces.dtype == torch.int64
        and 0 <= int(faces.min()) and int(faces.max()) < vertices
        and bool(raw.isfinite().all() and weights.isfinite().all())
        and (border is None or (border.ndim == 2 and border.shape[1] == 3 and border.dtype == torch.float64))
    )  # fmt: skip


def _hits(points: Array, faces: Array, origin: Array, direction: Array) -> tuple[Array, np.ndarray, Array]:
    """The farthest hit of each ray: distance ``(R, C)``, 0 where there is none; triangle and shares per ray."""
    rows, columns = origin.shape[:2]
    distance: Array = np.zeros((rows, columns))
    corners = np.zeros((rows, columns, 3), np.int64)
    weights: Array = np.zeros((rows, columns, 3))
    a, ab, ac = (
        points[faces[:, 0]],
        points[faces[:, 1]] - points[faces[:, 0]],
        points[faces[:, 2]] - points[faces[:, 0]],
    )
    height = points[faces][..., 1]
    away = points[faces] - CENTRE
    away /= np.linalg.norm(away, axis=2, keepdims=True)
    centre = away.mean(1)
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    wide = (away * centre[:, None]).sum(2).min(1) - _ROUNDING  # cosine of the angle that a triangle takes
    polar, radius = np.arccos(centre[:, 1].clip(-1, 1)), np.arccos((wide - _ROUNDING).clip(-1, 1))
    low, high = height.min(1), height.max(1)
    across = np.stack([direction[-1, :, 2], -direction[-1, :, 0]])  # level, at right angles to the rays of the columns
    aside = (points - CENTRE)[:, [0, 2]] @ across
    for i in range(rows):
        if i <= _POLAR:
            level = np.flatnonzero(np.abs(polar - np.pi / 2 * i / _POLAR) < radius)
            ray, near = np.nonzero(direction[i] @ centre[level].T > wide[level])
        else:
            level = np.flatnonzero((low <= origin[i, 0, 1]) & (high >= origin[i, 0, 1]))
            sides = aside[faces[level]]
            ray, near = np.nonzero(((sides.min(1) < _ROUNDING) & (sides.max(1) > -_ROUNDING)).T)
        near = level[near]
        t, u, v = crossings(origin[i, ray], direction[i, ray], a[near], ab[near], ac[near], slack=1e-6)
        order = np.lexsort((-np.arange(len(t)), t, ray))  # the last of each ray is its farthest, of equals the first
        last = order[np.flatnonzero(np.diff(ray[order], append=columns))]
        last = last[t[last] > 0]
        hit = ray[last]
        distance[i, hit], corners[i, hit] = t[last], faces[near[last]]
        weights[i, hit] = np.stack([1 - u[last] - v[last], u[last], v[last]], 1)
    return distance, corners.reshape(-1, 3), weights.reshape(-1, 3)


_KNOWN: WeakKeyDictionary[FaceModel, Skull] = WeakKeyDictionary()
