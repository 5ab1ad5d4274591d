"""Which part of a face model is the face, and from where light on it comes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.geometry.normals import face_normals, scatter_to_vertices
from faceuv.models.faces.base import FaceModel
from faceuv.registry import RENDERERS
from faceuv.structures import Coefficients

_SEEN_AT = 256  # pixels: fine enough to see every visible triangle of a face model, or a neighbour of it
_MARGIN = 1.15  # landmarks lie within the brows; the region goes a little beyond them


@torch.no_grad()
def face_weight(face_model: FaceModel) -> Tensor:
    """Weights ``(V,)`` that sum to 1: the area of the face, which is the skin mask and, where the front view sees it,
    what brows, eyes, nose and mouth enclose. Cranium, ears, neck and the inside of the mouth are 0."""
    from scipy.spatial import Delaunay

    mean, features = face_model.mean, face_model.mean[face_model.landmarks[17:]]
    centre = features.mean(0)
    hull = Delaunay(((features - centre) * _MARGIN)[:, :2].double().cpu().numpy())
    enclosed = torch.from_numpy(hull.find_simplex((mean - centre)[:, :2].double().cpu().numpy()) >= 0).to(mean.device)
    mesh = face_model.mesh(Coefficients.zeros(1, face_model.layout, device=mean.device, dtype=mean.dtype))
    face_id = RENDERERS.build("torch").look(mesh, height=_SEEN_AT, width=_SEEN_AT).face_id
    seen = torch.zeros(len(mean), dtype=torch.bool, device=mean.device)
    seen[face_model.faces[face_id[face_id >= 0].unique()].flatten()] = True
    area = torch.linalg.vector_norm(face_normals(mean[None], face_model.faces), dim=2, keepdim=True)
    skin = face_model.skin_mask
    if face_model.part is not None:  # the skin of a whole head goes on to the crown and the shoulders
        skin = skin & seen & _within_face(face_model)
    region = skin | (enclosed & seen)
    weight = scatter_to_vertices(area, face_model.faces, len(mean))[0, :, 0] * region
    return weight / weight.sum()


def _within_face(face_model: FaceModel) -> Tensor:
    """``(V,)``: what the jaw line and the forehead enclose, seen from the front; the forehead is as high above the
    brows as the tip of the nose lies below them."""
    from scipy.spatial import Delaunay

    marks = face_model.mean[face_model.landmarks]
    brows = marks[17:27]
    forehead = brows + (brows[:, 1].mean() - marks[30, 1]) * brows.new_tensor([0.0, 1.0, 0.0])
    outline = Delaunay(torch.cat([marks, forehead])[:, :2].double().cpu().numpy())
    inside = outline.find_simplex(face_model.mean[:, :2].double().cpu().numpy()) >= 0
    return torch.from_numpy(inside).to(face_model.mean.device)


def hemisphere(count: int) -> Tensor:
    """``(1, count, 3)`` unit normals toward the camera, evenly spread (a Fibonacci lattice)."""
    k = torch.arange(count, dtype=torch.float64) + 0.5
    z = 1 - k / count
    radius, turn = (1 - z * z).sqrt(), k * (math.pi * (3 - math.sqrt(5)))
    return torch.stack([radius * turn.cos(), radius * turn.sin(), z], 1)[None].float()
