"""Maps of whole heads where pictures show little: a back of the head, and one colour on both sides of a chart's seam.

A network that makes UV maps learns from pictures. Hardly any of them shows the back of a head, where the seams of the
chart lie too: its texels have accidental colours, which end in lines. Here the points of the mesh that pictures show
keep their values, and the others get smooth ones from their neighbours on the surface, across every seam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake, sample_map
from faceuv.geometry.weld import neighbours, welded_faces, welded_mean
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.seam_texels import SeamTexels

TURN_DEG = 45.0  # heads on a teacher's pictures turn this far to each side
_UNSEEN, _SEEN = 0.15, 0.5  # cosines of normal and view, in the best of the views
_SEAM_EDGES = 5  # from a seam, until the map's own texels are back
_SMOOTH = 0.02  # weight of the differences between neighbours; that of the values at seen points is 1
_FLOOR = 1e-4  # of the weights: what no seen point is connected to keeps its mean


class WholeMaps:
    """Fills what pictures do not show in maps of one size, and closes the seams of the chart. Only skin is touched.

    Args:
        model: a whole head, with parts.
        size: height and width of the maps.
        turn_deg: how far the heads on the pictures turn, to each side.
    """

    def __init__(self, model: FaceModel, size: int, *, turn_deg: float = TURN_DEG) -> None:
        from scipy.sparse import diags
        from scipy.sparse.linalg import splu

        self.model, self.size = model, size
        joined = neighbours(welded_faces(model.faces[model.faces_of("skin")], model.weld), len(model.mean))
        degree = np.asarray(joined.sum(1)).ravel()  # 0 at copies of points, and off the skin
        seen = _seen(model, turn_deg)
        self._weight = np.maximum(seen**2, _FLOOR)
        self._solve = splu((diags(self._weight) + _SMOOTH * (diags(degree) - joined)).tocsc()).solve
        own = np.where(degree > 0, np.minimum(seen, _from_seams(model, joined)), 1.0)
        rows = torch.from_numpy(own).to(model.mean)[None, :, None]
        self._own = bake(rows if model.weld is None else rows[:, model.weld], model.chart(size, size))

    def __call__(self, maps: Tensor) -> Tensor:
        """Maps ``(B, C, size, size)`` of any quantity → the same with smooth values where no picture looks."""
        sizes = check_shape("maps", maps, ("B", "C", self.size, self.size))
        model = self.model
        values = welded_mean(sample_map(maps, model.uv.to(maps)), model.weld)  # (B, V, C)
        known = values.transpose(0, 1).flatten(1).cpu().double().numpy()
        smooth = torch.from_numpy(self._solve(self._weight[:, None] * known)).to(maps)
        if model.weld is not None:
            smooth = smooth[model.weld.to(maps.device)]
        smooth = smooth.unflatten(1, (sizes["B"], sizes["C"])).transpose(0, 1)
        own = self._own.to(maps)
        filled = own * maps + (1 - own) * bake(smooth, model.chart(self.size, self.size))
        seams = SeamTexels.of(model, self.size, self.size)
        return filled if seams is None else seams(filled, smooth)


def _seen(model: FaceModel, turn_deg: float) -> NDArray[np.float64]:
    """``(V,)`` in [0, 1]: how well each point of the mean head is seen from within ±``turn_deg``."""
    x, _, z = vertex_normals(model.mean[None], model.faces, model.weld)[0].cpu().double().numpy().T
    beyond = np.maximum(np.abs(np.arctan2(x, z)) - np.radians(turn_deg), 0)
    facing = np.hypot(x, z) * np.cos(beyond)
    step = np.clip((facing - _UNSEEN) / (_SEEN - _UNSEEN), 0, 1)
    return step**2 * (3 - 2 * step)


def _from_seams(model: FaceModel, joined: Any) -> NDArray[np.float64]:
    """``(V,)`` in [0, 1]: 0 at points that a seam of the chart splits, 1 from some edges away from all seams."""
    distance = np.full(len(model.mean), _SEAM_EDGES, np.float64)
    if model.weld is not None:
        weld = model.weld.cpu().numpy()
        distance[weld[weld != np.arange(len(weld))]] = 0
    for step in range(1, _SEAM_EDGES):
        reached = (joined @ (distance < step)) > 0
        distance = np.where(reached, np.minimum(distance, step), distance)
    return distance / _SEAM_EDGES
