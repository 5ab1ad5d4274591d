"""Normals and tangents of a triangle mesh, area-weighted at the vertices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape


def corners(attribute: Tensor, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three corner values ``(B, F, C)`` of every face, from a vertex attribute ``(B, V, C)``."""
    a, b, c = (attribute.index_select(1, column) for column in faces.unbind(1))
    return a, b, c


def scatter_to_vertices(values: Tensor, faces: Tensor, count: int) -> Tensor:
    """Add a face value ``(B, F, C)`` to each of its three vertices → ``(B, V, C)``."""
    total = values.new_zeros(values.shape[0], count, values.shape[2])
    for column in faces.unbind(1):
        total = total.index_add(1, column, values)
    return total


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Face normals ``(B, F, 3)`` whose length is twice the face's area; ``vertices (B, V, 3)``, ``faces (F, 3)``."""
    check_shape("vertices", vertices, ("B", "V", 3))
    check_shape("faces", faces, ("F", 3))
    a, b, c = corners(vertices, faces)
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals ``(B, V, 3)``, area-weighted means over the faces; zero where a vertex has no face with area."""
    total = scatter_to_vertices(face_normals(vertices, faces), faces, vertices.shape[1])
    # The tiny floor keeps a vertex without area at zero instead of NaN, in decimetres² far below any real face.
    return F.normalize(total, dim=2, eps=1e-20)


def vertex_tangents(vertices: Tensor, faces: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
    """∂p/∂u and ∂p/∂v at the vertices, each ``(B, V, 3)`` in decimetres per unit of UV.

    Per face the derivatives solve p_j − p_0 = u_j·∂u + v_j·∂v; vertices take the mean weighted by UV area.
    """
    check_shape("uv", uv, (vertices.shape[1], 2))
    a, b, c = corners(vertices, faces)
    ua, ub, uc = corners(uv[None], faces)
    (u1, v1), (u2, v2) = (ub - ua).unbind(2), (uc - ua).unbind(2)
    e1, e2 = b - a, c - a
    det = u1 * v2 - u2 * v1
    # Sum of (det·derivative)·sign(det) is the area-weighted sum; dividing by the summed |det| gives the mean.
    sign = torch.sign(det)[..., None]
    du = (e1 * v2[..., None] - e2 * v1[..., None]) * sign
    dv = (e2 * u1[..., None] - e1 * u2[..., None]) * sign
    count = vertices.shape[1]
    weight = scatter_to_vertices(det.abs()[..., None], faces, count).clamp_min(1e-20)
    return scatter_to_vertices(du, faces, count) / weight, scatter_to_vertices(dv, faces, count) / weight
