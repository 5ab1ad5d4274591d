"""The average head with everything that expressions, colours and landmarks want to know about its vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceuv.models.faces.procedural import eye, mouth
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.grid import CURVES, Grid, reference_x
from faceuv.models.faces.procedural.sdf import Array, Indices, Mask, smoothstep
from faceuv.models.faces.procedural.surface import Surface, pocket_parameter, trace


@dataclass(frozen=True, eq=False)
class Template:
    """Per-vertex arrays ``(V,)`` of the average head, row by row; lengths in mm, head frame."""

    grid: Grid
    surface: Surface
    positions: Array  # (V, 3)
    v: Array  # row coordinate
    lid_along: Array  # −1 inner canthus, +1 outer, both eyes
    mouth_along: Array  # 0 midline, 1 corner
    lid_upper: Array  # height of the lid margins in this column
    lid_lower: Array
    lip_top: Array  # height of the vermilion borders in this column
    lip_bottom: Array
    pocket_t: Array  # 0 … 1 through the inside of the mouth
    in_eye: Mask  # vertices of the eyeballs
    in_mouth: Mask  # vertices of the mouth's inside, without the lips' edges

    @classmethod
    def build(cls, grid: Grid) -> Template:
        average = Anatomy()
        surface = trace(grid, average)
        x = reference_x(grid.u)
        upper, lower, lid_along = eye.margins(x, average)
        lip = mouth.curves(x, average)
        v = np.repeat(grid.v, grid.columns)
        row = np.repeat(np.arange(grid.rows), grid.columns)

        def column(values: Array) -> Array:
            return np.tile(values, grid.rows)

        def between(first: str, last: str) -> Mask:
            return (row > grid.row(first)) & (row < grid.row(last))

        return cls(
            grid=grid,
            surface=surface,
            positions=grid.unfold(surface.positions).reshape(-1, 3),
            v=v,
            lid_along=column(lid_along),
            mouth_along=column(lip.along),
            lid_upper=column(upper),
            lid_lower=column(lower),
            lip_top=column(lip.top),
            lip_bottom=column(lip.bottom),
            pocket_t=np.repeat(pocket_parameter(grid), grid.columns),
            in_eye=between("upper_lid", "lower_lid") & (np.abs(column(lid_along)) < 1.0),
            in_mouth=between("upper_lip_edge", "lower_lip_edge") & (column(lip.along) < 1.0),
        )

    def below(self, curve: str, width: float) -> Array:
        """0 above a curve, 1 from ``width`` (in v) below it."""
        return smoothstep(CURVES[curve], CURVES[curve] + width, self.v)

    def above(self, curve: str, width: float) -> Array:
        """0 below a curve, 1 from ``width`` (in v) above it."""
        return smoothstep(CURVES[curve], CURVES[curve] - width, self.v)

    def face_weight(self) -> Array:
        """Weights ``(V,)`` that sum to 1: area, seen from the front, mostly of the face.

        Cranium, ears and neck count little and the mouth's inside hardly at all, so that the first modes describe
        what tells faces apart.
        """
        _, y, z = self.positions.T
        face = smoothstep(0, 45, z) * smoothstep(85, 50, y) * smoothstep(-125, -108, y)
        importance = 0.08 + 0.92 * face
        importance[self.in_mouth] = 0.02
        weight = vertex_areas(self.positions, self.grid.faces()) * importance
        weight = 0.5 * (weight + weight[self.grid.mirror()])
        return weight / weight.sum()


def vertex_areas(positions: Array, faces: Indices) -> Array:
    """A third of the area of the triangles around each vertex, mm²."""
    a, b, c = (positions[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(faces.reshape(-1), np.repeat(area, 3), len(positions)).astype(np.float64)
