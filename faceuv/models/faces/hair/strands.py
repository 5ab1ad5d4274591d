"""The texture of hair cards: columns of strands with ragged ends, roots on top, drawn strand by strand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from faceuv.models.faces.procedural.sdf import Array

COLUMNS = 8
LIGHTER = 1.3  # times the colour of hair, which is that of whole locks: their strands lie half in shade
KINDS: dict[str, tuple[int, ...]] = {"straight": (0, 1, 2, 3), "curly": (4, 5), "stubble": (6, 7)}
_HEIGHT, _WIDTH = 512, 128  # texels of a column
_LOCKS, _STRANDS = 7, 11  # locks of a column, whose strands run together, and strands of a lock
_Strand = tuple[Array, float, float, float, float]
_FADE = 0.26  # of a strand: its end, which grows thin and clear
_BODY = 0.66  # of a card: down to there its strands lie close together
_WISPS = (2, 3)  # columns with fewer strands: what hangs outermost


@cache
def strand_picture() -> Array:
    """``(4, 512, 1024)`` RGBA in [0, 1]: lightness of single strands, near white, and their coverage."""
    picture: Array = np.concatenate([_column(k) for k in range(COLUMNS)], 2)
    return picture.astype(np.float32)


def _column(number: int) -> Array:
    rng = np.random.default_rng(1000 + number)
    kind = next(name for name, columns in KINDS.items() if number in columns)
    wispy = number in _WISPS
    down = ((np.arange(_HEIGHT) + 0.5) / _HEIGHT)[:, None]
    across = ((np.arange(_WIDTH) + 0.5) / _WIDTH)[None]
    tone, cover = np.full((_HEIGHT, _WIDTH), 0.70), np.zeros((_HEIGHT, _WIDTH))
    for centre, start, tip, half, light in _strands(kind, wispy, down, rng):
        fade = np.clip((down - start) / 0.04, 0, 1) * np.clip((tip - down) / (_FADE * tip), 0, 1) ** 0.6
        centre = 0.5 + 0.46 * np.tanh((centre - 0.5) / 0.46)
        own = np.clip((half * (0.45 + 0.55 * fade) - np.abs(across - centre)) * _WIDTH + 0.5, 0, 1)
        own = own * np.clip(1.6 * fade, 0, 1)
        tone = tone * (1 - own) + light * own
        cover = np.maximum(cover, own)
    if kind == "straight" and not wispy:  # a dense body whose tips alone are single strands
        end = _ends(rng)
        body = np.clip((0.38 - np.abs(across - 0.5)) / 0.12, 0, 1) * np.clip((end - down) / 0.14, 0, 1)
        cover = np.maximum(cover, 0.9 * body * np.clip(down / 0.04, 0, 1))
    edge = np.clip((0.5 - np.abs(across - 0.5)) * _WIDTH / 3, 0, 1) * np.clip((1 - down) * _HEIGHT / 8, 0, 1)
    return np.stack([tone, tone, tone, cover * edge])


def _ends(rng: np.random.Generator) -> Array:
    """``(W,)``: how far down the dense body reaches, ragged: a straight edge would look like the end of a ribbon."""
    wide, fine = (np.interp(np.linspace(0, n - 1, _WIDTH), np.arange(n), rng.uniform(-1, 1, n)) for n in (7, 31))
    ends: Array = _BODY + 0.12 * wide + 0.08 * fine
    return ends


def _strands(kind: str, wispy: bool, down: Array, rng: np.random.Generator) -> Iterator[_Strand]:
    """Centre lines, beginnings, ends, half widths and lightness of strands, the darkest and deepest first."""
    if kind == "stubble":
        for light in np.sort(rng.uniform(0.6, 1.0, 120)):
            start = rng.uniform(0.0, 0.75)
            centre = rng.uniform(0.08, 0.92) + rng.normal(0, 0.1) * (down - start)
            yield centre, start, start + rng.uniform(0.14, 0.32), 0.010, light
        return
    strands = []
    locks = _LOCKS - 3 if wispy or kind == "curly" else _LOCKS
    for lock in range(locks):
        middle = 0.10 + 0.80 * (lock + rng.uniform(0.2, 0.8)) / locks
        drift, bend = rng.normal(0, 0.07), rng.uniform(0, 6.3)
        end, own_light = rng.uniform(0.80, 0.99), rng.uniform(0.74, 0.94)
        swing, turns = (rng.uniform(0.10, 0.18), rng.uniform(12, 20)) if kind == "curly" else (0.02, rng.uniform(3, 7))
        for _ in range(_STRANDS):
            off = rng.normal(0, 0.075 if kind == "straight" else 0.035)
            together = 1 - (0.55 if kind == "straight" else 0.3) * down  # locks taper to their tips
            centre = middle + off * together + drift * down**1.5
            centre = centre + swing * np.sin(turns * down + bend + rng.normal(0, 0.35))
            start = rng.uniform(-0.02, 0.06) if kind == "straight" else rng.uniform(-0.02, 0.2)
            half = rng.uniform(0.007, 0.014)
            strands.append((centre, start, end - abs(rng.normal(0, 0.06)), half, own_light + rng.normal(0, 0.08)))
    strands.sort(key=lambda strand: float(strand[4]))
    for centre, start, tip, half, light in strands:
        yield centre, start, tip, half, float(np.clip(light, 0.45, 1.0))
