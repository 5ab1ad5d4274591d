"""The chart of the face as a canvas: the place of each texel on the average head, and regions shared by all faces."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.lights import unit
from faceuv.models.faces.procedural import eye, mouth
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.build import MM_PER_DM, ORIGIN
from faceuv.models.faces.procedural.grid import CURVES, Grid, azimuth, reference_x
from faceuv.synthetic.draw import smoothstep


class Canvas(nn.Module):
    """``size × size`` texels over the chart of a :class:`ProceduralFace`.

    Buffers are ``(T, T)`` unless said otherwise; ``x, y, z`` are millimetres in the head frame (between the ears, at
    the height of the pupils; x to the subject's left).
    """

    def __init__(self, model: FaceModel, size: int) -> None:
        super().__init__()
        if "rows" not in model.metadata:
            raise InputError(f"synthetic faces are painted on a ProceduralFace, got a {type(model).__name__}")
        self.size = size
        self.grid = Grid(int(model.metadata["rows"]), int(model.metadata["columns"]))
        u = (np.arange(size) + 0.5) / size
        across = 2 * u - 1
        x_reference = reference_x(across)
        average = Anatomy()
        lid_along = eye.margins(x_reference, average)[2]
        lip = mouth.curves(x_reference, average)
        self.eye_centre = eye.centre(average)
        # Texel centres in the grid of vertices: the columns are even, the rows are not.
        rows = np.interp(u, self.grid.v, np.arange(self.grid.rows))
        at_row = torch.tensor(rows / (self.grid.rows - 1) * 2 - 1, dtype=torch.float32)
        at_column = torch.tensor(across, dtype=torch.float32)
        self.register_buffer("_texels", torch.stack(torch.meshgrid(at_column, at_row, indexing="xy"), -1)[None])
        v_vertices = torch.tensor(self.grid.v, dtype=torch.float32)
        u_vertices = torch.tensor((self.grid.u + 1) / 2, dtype=torch.float32)
        self.register_buffer("_row_weights", _difference_weights(v_vertices)[:, None])
        self.register_buffer("_column_weights", _difference_weights(u_vertices)[:, None])
        mean = (model.mean.cpu() * MM_PER_DM - torch.tensor(ORIGIN))[None]
        x, y, z = self.spread(mean)[0]
        for name, value in {
            "x": x,
            "y": y,
            "z": z,
            "v": torch.tensor(u, dtype=torch.float32)[:, None].expand(size, size),
            "azimuth": torch.tensor(azimuth(across), dtype=torch.float32)[None].expand(size, size),
            "x_reference": torch.tensor(x_reference, dtype=torch.float32)[None].expand(size, size),
            "lid_along": torch.tensor(lid_along, dtype=torch.float32)[None].expand(size, size),
            "mouth_along": torch.tensor(lip.along, dtype=torch.float32)[None].expand(size, size),
            "lip_top": torch.tensor(lip.top, dtype=torch.float32)[None].expand(size, size),
            "lip_bottom": torch.tensor(lip.bottom, dtype=torch.float32)[None].expand(size, size),
        }.items():
            self.register_buffer(name, value.contiguous())
        self._paint_regions()

    x: Tensor
    y: Tensor
    z: Tensor
    v: Tensor
    azimuth: Tensor
    x_reference: Tensor
    lid_along: Tensor
    mouth_along: Tensor
    lip_top: Tensor
    lip_bottom: Tensor
    eye: Tensor
    mouth: Tensor
    lips: Tensor
    smooth_skin: Tensor
    _texels: Tensor
    _row_weights: Tensor
    _column_weights: Tensor

    def _paint_regions(self) -> None:
        v, along, soft = self.v, self.mouth_along, 0.5 / self.size
        inside_lids = smoothstep(CURVES["upper_lid"] - soft, CURVES["upper_lid"] + soft, v)
        inside_lids = inside_lids * smoothstep(CURVES["lower_lid"] + soft, CURVES["lower_lid"] - soft, v)
        eyes = inside_lids * (self.lid_along.abs() < 1)
        inside_lips = smoothstep(CURVES["upper_lip_edge"] - soft, CURVES["upper_lip_edge"] + soft, v)
        inside_lips = inside_lips * smoothstep(CURVES["lower_lip_edge"] + soft, CURVES["lower_lip_edge"] - soft, v)
        within = inside_lips * (along < 1)
        upper = smoothstep(-0.6, 0.6, self.lip_top - self.y) * (v <= CURVES["upper_lip_edge"] + soft)
        upper = upper * (v > CURVES["upper_lip_top"] - 0.03)
        lower = smoothstep(-0.6, 0.6, self.y - self.lip_bottom) * (v >= CURVES["lower_lip_edge"] - soft)
        lower = lower * (v < CURVES["lower_lip_bottom"] + 0.03)
        lips = (upper + lower).clamp(0, 1) * smoothstep(1.03, 0.92, along) * (1 - within)
        self.register_buffer("eye", eyes)
        self.register_buffer("mouth", within)
        self.register_buffer("lips", lips)
        self.register_buffer("smooth_skin", (1 - eyes) * (1 - within))

    def spread(self, vertices: Tensor) -> Tensor:
        """A vertex attribute ``(B, V, C)`` as a map ``(B, C, T, T)``: bilinear in the grid of vertices."""
        grid = vertices.transpose(1, 2).unflatten(2, (self.grid.rows, self.grid.columns))
        texels = self._texels.to(vertices.dtype).expand(len(vertices), -1, -1, -1)
        return F.grid_sample(grid, texels, mode="bilinear", padding_mode="border", align_corners=True)

    def rows_between(self, first: str, last: str, margin: float) -> slice:
        """The texel rows from a named curve to another, ``margin`` (in v) beyond both."""
        start = int((CURVES[first] - margin) * self.size)
        return slice(max(start, 0), min(int((CURVES[last] + margin) * self.size) + 1, self.size))

    def spot(self, x: float, y: float, wide: float, high: float) -> Tensor:
        """A pair of Gaussian hills at ``(±x, y)`` mm."""
        return torch.exp(-(((self.x.abs() - x) / wide) ** 2) - ((self.y - y) / high) ** 2)

    def curve(self, name: str, wide: float) -> Tensor:
        """A Gaussian ridge along a named curve, ``wide`` in v."""
        return torch.exp(-(((self.v - CURVES[name]) / wide) ** 2))

    def normals_and_tangents(self, vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit normals, ∂p/∂u and ∂p/∂v at the vertices ``(B, V, 3)``, by differences along the grid.

        Without any scatter, so that the result has the same bits wherever and in whatever batch it is computed.
        """
        grid = vertices.unflatten(1, (self.grid.rows, self.grid.columns))
        along_v = _differences(grid, 1, self._row_weights)
        along_u = _differences(grid, 2, self._column_weights)
        normals = unit(torch.linalg.cross(along_v, along_u, dim=-1), -1)
        return normals.flatten(1, 2), along_u.flatten(1, 2), along_v.flatten(1, 2)

    def surface_normals(self, smooth: Tensor, tangent_u: Tensor, tangent_v: Tensor, height: Tensor) -> Tensor:
        """:meth:`~faceuv.synthetic.painting.Painting.surface_normals`."""
        slope_v, slope_u = torch.gradient(height, spacing=1 / self.size, dim=(2, 3))
        # n − ∇h in the tangent plane: for a small height over an almost orthogonal chart
        lean = slope_u * tangent_u / tangent_u.square().sum(1, keepdim=True).clamp_min(1e-4)
        lean = lean + slope_v * tangent_v / tangent_v.square().sum(1, keepdim=True).clamp_min(1e-4)
        return unit(smooth - lean, 1)


def _difference_weights(knots: Tensor) -> Tensor:
    """1 / (k_{i+1} − k_{i−1}) with one-sided ends."""
    ahead = torch.cat([knots[1:], knots[-1:]])
    behind = torch.cat([knots[:1], knots[:-1]])
    return 1 / (ahead - behind)


def _differences(grid: Tensor, axis: int, weights: Tensor) -> Tensor:
    size = grid.shape[axis]
    ahead = torch.cat([grid.narrow(axis, 1, size - 1), grid.narrow(axis, size - 1, 1)], axis)
    behind = torch.cat([grid.narrow(axis, 0, 1), grid.narrow(axis, 0, size - 1)], axis)
    shape = [1] * grid.ndim
    shape[axis] = size
    return (ahead - behind) * weights.view(shape)
