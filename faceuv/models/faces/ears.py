"""Ears on maps of heads whose pictures had hair over them."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry.uv import bake, sample_map
from faceuv.geometry.weld import welded_faces
from faceuv.models.faces.base import FaceModel

_OUT = 1.05  # times the half width where the line of the jaw begins: what is wider is ear
_BELOW, _ABOVE, _BEHIND, _BEFORE = 0.5, 0.3, 0.4, 0.35  # decimetres from there
_GROWN, _SOFTENED = 3, 3  # edges


def ear_weights(model: FaceModel) -> Tensor:
    """``(V,)`` in [0, 1]: 1 on the ears of a whole head, and soft at their roots."""
    start = model.mean[model.landmarks[[0, 16]]].abs().mean(0)
    x, y, z = model.mean.unbind(1)
    up, forth = y - model.mean[model.landmarks[0], 1], z - model.mean[model.landmarks[0], 2]
    near = (up > -_BELOW) & (up < _ABOVE) & (forth > -_BEHIND) & (forth < _BEFORE) & model.vertices_of("skin")
    faces = welded_faces(model.faces[model.faces_of("skin")], model.weld)
    ends = torch.cat([faces, faces.roll(-1, 1)]), torch.cat([faces.roll(-1, 1), faces])
    first, second = (end.flatten() for end in ends)
    count = torch.zeros_like(x).index_add(0, first, torch.ones_like(x)[first]).clamp_min(1)
    weight = ((x.abs() > _OUT * start[0]) & near).to(x)
    for step in range(_GROWN + _SOFTENED):
        around = torch.zeros_like(x).index_add(0, first, weight[second]) / count
        weight = ((weight + around > 0) & near).to(x) if step < _GROWN else (weight + around) / 2
    return weight if model.weld is None else weight[model.weld]


def with_bare_ears(model: FaceModel, diffuse: Tensor) -> Tensor:
    """A diffuse map ``(B, 3, H, W)`` with ears of the face model's colours, as light and as red as its cheeks; the map
    of a face without parts as it is."""
    if model.part is None:
        return diffuse
    height, width = diffuse.shape[-2:]
    mean = model.albedo_map(diffuse.new_zeros(1, model.layout.albedo), height, width)
    cheeks = model.uv[model.landmarks[[2, 14]]].lerp(model.uv[model.landmarks[[30, 30]]], 0.5)
    skin = sample_map(diffuse, cheeks).mean(1) / sample_map(mean, cheeks).mean(1).clamp_min(1e-3)  # (B, 3)
    ears = bake(ear_weights(model)[None, :, None], model.chart(height, width)).to(diffuse)
    return torch.lerp(diffuse, (mean * skin[:, :, None, None]).clamp(0, 1), ears)
