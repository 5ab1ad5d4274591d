"""Skin, lips, brows, eyes and the mouth's inside: a complexion painted on the template's vertices.

Skin colour is a base attenuated by melanin and haemoglobin (Beer–Lambert). Painting is done in linear light; the result
is encoded for display, as every image and albedo of the library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceuv.models.faces.procedural import eye, mouth
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.grid import CURVES
from faceuv.models.faces.procedural.sdf import Array, smoothstep
from faceuv.models.faces.procedural.template import Template

_BASE = np.array([0.93, 0.77, 0.68], np.float32)
_MELANIN = np.array([0.40, 0.72, 1.10], np.float32)
_HAEMOGLOBIN = np.array([0.06, 0.55, 0.42], np.float32)
_GAMMA = 2.2

HAIR = {
    "black": (0.030, 0.024, 0.020),
    "brown": (0.080, 0.050, 0.034),
    "chestnut": (0.16, 0.09, 0.05),
    "fair": (0.30, 0.20, 0.11),
    "red": (0.26, 0.10, 0.04),
    "grey": (0.36, 0.35, 0.34),
}
IRIS = {
    "dark": (0.11, 0.060, 0.036),
    "brown": (0.20, 0.11, 0.055),
    "hazel": (0.30, 0.22, 0.10),
    "green": (0.25, 0.34, 0.20),
    "blue": (0.22, 0.34, 0.48),
    "grey": (0.36, 0.41, 0.45),
}


@dataclass(frozen=True)
class Complexion:
    """One person's colours; the defaults are the middle of the range."""

    melanin: float = 0.45
    haemoglobin: float = 0.18
    blush: float = 0.25
    hair: tuple[float, float, float] = HAIR["brown"]
    iris: tuple[float, float, float] = IRIS["brown"]
    brow_thickness: float = 1.0
    brow_arch: float = 0.0  # mm
    brow_density: float = 0.8
    stubble: float = 0.0
    lip_colour: tuple[float, float, float] = (0.55, 0.16, 0.18)
    lipstick: float = 0.0
    eye_shadow: float = 0.0
    lashes: float = 0.6
    tiredness: float = 0.3
    patches: tuple[int, ...] = ()  # seeds of large-scale unevenness, none by default


def random_complexion(rng: np.random.Generator) -> Complexion:
    """A plausible person's colours."""
    melanin = float(rng.beta(1.9, 2.6) * 1.35)
    man = bool(rng.random() < 0.5)
    dark = melanin > 0.7
    hair = "black" if dark or rng.random() < 0.35 else str(rng.choice(list(HAIR)))
    iris = "dark" if dark or rng.random() < 0.35 else str(rng.choice(list(IRIS)))
    shade = float(rng.uniform(0.75, 1.2))
    return Complexion(
        melanin=melanin,
        haemoglobin=float(rng.uniform(0.03, 0.33)),
        blush=float(rng.uniform(0, 0.5)),
        hair=_scaled(HAIR[hair], shade),
        iris=_scaled(IRIS[iris], shade),
        brow_thickness=float(rng.uniform(0.8, 1.25) * (1.1 if man else 0.9)),
        brow_arch=float(rng.normal(0, 0.6)),
        brow_density=float(rng.uniform(0.6, 0.95)),
        stubble=float(rng.beta(0.7, 1.6)) if man else 0.0,
        lip_colour=(float(rng.uniform(0.45, 0.7)), float(rng.uniform(0.08, 0.22)), float(rng.uniform(0.1, 0.26))),
        lipstick=float(rng.uniform(0.3, 0.8)) if not man and rng.random() < 0.4 else 0.0,
        eye_shadow=float(rng.uniform(0.2, 0.5)) if not man and rng.random() < 0.4 else 0.0,
        lashes=float(rng.uniform(0.4, 0.7) if man else rng.uniform(0.6, 1.0)),
        tiredness=float(rng.uniform(0, 0.8)),
        patches=tuple(int(s) for s in rng.integers(0, 2**31, 2)),
    )


def _scaled(colour: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    return (colour[0] * by, colour[1] * by, colour[2] * by)


class Painter:
    """Paints complexions on one template; every mask that does not depend on the person is made once."""

    def __init__(self, template: Template) -> None:
        self._template = template
        x, y, z = np.abs(template.positions[:, 0]), template.positions[:, 1], template.positions[:, 2]
        v, along = template.v, np.abs(template.lid_along)

        def spot(cx: float, cy: float, wide: float, high: float) -> Array:
            return np.exp(-(((x - cx) / wide) ** 2) - ((y - cy) / high) ** 2)

        lips = lip_coverage(template)
        seam = sum(np.exp(-(((v - CURVES[e]) / 0.007) ** 2)) for e in ("upper_lip_edge", "lower_lip_edge"))
        moustache = spot(0, -52, 26, 9) * smoothstep(-45, -49, y)
        whiskers = smoothstep(32, 48, x) * smoothstep(-22, -56, y) * smoothstep(-12, 10, z)
        beard = np.clip(moustache + smoothstep(-64, -76, y) + whiskers, 0, 1) * smoothstep(-124, -106, y) * (1 - lips)
        lid = smoothstep(CURVES["brow"] + 0.01, CURVES["upper_lid"] - 0.012, v) * (v <= CURVES["upper_lid"])
        crease = np.exp(-(((v - CURVES["crease"]) / 0.008) ** 2)) * smoothstep(1.2, 0.9, along)
        upper = np.exp(-(((v - CURVES["upper_lid"] + 0.002) / 0.008) ** 2)) * smoothstep(1.08, 0.95, along)
        lower = np.exp(-(((v - CURVES["lower_lid"] - 0.001) / 0.006) ** 2)) * smoothstep(1.0, 0.8, along)
        ears = smoothstep(70, 80, x) * smoothstep(8, -4, z) * smoothstep(-48, -30, y) * smoothstep(28, 12, y)
        masks = {
            "cheeks": spot(38, -27, 17, 13),
            "around_eye": spot(31, -11, 15, 5),
            "flush": 0.18 * spot(0, -34, 10, 8) * (z > 95)
            + 0.10 * spot(0, -95, 16, 9)
            + 0.14 * ears
            + 0.08 * spot(31, 8, 15, 5)
            - 0.05 * spot(0, 40, 40, 20),
            "shade": 0.06 * spot(18, -4, 5, 8) + 0.08 * spot(31, 9, 17, 5) + 0.08 * smoothstep(-100, -118, y),
            "beard": beard,
            "lips": 0.9 * lips,
            "lid": lid * smoothstep(1.25, 0.9, along),
            "lashes": 0.85 * (upper + 0.4 * lower),
            "dark": (1 - 0.45 * np.clip(seam, 0, 1) * smoothstep(1.08, 0.98, template.mouth_along))
            * (1 - 0.18 * crease)
            * (1 - 0.8 * nostril_coverage(template)),
        }
        self._masks = {name: mask.astype(np.float32) for name, mask in masks.items()}
        self._eye = np.flatnonzero(template.in_eye)
        self._mouth = np.flatnonzero(template.in_mouth)
        self._mouth_colour = mouth_colour(template.pocket_t[self._mouth], template.mouth_along[self._mouth])
        self._brow = np.flatnonzero(brow_coverage(template.positions, thickness=1.6) > 1e-3)

    def paint(self, c: Complexion) -> Array:
        """Display-referred RGB ``(V, 3)`` in [0, 1]."""
        m = self._masks
        colour = self._skin(c)
        shadow = 0.4 * (colour.mean(0) + np.array(c.hair))
        colour = _over(colour, shadow, 0.42 * c.stubble * m["beard"])
        lips = _tone(0.22 + 0.75 * c.melanin, 0.72 + 0.5 * c.haemoglobin)
        colour = _over(colour, lips + (np.array(c.lip_colour) - lips) * c.lipstick, m["lips"])
        cover = brow_coverage(self._template.positions[self._brow], thickness=c.brow_thickness, arch=c.brow_arch)
        colour[self._brow] = _over(colour[self._brow], np.array(c.hair), 0.88 * c.brow_density * cover)
        colour = colour * (m["dark"] * (1 - 0.65 * c.eye_shadow * m["lid"]))[:, None]
        colour = _over(colour, np.array([0.05, 0.03, 0.025]), np.minimum(c.lashes * m["lashes"], 0.9))
        colour[self._mouth] = self._mouth_colour
        colour[self._eye] = self._eyeball(c)
        return np.clip(colour, 0, 1).astype(np.float32) ** np.float32(1 / _GAMMA)

    def _skin(self, c: Complexion) -> Array:
        m = self._masks
        blood = c.haemoglobin + (0.18 + 0.35 * c.blush) * m["cheeks"] + m["flush"]
        blood = blood + (0.05 + 0.15 * c.tiredness) * m["around_eye"]
        melanin = c.melanin + (0.04 + 0.20 * c.tiredness) * m["around_eye"] + m["shade"]
        if c.patches:
            melanin = melanin + (0.05 * c.melanin + 0.015) * self._unevenness(c.patches[0])
            blood = blood + 0.035 * self._unevenness(c.patches[1])
        return _tone(melanin[:, None], blood[:, None])

    def _unevenness(self, seed: int) -> Array:
        """Smooth unit-variance noise, about 12 mm wide; sampled coarsely so that every resolution sees the same."""
        from scipy.ndimage import gaussian_filter

        noise = np.random.default_rng(seed).standard_normal((41, 33), np.float32)
        noise = gaussian_filter(noise, 2.5, mode="nearest")
        noise /= noise.std()
        grid = self._template.grid
        return _bilinear(noise, grid.v * 40, (grid.u + 1) * 16).reshape(-1)

    def _eyeball(self, c: Complexion) -> Array:
        template, eyes = self._template, self._eye
        cx, cy, _ = eye.centre(Anatomy())
        along, v = template.lid_along[eyes], template.v[eyes]
        pink = np.clip(0.8 * smoothstep(-0.75, -1.0, along) + 0.25 * smoothstep(0.82, 1.05, along), 0, 1)
        colour = _over(np.broadcast_to([0.80, 0.77, 0.73], (len(eyes), 3)), np.array([0.68, 0.36, 0.32]), pink)
        x, y, _ = template.positions[eyes].T
        radius = np.hypot(np.abs(x) - cx, y - cy - 0.3)
        glow = 0.75 + 0.7 * smoothstep(5.6, 2.4, radius)
        iris = _over(np.array(c.iris) * glow[:, None], 0.25 * np.array(c.iris), smoothstep(4.9, 5.9, radius))
        colour = _over(colour, iris, smoothstep(6.3, 5.6, radius))
        colour = _over(colour, np.array([0.012, 0.010, 0.010]), smoothstep(3.0, 2.3, radius))
        t = (v - CURVES["upper_lid"]) / (CURVES["lower_lid"] - CURVES["upper_lid"])
        shade = 0.50 * np.exp(-((t / 0.15) ** 2)) + 0.12 * np.exp(-(((1 - t) / 0.1) ** 2))  # cast by the lids
        return colour * (1 - shade)[:, None]


def mouth_colour(t: Array, along: Array) -> Array:
    """Linear RGB of the mouth's inside: upper teeth, tongue, darkness."""
    dark, enamel, tongue = (np.array(rgb) for rgb in ((0.10, 0.02, 0.02), (0.78, 0.74, 0.66), (0.42, 0.13, 0.13)))
    first, last = mouth.TEETH
    teeth = smoothstep(first - 0.02, first + 0.05, t) * smoothstep(last + 0.03, last - 0.02, t)
    colour = _over(np.broadcast_to(dark, (len(t), 3)), enamel, teeth * smoothstep(0.9, 0.7, along))
    first, last = mouth.TONGUE
    return _over(colour, tongue, smoothstep(first, first + 0.1, t) * smoothstep(0.95, 0.6, along))


def lip_coverage(template: Template) -> Array:
    """``(V,)`` in [0, 1]: how much of each vertex is vermilion."""
    y, v = template.positions[:, 1], template.v
    corner = smoothstep(1.03, 0.92, template.mouth_along)
    upper = smoothstep(-0.6, 0.6, template.lip_top - y) * (v <= CURVES["upper_lip_edge"] + 1e-9)
    upper = upper * (v > CURVES["upper_lip_top"] - 0.03)
    lower = smoothstep(-0.6, 0.6, y - template.lip_bottom) * (v >= CURVES["lower_lip_edge"] - 1e-9)
    lower = lower * (v < CURVES["lower_lip_bottom"] + 0.03)
    return np.clip(upper + lower, 0, 1) * corner


def nostril_coverage(template: Template) -> Array:
    """``(V,)`` in [0, 1]: the openings of the nose."""
    x, y, z = np.abs(template.positions[:, 0]), template.positions[:, 1], template.positions[:, 2]
    return np.exp(-((((x - 6.8) / 3.3) ** 2 + ((y + 42.4) / 3.2) ** 2) ** 1.5)) * (z > 94)


def brow_line(x: Array, arch: float = 0.0) -> tuple[Array, Array]:
    """Height of the brow's middle at distance ``x`` from the midline, and the position along it, 0 … 1."""
    t = np.clip((x - 13) / 36, -0.2, 1.2)
    return 16.6 + (4.4 + arch) * np.sin(np.pi * np.clip(t, 0, 1) ** 1.15 * 0.82) - t, t


def brow_coverage(positions: Array, thickness: float = 1.0, arch: float = 0.0) -> Array:
    """``(N,)`` in [0, 1]: how much of each position ``(N, 3)`` mm is eyebrow."""
    x, y, z = np.abs(positions[:, 0]), positions[:, 1], positions[:, 2]
    middle, t = brow_line(x, arch)
    half = 4.0 * thickness * (1 - 0.62 * np.clip(t, 0, 1) ** 1.5)
    cover = np.exp(-(np.abs((y - middle) / half) ** 2.6))
    return cover * smoothstep(-0.04, 0.12, t) * smoothstep(1.04, 0.85, t) * (z > 30)


def _tone(melanin: Array | float, haemoglobin: Array | float) -> Array:
    return _BASE * np.exp(-(melanin * _MELANIN + haemoglobin * _HAEMOGLOBIN))


def _over(below: Array, above: Array, cover: Array) -> Array:
    return (below + (above - below) * cover[:, None]).astype(np.float32, copy=False)


def _bilinear(image: Array, rows: Array, columns: Array) -> Array:
    i = np.minimum(rows.astype(int), image.shape[0] - 2)
    j = np.minimum(columns.astype(int), image.shape[1] - 2)
    fi, fj = (rows - i)[:, None], (columns - j)[None]
    top = image[i][:, j] * (1 - fj) + image[i][:, j + 1] * fj
    bottom = image[i + 1][:, j] * (1 - fj) + image[i + 1][:, j + 1] * fj
    return top * (1 - fi) + bottom * fi
