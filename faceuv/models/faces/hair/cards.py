"""Hair of one person: locks as strips of two triangles per piece, and the roots under them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.growth import along, grow
from faceuv.models.faces.hair.hairline import root_cover
from faceuv.models.faces.hair.skull import Skull, locate, look_up, outward, placed
from faceuv.models.faces.hair.strands import COLUMNS, KINDS
from faceuv.models.faces.hair.styles import STYLES, named_colour, named_style
from faceuv.models.faces.hair.surroundings import head_frame
from faceuv.models.faces.procedural.build import MM_PER_DM, ORIGIN
from faceuv.models.faces.procedural.sdf import Array

_DENSITY = (0.2, 3.0)
_KEPT = 8  # meshes, maps and skins of a face model
_REACH = 30.0  # mm: skin farther away does not push hair
_EAR = 5.0  # mm off the bare skull
_STREAKS, _ROOTS = 0.08, 0.16  # of fair hair: how much lighter and darker its locks are; how much darker its roots
_ROUND = 0.85  # how far normals lean from the cards to the head: cards are flat, a head of hair is round


@dataclass(frozen=True)
class Hair:
    """What hair a face has: a style by name, a colour by name or RGB in [0, 1], a seed, and how dense it is.

    >>> Hair("long", "dark brown", seed=3)           # doctest: +SKIP
    """

    style: str
    colour: str | Sequence[float] = "dark brown"
    seed: int = 0
    density: float = 1.0
    rgb: tuple[float, float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        named_style(self.style)
        object.__setattr__(self, "rgb", named_colour(self.colour))
        if not isinstance(self.colour, str):  # a list, as files keep it, is the same colour
            object.__setattr__(self, "colour", self.rgb)
        whole_number("a seed of hair", self.seed)
        density = self.density
        if (
            isinstance(density, bool)
            or not isinstance(density, (int, float))
            or not _DENSITY[0] <= density <= _DENSITY[1]
        ):
            raise InputError(f"density of hair is a number {_DENSITY[0]} … {_DENSITY[1]}, 1 is common, got {density!r}")

    def facts(self) -> dict[str, Any]:
        """As JSON values; ``Hair(**facts)`` is this one."""
        colour = self.colour if isinstance(self.colour, str) else list(self.rgb)
        return {"style": self.style, "colour": colour, "seed": self.seed, "density": self.density}


@dataclass(frozen=True, eq=False)
class HairMesh:
    """Cards of hair over one head.

    vertices, normals, tangents (N, 3)   float32, decimetres and unit vectors, object frame; tangents run to the tips
    faces (F, 3)                         int64, counter-clockwise from outside
    uv (N, 2)                            in the picture of :func:`~faceuv.models.faces.hair.strands.strand_picture`
    shade (N, 3)                         0 … 1, the colour's share: dark between the locks, light and warm at the tips
    card (F,)                            number of the card of each face
    level (C,)                           per card, 0 innermost … 1 outermost
    """

    vertices: Array
    normals: Array
    tangents: Array
    faces: Array
    uv: Array
    shade: Array
    card: Array
    level: Array


def hair_mesh(model: FaceModel, identity: Tensor, hair: Hair) -> HairMesh:
    """The hair of the person ``identity (1, I)`` on a face model; expressions do not move it."""
    key = (str(hair.facts()), identity.detach().cpu().numpy().tobytes())
    return remembered(model, key, lambda: _grown(model, identity, hair))


def _grown(model: FaceModel, identity: Tensor, hair: Hair) -> HairMesh:
    skull, style = Skull.of(model), named_style(hair.style)
    rng = np.random.default_rng([hair.seed, list(STYLES).index(hair.style)])
    locks = grow(skull, style, rng, hair.density)
    count, rows = locks.lines.shape[:2]
    variants = np.array(KINDS[style.strands])
    column = variants[rng.integers(0, len(variants), count)]
    mirrored = rng.random(count) < 0.5
    roll = rng.normal(0, 0.22, (count, 1, 1))
    tints = _tints(locks.lines[:, 0], hair.rgb, rng)

    down = _unit(np.gradient(locks.lines, axis=1))
    across = _unit(np.cross(down, locks.up))
    across = _unit(across + roll * locks.up)
    t = np.linspace(0, 1, rows) if style.comb == "tuft" else along(rows - 1)
    taper = np.interp(t, [0, 0.15, 0.6, 1], [0.7, 1.0, 1.0, 0.75])
    half = 0.5 * locks.width[:, None, None] * taper[None, :, None] * across
    points: Array = np.stack([locks.lines - half, locks.lines + half], 2)  # (N, S+1, 2, 3)
    place = locate(points)
    points = _outside(points, skull, place)
    moved, skin = remembered(  # all styles of a person share them
        model,
        ("person", identity.detach().cpu().numpy().tobytes()),
        lambda: (skull.moved(model, identity), _skin(model, identity, skull)),
    )
    points = points + look_up(moved, place[0], place[1])
    rooted = _smooth_step(np.linspace(0, 1, rows) * (rows - 1))[None, :, None]
    points = off_skin(points, skin, 1.2 + (0.3 + 2.0 * locks.level[:, None, None]) * rooted)
    face_normal = _unit(np.cross(across, down))
    face_normal = face_normal * np.sign((face_normal * locks.up).sum(-1, keepdims=True) + 1e-9)
    normal = _unit((1 - _ROUND) * face_normal + _ROUND * outward(locks.lines))
    side = np.where(mirrored, -1.0, 1.0)[:, None] * np.array([-1.0, 1.0])
    u = (column[:, None] + 0.5 + 0.49 * side) / COLUMNS
    long = np.linalg.norm(np.diff(locks.lines, axis=1), axis=-1).sum(1)
    first = np.clip(0.07 - 3.0 / long, 0, None)  # of long locks the texture's thin roots would be centimetres
    v = first[:, None] + (1 - first[:, None]) * t
    uv = np.stack(np.broadcast_arrays(u[:, None], v[..., None]), -1)
    start = np.arange(count)[:, None] * rows * 2 + 2 * np.arange(rows - 1)[None]
    a, b, c, d = start, start + 1, start + 2, start + 3
    faces = np.stack([np.stack([a, b, c], -1), np.stack([b, d, c], -1)], 2)
    return HairMesh(
        vertices=_float((points + np.array(ORIGIN)) / MM_PER_DM).reshape(-1, 3),
        normals=_float(np.repeat(normal[:, :, None], 2, 2)).reshape(-1, 3),
        tangents=_float(np.repeat(down[:, :, None], 2, 2)).reshape(-1, 3),
        faces=faces.reshape(-1, 3),
        uv=_float(uv).reshape(-1, 2),
        shade=_float(np.repeat(_shades(locks.shade, t, tints, hair.rgb)[:, :, None], 2, 2)).clip(0, 1).reshape(-1, 3),
        card=np.repeat(np.arange(count), 2 * (rows - 1)),
        level=locks.level,
    )


def _tints(roots: Array, colour: Sequence[float], rng: np.random.Generator) -> Array:
    """``(N, 3)``: no two locks of a head, with their ``roots (N, 3)``, have quite the same colour. Fair hair is
    streaked: neighbours are dark or light together, and some locks for themselves."""
    count, fair = len(roots), _fair(colour)
    waves = rng.normal(0, 1 / 18.0, (3, 3))
    near = np.sin(roots @ waves.T + rng.uniform(0, 2 * np.pi, 3)).sum(1, keepdims=True) / 1.2
    streak = np.tanh(0.6 * near + rng.normal(0, 0.8, (count, 1)))
    lightness = 0.95 * (1 + (0.05 + _STREAKS * fair) * streak)
    warmth = rng.normal(0, 0.015, (count, 1))
    found: Array = lightness * (1 + warmth * np.array([1.0, 0.0, -1.2]))
    return found


def _shades(light: Array, place: Array, tints: Array, colour: Sequence[float]) -> Array:
    """``(N, S, 3)``: the light that arrives, times the colour from root to tip, which sun and time bleach: fair hair
    most."""
    fair = _fair(colour)
    root, near = 0.82 - _ROOTS * fair, 0.90 - 0.5 * _ROOTS * fair
    bleached = np.interp(place, [0, 0.25, 1], [root, near, 1.0 + 0.06 * fair])[None, :, None]
    found: Array = light[..., None] * bleached ** np.array([0.85, 1.0, 1.15]) * tints[:, None]
    return found


def _fair(colour: Sequence[float]) -> float:
    """From 0, brown and darker, to 1, blond."""
    return float(_smooth_step((np.array(colour) @ np.array([0.3, 0.6, 0.1]) - 0.22) / 0.3))


def _skin(model: FaceModel, identity: Tensor, skull: Skull) -> tuple[Array, Array]:
    """The person's skin without ears, which hair lies over: points in mm, head frame, and normals, ``(V, 3)`` each."""
    still = identity.new_zeros(1, model.expression_basis.shape[2])
    with torch.no_grad():
        vertices = model.shape(identity, still)
        normals = vertex_normals(vertices, model.faces, model.weld)[0]
    row, column, distance = locate(head_frame(model))
    skin = distance - look_up(skull.bare, row, column) < _EAR
    if model.part is not None:
        skin &= model.vertices_of("skin").cpu().numpy()
    points = vertices[0].cpu().numpy().astype(np.float64) * MM_PER_DM - np.array(ORIGIN)
    return points[skin], normals.cpu().numpy().astype(np.float64)[skin]


def off_skin(points: Array, skin: tuple[Array, Array], clearance: Array) -> Array:
    """Points ``(…, 3)`` that lie deeper than ``clearance`` (broadcast to ``(…)``) over the skin are lifted to it."""
    from scipy.spatial import cKDTree

    flat = points.reshape(-1, 3)
    distance, index = cKDTree(skin[0]).query(flat, k=3, distance_upper_bound=_REACH)
    near = np.isfinite(distance[:, -1])
    weight = 1 / (distance[near] ** 2 + 1.0)
    weight = (weight / weight.sum(1, keepdims=True))[..., None]
    normal = skin[1][index[near]]
    over = ((flat[near, None] - skin[0][index[near]]) * normal).sum(-1, keepdims=True)
    height = (weight * over).sum(1)[:, 0]
    wanted = np.broadcast_to(clearance, points.shape[:-1]).reshape(-1)[near]
    lifted = flat.copy()
    lifted[near] += np.maximum(wanted - height, 0)[:, None] * _unit((weight * normal).sum(1))
    return lifted.reshape(points.shape)


def _smooth_step(value: Array) -> Array:
    t = np.clip(value, 0, 1)
    smooth: Array = t * t * (3 - 2 * t)
    return smooth


def root_map(model: FaceModel, hair: Hair, size: tuple[int, int] | None) -> Tensor:
    """Coverage by roots: a map ``(1, 1, H, W)`` over the chart of a face model, or at its vertices ``(V,)``."""
    return remembered(model, (str(hair.facts()), size), lambda: _roots(model, hair, size))


def _roots(model: FaceModel, hair: Hair, size: tuple[int, int] | None) -> Tensor:
    points = head_frame(model)
    ragged = np.random.default_rng(hair.seed).standard_normal(len(points))
    cover = root_cover(points, Skull.of(model), named_style(hair.style), 0.5 * ragged)
    if model.part is not None:
        skin = model.vertices_of("skin").cpu().numpy()
        cover = cover * skin
    at_vertices = torch.from_numpy(cover).to(model.mean)
    if size is None:
        return at_vertices
    return bake(at_vertices[None, :, None], model.chart(*size))


def with_roots(picture: Tensor, cover: Tensor, colour: Sequence[float]) -> Tensor:
    """``picture (B, 3, H, W)`` with roots of a colour over it, in their own shade: little light comes down to them."""
    roots = 0.62 * picture.new_tensor(colour)[None, :, None, None]
    return picture + (roots - picture) * cover.to(picture)


def remembered(model: FaceModel, key: Hashable, make: Callable[[], Any]) -> Any:
    """What ``make`` makes, kept for the last few keys of a face model: a face that turns keeps its hair."""
    known = _KNOWN.setdefault(model, {})
    if key not in known:
        while len(known) >= _KEPT:
            known.pop(next(iter(known)))
        known[key] = make()
    return known[key]


_KNOWN: WeakKeyDictionary[FaceModel, dict[Hashable, Any]] = WeakKeyDictionary()


def _outside(points: Array, skull: Skull, place: tuple[Array, Array, Array]) -> Array:
    """Corners of cards that would lie in the skull are lifted to it."""
    row, column, distance = place
    return placed(points, np.maximum(distance, look_up(skull.bare, row, column) + 0.6))


def _float(array: Array) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)


def _unit(vectors: Array) -> Array:
    found: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return found
