"""The chart: rows at anatomical curves, columns by azimuth; one square of UV without seams.

A row is a value of ``v`` in [0, 1] (0 over the crown, 1 at the neck), a column a value of ``u`` in [−1, 1] (negative on
the subject's right). Rows are snapped so that every named curve — lid margins, lips, chin — has a row of its own at any
resolution, at the same ``v``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceuv.errors import InputError
from faceuv.models.faces.procedural import eye, mouth
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, smoothstep

# name → v
CURVES: dict[str, float] = {
    "crown": 0.0,
    "hairline": 0.12,
    "forehead": 0.19,
    "brow": 0.27,
    "crease": 0.32,
    "upper_lid": 0.36,
    "lower_lid": 0.44,
    "below_eye": 0.49,
    "mid_nose": 0.56,
    "nose_base": 0.63,
    "upper_lip_top": 0.675,
    "upper_lip_edge": 0.71,
    "lower_lip_edge": 0.775,
    "lower_lip_bottom": 0.82,
    "chin_furrow": 0.85,
    "chin": 0.90,
    "menton": 0.935,
    "throat": 0.965,
    "neck": 1.0,
}
MIN_ROWS, MIN_COLUMNS = 49, 33
_AZIMUTH = (56.0, 58.0)  # degrees: linear and cubic part, so that the front gets most columns


@dataclass(frozen=True)
class Grid:
    """A chart of ``rows × columns`` vertices; ``columns`` is odd, so that a midline exists."""

    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name, value, least in (("rows", self.rows, MIN_ROWS), ("columns", self.columns, MIN_COLUMNS)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
        if self.columns % 2 == 0:
            raise InputError(
                f"columns must be odd, so that the face has a midline, got {self.columns}; try {self.columns + 1}"
            )

    @cached_property
    def u(self) -> Array:
        return np.linspace(-1.0, 1.0, self.columns)

    @cached_property
    def u_half(self) -> Array:
        """The columns of the subject's left half, midline first."""
        return self.u[self.middle :]

    @cached_property
    def v(self) -> Array:
        snapped = [self.row(name) for name in CURVES]
        return np.interp(np.arange(self.rows), snapped, list(CURVES.values()))

    @property
    def middle(self) -> int:
        return self.columns // 2

    def row(self, curve: str) -> int:
        """The row of a named curve."""
        return round(CURVES[curve] * (self.rows - 1))

    def column(self, x: float) -> int:
        """The column whose reference distance from the midline is nearest to ``x`` mm (negative: subject's right)."""
        reference = np.sign(self.u) * reference_x(self.u)
        return int(np.argmin(np.abs(reference - x)))

    def uv(self) -> Array:
        """``(V, 2)`` in [0, 1], (0, 0) at the upper left as the viewer sees the face."""
        return np.stack(np.meshgrid((self.u + 1) / 2, self.v), -1).reshape(-1, 2)

    def mirror(self) -> NDArray[np.int64]:
        """``(V,)``: the vertex on the other side."""
        index = np.arange(self.rows * self.columns).reshape(self.rows, self.columns)
        return index[:, ::-1].reshape(-1).copy()

    def faces(self) -> NDArray[np.int64]:
        """``(F, 3)``, counter-clockwise from outside; the diagonals mirror at the midline."""
        row, column = np.meshgrid(np.arange(self.rows - 1), np.arange(self.columns - 1), indexing="ij")
        a = row * self.columns + column
        b, c, d = a + 1, a + self.columns, a + self.columns + 1
        right = (column < self.middle)[..., None]
        first = np.where(right, np.stack([a, c, d], -1), np.stack([a, c, b], -1))
        second = np.where(right, np.stack([a, d, b], -1), np.stack([b, c, d], -1))
        return np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])

    def unfold(self, half: Array) -> Array:
        """``(rows, half columns, …)`` with a last axis of x, y, z → both halves."""
        other = half[:, :0:-1].copy()
        other[..., 0] *= -1
        return np.concatenate([other, half], axis=1)


@dataclass(frozen=True)
class Rays:
    """Where the chart looks: rays from the axis ``x = z = 0`` at height ``origin`` along unit ``direction``."""

    origin: Array  # (rows, half)
    direction: Array  # (3, rows, half)
    lid_along: Array  # (half,) position along the eye, ±1 at its corners
    mouth_along: Array  # (half,) position along the mouth, 1 at its corner

    def at(self, radius: Array) -> Array:
        """Points ``(3, rows, half)``."""
        points = radius * self.direction
        points[1] += self.origin
        return points


def azimuth(u: Array) -> Array:
    return np.deg2rad(_AZIMUTH[0] * u + _AZIMUTH[1] * u**3)


def reference_x(u: Array) -> Array:
    """Distance from the midline, mm, at which a column meets an average face (without the nose)."""
    theta = np.abs(azimuth(u))
    radius = np.interp(np.rad2deg(theta), [0, 15, 25, 35, 45, 60, 75, 90, 114], [99, 98, 94, 88, 82.5, 75, 71, 71, 74])
    return np.where(theta > 1.5, 75.0, radius * np.sin(theta))


def rays(grid: Grid, q: Anatomy) -> Rays:
    """The rays of the subject's left half for a head of these measures.

    Rows and columns follow the features: wherever a corner of the mouth, an eye or a wing of the nose goes, the same
    vertex goes. Far from the features the chart stays where it is.
    """
    from scipy.interpolate import PchipInterpolator

    u, v = grid.u_half, grid.v
    x = reference_x(u)
    eye_x, mouth_x, nose_x = _feature_x(x, q)
    heights, elevations = _curve_rays(x, eye_x, mouth_x, nose_x, q)
    average = _curve_rays(x, *_feature_x(x, Anatomy()), Anatomy())[0]
    heights = average + (heights - average) * smoothstep(85, 50, x)
    knots = list(CURVES.values())
    origin = PchipInterpolator(knots, heights, axis=0)(v)
    elevation = np.deg2rad(PchipInterpolator(knots, elevations, axis=0)(v))
    shift = _between(v, "brow", "crease", "below_eye", "mid_nose")[:, None] * (eye_x - x)
    shift += _between(v, "nose_base", "upper_lip_top", "lower_lip_bottom", "chin")[:, None] * (mouth_x - x)
    shift += _between(v, "below_eye", "mid_nose", "nose_base", "upper_lip_top")[:, None] * (nose_x - x)
    theta = azimuth(u) + shift / np.maximum(99 * np.cos(azimuth(u)), 30)
    direction = np.stack([np.sin(theta) * np.cos(elevation), np.sin(elevation), np.cos(theta) * np.cos(elevation)])
    top = grid.row("hairline")
    direction[:, : top + 1] = _over_the_crown(u, v[: top + 1] / CURVES["hairline"], direction[:, top])
    return Rays(origin, direction, eye.margins(x, Anatomy())[2], mouth.curves(x, Anatomy()).along)


def _feature_x(x: Array, q: Anatomy) -> tuple[Array, Array, Array]:
    """Where the columns run at the height of the eyes, the mouth and the wings of the nose."""
    along = np.clip(eye.margins(x, Anatomy())[2], -1, 1)
    eye_x = x + (q.eye_distance + q.eye_width * along) * smoothstep(0, 14, x) * smoothstep(80, 48, x)
    mouth_x = x + q.mouth_width * np.minimum(x / mouth.HALF_WIDTH, 1) * smoothstep(70, 28, x)
    nose_x = x + q.alar_width * smoothstep(3, 12, x) * smoothstep(48, 18, x)
    return eye_x, mouth_x, nose_x


def _between(v: Array, before: str, first: str, last: str, after: str) -> Array:
    """1 from ``first`` to ``last``, smoothly 0 at ``before`` and ``after``."""
    rising, falling = (smoothstep(CURVES[a], CURVES[b], v) for a, b in ((before, first), (after, last)))
    return rising * falling


def _over_the_crown(u: Array, t: Array, hairline: Array) -> Array:
    """Directions from an arc over the crown, ear to ear (t = 0), to the hairline (t = 1)."""
    angle = np.deg2rad(64.0 * (0.8 * u + 0.2 * u**3))
    arc = np.stack([np.sin(angle), np.cos(angle), -0.10 - 0.22 * u**2])
    arc /= np.linalg.norm(arc, axis=0)
    mixed = (1 - t)[None, :, None] * arc[:, None] + t[None, :, None] * hairline[:, None]
    return mixed / np.linalg.norm(mixed, axis=0)


def _curve_rays(x: Array, eye_x: Array, mouth_x: Array, nose_x: Array, q: Anatomy) -> tuple[Array, Array]:
    """Heights (curves, half) of the rays' origins and their elevations in degrees, for every curve."""
    one = np.ones_like(x)
    upper, lower, lid_along = eye.margins(eye_x, q)
    outside = smoothstep(0.0, 0.8, np.abs(lid_along) - 1)
    middle, half = 0.5 * (upper + lower), np.maximum(0.5 * (upper - lower), 1.4 + 3.5 * outside)
    window = np.exp(-(np.clip(np.abs(lid_along) - 0.6, 0, None) ** 2) / 0.5)
    crease = middle + half + 3.6 + 0.6 * window + 0.3 * q.brow_height
    brow = 20.5 + q.brow_height + 2.2 * np.exp(-(((x - 38) / 14.0) ** 2)) - 3 * np.clip((x - 45) / 20, 0, 1)
    brow = brow + 0.5 * q.eye_height

    lip = mouth.curves(mouth_x, q)
    beyond = smoothstep(0.0, 0.9, lip.along - 1)
    gap = 0.25 + 0.9 * np.clip((lip.along - 0.85) / 0.25, 0, 1) + 2.2 * np.clip(lip.along - 1.1, 0, 1)
    top = np.maximum(lip.top, lip.line + gap + 0.9 + 3 * beyond)
    bottom = np.minimum(lip.bottom, lip.line - gap - 0.9 - 3 * beyond)

    nose_base = -43.8 - q.nose_length + 2.2 * np.exp(-(((nose_x - 12 - q.alar_width) / 6.0) ** 2))
    nose_base = nose_base + 0.5 * q.tip_height * np.exp(-((x / 10.0) ** 2))
    rise = np.clip((x - 30) / 45, 0, 1) ** 1.3  # towards the ear the rows of the jaw climb
    chin = q.chin_height

    table: dict[str, tuple[Array, Array | float]] = {
        "crown": (42 * one, 60.0),
        "hairline": (45 * one, 15 + 3 * (1 - rise)),
        "forehead": (42 * one, 0.0),
        "brow": (brow, 0.0),
        "crease": (crease, 0.0),
        "upper_lid": (middle + half, 0.0),
        "lower_lid": (middle - half, 0.0),
        "below_eye": (-15 * one + 0.4 * q.eye_height, 0.0),
        "mid_nose": (-29 * one - 0.6 * q.nose_length + 2 * rise, 0.0),
        "nose_base": (nose_base + 3 * rise, 0.0),
        "upper_lip_top": (top + 4 * rise, 0.0),
        "upper_lip_edge": (lip.line + gap + 5 * rise, 0.0),
        "lower_lip_edge": (lip.line - gap + 5 * rise, 0.0),
        "lower_lip_bottom": (bottom + 6 * rise, 0.0),
        "chin_furrow": (-79.5 * one + 0.7 * q.mouth_height + 0.3 * chin + 8 * rise, 0.0),
        "chin": (-94 * one + chin + 14 * rise, -4.0),
        "menton": (-96 * one + chin + 16 * rise, -13.0),
        "throat": (-93 * one + chin + 12 * rise, -42.0),
        "neck": (-148 * one, 0.0),
    }
    assert list(table) == list(CURVES)  # PCHIP needs them in order
    heights = np.stack([np.broadcast_to(height, x.shape) for height, _ in table.values()])
    elevations = np.stack([np.broadcast_to(elevation, x.shape) for _, elevation in table.values()])
    return heights, elevations
