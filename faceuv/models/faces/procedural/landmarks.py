"""The 68 landmarks in the iBUG order, as vertices of the chart.

The iBUG order runs in the picture: the jaw from the viewer's left, brows, nose, eyes, mouth. Every landmark of one side
is the mirror of one of the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceuv.models.faces.procedural import eye, mouth
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.paint import brow_line
from faceuv.models.faces.procedural.template import Template
from faceuv.models.faces.procedural.twin import Twin

# landmark → its mirror, for the whole iBUG set
MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
)
# Heights of the jaw line, mm below the pupils, and how far forward of the ears' axis it lies at least: what is further
# back is ear (above) or neck (below).
_JAW_TOP, _JAW_BOTTOM = 2.0, 101.0
_JAW_DEPTH = ((0.0, 53.0, 69.0, 80.0, 92.0, 101.0), (12.0, 14.0, 26.0, 44.0, 62.0, 76.0))
_INSIDE_THE_EDGE = 0.965  # of the half width: on the skin that still looks at the camera


def landmarks(template: Twin[Template]) -> NDArray[np.int64]:
    """``(68,)`` distinct vertex indices: the vertices that lie nearest, on the chart, to those that the reference chart
    has for landmarks. So they are the same points of the head at any resolution, as near as its vertices allow."""
    found = _picked(template.reference)
    if template.wanted is template.reference:
        return found
    here, there = template.wanted.grid, template.reference.grid
    marks, uv, mirror = there.uv()[found], here.uv(), here.mirror()
    taken: dict[int, int] = {}
    for k, twin in enumerate(MIRROR):
        if k in taken:
            continue
        # across and along in cells, so that neither of the chart's axes counts more than the other
        apart = np.abs(uv - marks[k]) * (here.columns - 1, here.rows - 1)
        free = (np.abs(uv[:, 0] - 0.5) < 1e-9) == (k == twin)  # those of the midline, or those beside it
        free[[*taken.values()]] = False
        taken[k] = int(np.argmin(np.where(free, np.square(apart).sum(1), np.inf)))
        taken[twin] = int(mirror[taken[k]])
    return np.array([taken[k] for k in range(len(MIRROR))], np.int64)


def _picked(template: Template) -> NDArray[np.int64]:
    """By where they lie in space."""
    grid = template.grid
    picker = _Picker(template)
    left = _jaw(picker)
    jaw = [int(grid.mirror()[k]) for k in left] + [_chin(picker)] + left[::-1]

    def both(indices: list[int]) -> list[int]:
        """Subject's right side first, mirrored from ``indices`` of the left side in the order nose → ear."""
        return [int(grid.mirror()[k]) for k in indices[::-1]] + indices

    brows = both([picker.near(x, float(brow_line(np.array(x))[0])) for x in (14.0, 22.0, 30.0, 39.0, 47.0)])
    nose = [picker.near(0.0, y) for y in (3.0, -9.0, -21.0, -34.0)]
    nose += both([picker.near(6.0, -42.5), picker.near(11.5, -41.5)])
    nose.insert(-2, picker.near(0.0, -43.8))
    return np.array(jaw + brows + nose + _eyes(picker) + _mouth(picker), np.int64)


class _Picker:
    def __init__(self, template: Template) -> None:
        self.template = template
        self.grid = template.grid
        self.visible = (template.v > 0.1) & (template.v < 0.95) & ~template.in_eye & ~template.in_mouth

    def at(self, curve: str, x: float, offset: int = 0) -> int:
        """The vertex of a curve (or ``offset`` rows below it) at ``x``."""
        return (self.grid.row(curve) + offset) * self.grid.columns + self.grid.column(x)

    def near(self, x: float, y: float, least_z: float = -np.inf) -> int:
        """The front-most skin vertex about ``(x, y)``, no further back than ``least_z``."""
        px, py, pz = self.template.positions.T
        cost = (px - x) ** 2 + (py - y) ** 2 - 0.02 * pz
        if x == 0:
            cost = cost + 1e6 * (np.abs(px) > 1e-6)  # the midline is its own mirror
        return int(np.argmin(np.where(self.visible & (pz > least_z), cost, np.inf)))


def _jaw(picker: _Picker) -> list[int]:
    """Eight points of the left side of the face's edge as a frontal camera sees it, ear to chin, evenly spaced."""
    x, y, z = picker.template.positions.T
    depths = np.arange(_JAW_TOP, _JAW_BOTTOM, 3.0)
    widths = []
    for depth in depths:
        slab = picker.visible & (np.abs(y + depth) < 4) & (z > np.interp(depth, *_JAW_DEPTH))
        widths.append(_INSIDE_THE_EDGE * x[slab].max())
    menton = picker.template.positions[_chin(picker)]
    edge = np.stack([np.append(np.minimum.accumulate(widths), 0.0), np.append(-depths, menton[1])])
    length = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(edge, axis=1), axis=0)))
    even = np.linspace(0.0, length[-1], 9)[:-1]
    points = [(float(np.interp(s, length, edge[0])), float(np.interp(s, length, edge[1]))) for s in even]
    return [picker.near(side, height, float(np.interp(-height, *_JAW_DEPTH))) for side, height in points]


def _chin(picker: _Picker) -> int:
    return picker.near(0.0, -_JAW_BOTTOM - 3.0, _JAW_DEPTH[1][-1])


def _eyes(picker: _Picker) -> list[int]:
    centre = eye.centre(Anatomy())[0]
    middle = (picker.grid.row("lower_lid") - picker.grid.row("upper_lid")) // 2

    def margin(curve: str, along: float, offset: int = 0) -> int:
        return picker.at(curve, centre + along * eye.HALF_WIDTH, offset)

    inner, outer = margin("upper_lid", -1.0, middle), margin("upper_lid", 1.0, middle)
    top = [margin("upper_lid", -0.36), margin("upper_lid", 0.36)]
    bottom = [margin("lower_lid", 0.36), margin("lower_lid", -0.36)]
    left = [inner, *top, outer, *bottom]
    mirror = picker.grid.mirror()
    right = [int(mirror[k]) for k in (outer, *top[::-1], inner, *bottom[::-1])]
    return right + left


def _mouth(picker: _Picker) -> list[int]:
    between = (picker.grid.row("lower_lip_edge") - picker.grid.row("upper_lip_edge")) // 2
    corner = mouth.HALF_WIDTH

    def run(curve: str, xs: tuple[float, ...]) -> list[int]:
        return [picker.at(curve, x) for x in xs]

    outer = [picker.at("upper_lip_edge", -corner * 1.02, between)]
    outer += run("upper_lip_top", (-15, -6, 0, 6, 15))
    outer += [picker.at("upper_lip_edge", corner * 1.02, between)]
    outer += run("lower_lip_bottom", (15, 7.5, 0, -7.5, -15))
    inner = [picker.at("upper_lip_edge", -corner * 0.86), *run("upper_lip_edge", (-8, 0, 8))]
    inner += [picker.at("upper_lip_edge", corner * 0.86), *run("lower_lip_edge", (8, 0, -8))]
    return outer + inner
