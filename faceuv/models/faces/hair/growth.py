"""Centre lines of locks on the mean head: from their roots they follow the comb over the skull, then hang."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceuv.models.faces.hair.hairline import clear_azimuth, grows
from faceuv.models.faces.hair.skull import CENTRE, Skull, locate, look_up, outward, placed
from faceuv.models.faces.hair.styles import HairStyle
from faceuv.models.faces.procedural.sdf import Array

_WHORL = np.array([6.0, 105.0, -62.0])
_STRIDE = 5.0  # mm per step of growth
_BEHIND = np.deg2rad(112)  # azimuth behind which long hair hangs below the chin
_HANGS = 22.0  # mm that a hanging lock is long, at least
_SMOOTHINGS, _BENT = 3, 25.0  # rounds; mm: shorter locks have no kinks
_FROM = -4.0  # z, mm: hair before it falls over the forehead as a fringe
_FRINGE = 3.0  # mm that a fringe hangs off its place: beside the forehead the head falls back, and the fringe with it
_LEAST = 1.2  # mm off the skin
_CUT = (5.0, 18.0)  # mm above the border of a bust where long locks end


@dataclass(frozen=True, eq=False)
class Locks:
    """lines ``(N, S+1, 3)`` mm, head frame; up ``(N, S+1, 3)`` unit, away from what the lock lies on; width ``(N,)``
    mm; level ``(N,)`` 0 for the innermost locks … 1 for the outermost; shade ``(N, S+1)`` of light that arrives."""

    lines: Array
    up: Array
    width: Array
    level: Array
    shade: Array

    @staticmethod
    def joined(first: Locks, second: Locks) -> Locks:
        """Both, one after the other."""
        names = ("lines", "up", "width", "level", "shade")
        return Locks(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names))


def grow(skull: Skull, style: HairStyle, rng: np.random.Generator, density: float = 1.0) -> Locks:
    """The locks of a style; the same generator state gives the same locks."""
    count = max(round(style.cards * density), 40)
    roots = _roots(skull, style, rng, count)
    level = (np.arange(len(roots)) * 0.61803398875 + rng.random()) % 1.0
    locks = (
        _tufts(skull, style, rng, roots, level) if style.comb == "tuft" else _combed(skull, style, rng, roots, level)
    )
    if style.tail == "ponytail":
        locks = Locks.joined(locks, _ponytail(_knot(skull, style), style, rng, max(round(150 * density), 30)))
    if style.tail == "bun":
        locks = Locks.joined(locks, _bun(_knot(skull, style), style, rng, max(round(170 * density), 40)))
    return _cut(locks, skull)


def _cut(locks: Locks, skull: Skull) -> Locks:
    """Locks that would hang below a bust end raggedly above its border."""
    lines = locks.lines
    ragged = _CUT[0] + (_CUT[1] - _CUT[0]) * ((7.13 * locks.level) % 1.0)
    above = lines[..., 1] - skull.floor(lines) - ragged[:, None]
    long = np.flatnonzero((above[:, 1:] < 0).any(1))
    if not len(long):
        return locks
    rows = lines.shape[1]
    last = 1 + (above[long, 1:] < 0).argmax(1)  # the first place that is too low
    before, after = above[long, last - 1], above[long, last]
    share = np.clip(before / np.maximum(before - after, 1e-9), 0, 1)
    place = (np.maximum(last - 1 + share, 1.0) / (rows - 1))[:, None] * np.arange(rows)
    low = np.minimum(place.astype(int), rows - 2)
    part, own = place - low, long[:, None]

    def between(values: Array) -> Array:
        t = part[..., None] if values.ndim == 3 else part
        changed = values.copy()
        changed[long] = values[own, low] * (1 - t) + values[own, low + 1] * t
        return changed

    return Locks(between(lines), _unit(between(locks.up)), locks.width, locks.level, between(locks.shade))


def _knot(skull: Skull, style: HairStyle) -> Array:
    """Where hair is tied, a little off the back of the skull."""
    angle = np.deg2rad(style.knot)
    return _on(skull.bare, CENTRE + 90.0 * np.array([[0.0, np.sin(angle), -np.cos(angle)]]), 5.0)[0]


def _roots(skull: Skull, style: HairStyle, rng: np.random.Generator, count: int) -> Array:
    """About evenly spread over what lies above the hairline."""
    k = np.arange(4 * count)
    height = 1 - 1.75 * (k + 0.5) / len(k)
    turn = np.pi * (1 + 5**0.5) * k + 0.3 * rng.standard_normal(len(k))
    ring = np.sqrt(1 - height**2)
    points: Array = CENTRE + 92.0 * np.stack([ring * np.sin(turn), height, ring * np.cos(turn)], -1)
    points = _on(skull.bare, points, 0.0)
    inside = grows(points, style) > 1.5 + 3.0 * rng.random(len(points))
    row, column, _ = locate(points)
    on_ear = look_up(skull.raw - skull.bare, row, column) > 6
    found = points[inside & ~on_ear]
    order = rng.permutation(len(found))[:count]
    found = found[np.sort(order)]
    if style.comb not in ("part", "crown"):
        return found
    more = _parting(skull, style, rng) if style.comb == "part" else _whorl(skull, rng)
    return np.concatenate([found, more[grows(more, style) > 0]])


def _whorl(skull: Skull, rng: np.random.Generator) -> Array:
    """Roots close together around the whorl, from which hair is combed every way."""
    count = 48
    turn, radius = rng.uniform(0, 2 * np.pi, count), 14.0 * np.sqrt((np.arange(count) + 0.5) / count)
    points: Array = _on(
        skull.bare, _WHORL + np.stack([np.cos(turn), 0 * turn, np.sin(turn)], -1) * radius[:, None], 0.0
    )
    return points


def _parting(skull: Skull, style: HairStyle, rng: np.random.Generator) -> Array:
    """Roots close together along both sides of the parting."""
    z = np.repeat(np.arange(-78.0, 92.0, 2.2), 2)
    x = style.part + np.tile([-1.0, 1.0], len(z) // 2) * rng.uniform(0.4, 2.2, len(z))
    high = np.sqrt(np.maximum(92.0**2 - x**2 - (z - CENTRE[2]) ** 2, 25.0))
    points: Array = _on(skull.bare, np.stack([x, CENTRE[1] + high, z + rng.normal(0, 0.8, len(z))], -1), 0.0)
    return points


def _on(table: Array, points: Array, lift: Array | float) -> Array:
    row, column, _ = locate(points)
    return placed(points, look_up(table, row, column) + lift)


def _combed(skull: Skull, style: HairStyle, rng: np.random.Generator, roots: Array, level: Array) -> Locks:
    count = len(roots)
    on_top = _step(15.0, 70.0, roots[:, 1])
    length = (style.side + (style.top - style.side) * on_top) * rng.uniform(0.82, 1.12, count)
    bottom = np.full(count, -1e3)
    beside = np.abs(np.arctan2(roots[:, 0], roots[:, 2] - CENTRE[2]))
    if style.end is None and style.comb != "knot":  # barbers thin hair out towards its edge
        length = length * (0.4 + 0.6 * _step(0.0, 14.0, grows(roots, style)))
    fringed = np.zeros(count, bool)
    if style.end is not None:
        bottom = style.end + rng.normal(0, 5.0, count) - 12.0 * _step(1.5, 3.1, beside)
    if style.fringe is not None:
        fringed = (beside < np.deg2rad(50)) & (roots[:, 1] > 40) & (roots[:, 2] > _FROM)
        curve = 6.0 * (beside / np.deg2rad(50)) ** 2
        bottom = np.where(fringed, style.fringe - curve + rng.normal(0, 2.5, count), bottom)
        length = np.where(fringed, 400.0, length)
    thick = (style.thick[1] + (style.thick[0] - style.thick[1]) * on_top) * (0.25 + 0.75 * level)
    thick = np.where(fringed, np.minimum(thick, 5 + 6 * level), thick)
    thick = thick * rng.uniform(0.85, 1.12, count)
    if style.end is None and style.comb != "knot":
        thick = thick * (0.5 + 0.5 * _step(0.0, 16.0, grows(roots, style)))
    if style.comb == "part":
        thick = thick * (0.15 + 0.85 * _step(0.0, 38.0, np.abs(roots[:, 0] - style.part)))
    side = np.where(roots[:, 0] >= style.part, 1.0, -1.0)
    front = np.where(fringed, 1.0, style.front)
    knot = _knot(skull, style)

    steps = int(min(np.max(length), 420.0) / _STRIDE) + 2
    point = placed(roots, locate(roots)[2] + 0.3)
    up = outward(point)
    lift = 0.9 * style.lift
    heading = _unit(_comb(style, point, side, knot, front) + lift * up + 0.10 * rng.standard_normal(point.shape))
    path, alive = [point], np.ones(count, bool)
    arc = np.zeros(count)
    arcs = [arc]
    hangs = style.end is not None
    for _ in range(steps):
        up = outward(point)
        comb = _comb(style, point, side, knot, front)
        free = _step(12.0, -45.0, point[:, 1]) if hangs else 0.0 * arc
        free = np.where(fringed, _step(72.0, 45.0, point[:, 1]), free)
        wanted = _unit(comb + np.array([0.0, -0.12, 0.0])) * (1 - free)[:, None]
        wanted = wanted + free[:, None] * np.array([0.0, -1.0, 0.0])
        heading = _unit(0.62 * heading + 0.38 * wanted)
        moved = point + _STRIDE * heading
        if style.comb == "part" or hangs:
            moved = _behind_shoulders(_cleared(moved, style, ~fringed))
        row, column, distance = locate(moved)
        bare, outer = look_up(skull.bare, row, column), look_up(skull.outer, row, column)
        ground = np.where(fringed | (not hangs), bare, outer)
        rise = _step(0.0, 26.0, arc + _STRIDE)
        fall = 1.0 if hangs or style.comb == "knot" else _step(1.25, 0.35, (arc + _STRIDE) / length)
        fall = np.where(fringed, 0.3 + 0.7 * _step(0.0, 40.0, point[:, 1] - bottom), fall)
        height = _LEAST + thick * rise * fall
        least = np.where((free > 0) & ~fringed, _LEAST + 0.55 * thick * rise, height * 0.85)
        most = height + 1.5 + np.where(fringed, _FRINGE, 160.0) * free**2
        moved = placed(moved, np.clip(distance, ground + least, ground + most))
        arrived = np.linalg.norm(moved - knot, axis=1) < 17 if style.comb == "knot" else moved[:, 1] < bottom
        alive &= ~arrived & (arc < length)
        point = np.where(alive[:, None], moved, point)
        arc = arc + np.where(alive, np.linalg.norm(point - path[-1], axis=1), 0.0)
        path.append(point)
        arcs.append(arc)
    total, whole = arc, np.stack(path, 1)
    long = total > _BENT
    whole[long] = _smooth(whole[long], skull)
    lines = _resampled(whole, np.stack(arcs, 1), style.steps)
    lines = _swung(lines, style, total, rng)
    shade = 0.84 + 0.16 * _step(0.0, 25.0, along(style.steps) * total[:, None])
    darkest = 0.70 if hangs else 0.80
    shade = shade * (darkest + (1 - darkest) * level[:, None])
    width = style.width * rng.uniform(0.8, 1.2, count)
    keep = total > 0.3 * np.minimum(length, 30.0)
    if hangs:  # the rest ends at its root, under hair that hangs over it
        keep &= total > _HANGS
    return Locks(lines[keep], outward(lines)[keep], width[keep], level[keep], shade[keep])


def _comb(style: HairStyle, point: Array, side: Array, knot: Array, front: Array) -> Array:
    """The way hair is combed at points on the head, along its surface; ``front (N,)`` as the style has it."""
    radial = _unit(point - _WHORL)
    on_top = _step(30.0, 75.0, point[:, 1])[:, None]
    if style.comb == "crown":
        forward = _step(-15.0, 45.0, point[:, 2]) * _step(35.0, 62.0, point[:, 1])
        radial = radial * np.stack([0 * forward + 1, 0 * forward + 1, 1 - forward * (1 - front)], 1)
        way = radial + on_top * np.array([style.sweep, 0.0, 0.0])
    elif style.comb == "part":
        share = _step(-80.0, -25.0, point[:, 2])[:, None]
        aside = np.stack([side, np.full(len(side), -0.30), np.full(len(side), -0.22)], 1)
        way = share * aside + (1 - share) * radial
    elif style.comb == "back":
        share = _step(-75.0, -25.0, point[:, 2])[:, None]
        way = share * np.array([0.0, -0.15, -1.0]) + (1 - share) * np.array([0.0, -1.0, -0.1])
    else:
        way = knot - point
    normal = outward(point)
    return _unit(way - (way * normal).sum(1, keepdims=True) * normal)


def _cleared(point: Array, style: HairStyle, which: Array) -> Array:
    """Locks that would cover the face are moved towards its side."""
    azimuth = np.arctan2(point[:, 0], point[:, 2] - CENTRE[2])
    clear = clear_azimuth(point[:, 1], style)
    short = np.clip(clear - np.abs(azimuth), 0, None) * which
    return _turned(point, azimuth + np.where(azimuth >= 0, 1.0, -1.0) * 0.5 * short)


def _behind_shoulders(point: Array) -> Array:
    """Locks beside the neck fall behind the shoulders."""
    azimuth = np.arctan2(point[:, 0], point[:, 2] - CENTRE[2])
    short = np.clip(_BEHIND - np.abs(azimuth), 0, None) * _step(-70.0, -130.0, point[:, 1])
    return _turned(point, azimuth + np.sign(azimuth) * 0.25 * short)


def _turned(point: Array, azimuth: Array) -> Array:
    level = np.hypot(point[:, 0], point[:, 2] - CENTRE[2])
    return np.stack([level * np.sin(azimuth), point[:, 1], CENTRE[2] + level * np.cos(azimuth)], 1)


def _swung(lines: Array, style: HairStyle, total: Array, rng: np.random.Generator) -> Array:
    """Waves that neighbours share, and curls that they do not."""
    if not style.wave and not style.curl:
        return lines
    arc = along(style.steps)[None] * total[:, None]
    up = outward(lines)
    down = _unit(np.gradient(lines, axis=1))
    across = _unit(np.cross(down, up))
    azimuth = np.arctan2(lines[:, 0, 0], lines[:, 0, 2] - CENTRE[2])
    phase = 2.0 * np.sin(2 * azimuth + rng.uniform(0, 6)) + 0.5 * rng.standard_normal(len(lines))
    grown = _step(25.0, 110.0, arc)
    swing = style.wave * grown * np.sin(arc / 14.0 + phase[:, None])
    moved = lines + swing[..., None] * across + 0.5 * np.abs(swing)[..., None] * up
    if style.curl:
        turn = arc / 11.0 * rng.uniform(0.8, 1.2, (len(lines), 1)) + rng.uniform(0, 2 * np.pi, (len(lines), 1))
        radius = style.curl * _step(0.0, 45.0, arc) * rng.uniform(0.7, 1.2, (len(lines), 1))
        moved = moved + (radius * np.cos(turn))[..., None] * across + (radius * (np.sin(turn) + 0.6))[..., None] * up
    return moved


def _tufts(skull: Skull, style: HairStyle, rng: np.random.Generator, roots: Array, level: Array) -> Locks:
    """Short locks every way in shells over the head: hair too curly to hang."""
    count = len(roots)
    above = grows(roots, style)
    on_top = _step(0.0, 70.0, roots[:, 1])
    thick = style.thick[1] + (style.thick[0] - style.thick[1]) * on_top
    height = _LEAST + thick * _step(-14.0, 46.0, above) * np.sqrt(level) * rng.uniform(0.9, 1.06, count)
    centre: Array = _on(skull.bare, roots, height)
    up = outward(centre)
    way: Array = rng.standard_normal(centre.shape)
    way = _unit(way - (way * up).sum(1, keepdims=True) * up)
    tilt = rng.uniform(-0.55, 0.55, (count, 1))
    way = _unit(way + tilt * up)
    places = np.linspace(-0.5, 0.5, style.steps + 1)
    length = style.top * rng.uniform(0.75, 1.2, count)
    lines: Array = centre[:, None] + places[None, :, None] * length[:, None, None] * way[:, None]
    row, column, distance = locate(lines)
    lines = placed(lines, np.maximum(distance, look_up(skull.bare, row, column) + _LEAST))
    across = np.cross(way, up)
    lean = _unit(up + rng.uniform(-0.8, 0.8, (count, 1)) * across)
    shade = np.repeat((0.45 + 0.55 * np.sqrt(level))[:, None], style.steps + 1, 1)
    return Locks(
        lines, np.repeat(lean[:, None], style.steps + 1, 1), style.width * rng.uniform(0.8, 1.2, count), level, shade
    )


def _ponytail(knot: Array, style: HairStyle, rng: np.random.Generator, count: int) -> Locks:
    """A tail from the knot: out, then down."""
    _, y, z = knot
    level = (np.arange(count) * 0.61803398875) % 1.0
    turn = rng.uniform(0, 2 * np.pi, count)
    spread = np.sqrt(level)[:, None]
    ring = np.stack([np.cos(turn), 0.7 * np.sin(turn)], 1)
    t = along(style.steps)[None]
    length = rng.uniform(0.82, 1.0, (count, 1)) * 230.0
    girth = 9.0 + 19.0 * np.sin(np.pi * np.clip(0.12 + 0.75 * t, 0, 1))
    middle_z = z - 4 - 42.0 * np.sin(np.pi * np.clip(0.9 * t, 0, 1)) ** 0.8 + 8 * t
    middle_y = y + 10 * np.sin(np.pi * np.clip(4 * t, 0, 1)) - length * t**1.25
    lines = np.stack(
        [ring[:, :1] * spread * girth, middle_y + 0 * turn[:, None], middle_z + ring[:, 1:] * spread * girth], -1
    )
    up = np.stack([ring[:, 0], 0 * turn, ring[:, 1]], 1)[:, None] + np.array([0, 0.15, -0.25])
    shade = (0.6 + 0.4 * level[:, None]) * (0.7 + 0.3 * _step(0.0, 0.2, t))
    return Locks(lines, _unit(np.repeat(up, style.steps + 1, 1)), 12 * rng.uniform(0.8, 1.2, count), level, shade)


def _bun(knot: Array, style: HairStyle, rng: np.random.Generator, count: int) -> Locks:
    """Locks wound around a ball at the knot."""
    axis = outward(knot[None])[0]
    centre = knot + 10.0 * axis
    level = (np.arange(count) * 0.61803398875) % 1.0
    first = _unit(np.cross(axis, [1.0, 0.0, 0.0]))
    second = np.cross(axis, first)
    polar = np.arccos(rng.uniform(-0.35, 0.98, count))[:, None]
    t = along(style.steps)[None]
    turn = rng.uniform(0, 2 * np.pi, (count, 1)) + 1.5 * t
    polar = polar + 0.35 * (t - 0.5)
    way = (
        np.sin(polar)[..., None] * (np.cos(turn)[..., None] * first + np.sin(turn)[..., None] * second)
        + np.cos(polar)[..., None] * axis
    )
    lines = centre + way * (22.0 + 7.0 * level)[:, None, None] * np.array([1.12, 1.0, 1.0])
    shade = (0.55 + 0.45 * level)[:, None] * (0.8 + 0.2 * np.sin(np.pi * t))
    return Locks(lines, way, 11 * rng.uniform(0.8, 1.2, count), level, shade)


def along(steps: int) -> Array:
    """Shares of a lock's length at which it bends: denser at the root, where it turns from the skin."""
    places: Array = np.linspace(0, 1, steps + 1) ** 1.35
    return places


def _smooth(path: Array, skull: Skull) -> Array:
    """Polylines ``(N, T, 3)`` without their kinks: hair bends little by little. Roots stay, and nothing sinks into the
    skin."""
    for _ in range(_SMOOTHINGS):
        path = np.concatenate(
            [path[:, :1], 0.25 * path[:, :-2] + 0.5 * path[:, 1:-1] + 0.25 * path[:, 2:], path[:, -1:]], 1
        )
    row, column, distance = locate(path[:, 1:])
    lifted = placed(path[:, 1:], np.maximum(distance, look_up(skull.bare, row, column) + _LEAST))
    return np.concatenate([path[:, :1], lifted], 1)


def _resampled(path: Array, arcs: Array, steps: int) -> Array:
    """Polylines ``(N, T, 3)`` with arc lengths ``(N, T)`` at the ``steps + 1`` places of :func:`along`."""
    total = arcs[:, -1:]
    wanted = along(steps)[None] * total
    index = (arcs[:, None, 1:-1] <= wanted[:, :, None]).sum(2)
    rows = np.arange(len(path))[:, None]
    low, high = arcs[rows, index], arcs[rows, index + 1]
    share = np.clip((wanted - low) / np.maximum(high - low, 1e-9), 0, 1)[..., None]
    return path[rows, index] * (1 - share) + path[rows, index + 1] * share


def _step(start: float, stop: float, value: Array) -> Array:
    t = np.clip((value - start) / (stop - start), 0, 1)
    smooth: Array = t * t * (3 - 2 * t)
    return smooth


def _unit(vectors: Array) -> Array:
    found: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return found
