"""Normals and tangents of a triangle mesh, area-weighted at the vertices."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from faceuv.checks import check_shape
from faceuv.geometry.weld import welded_faces

# Keeps a vertex without area at zero instead of NaN; in decimetres², far below any real face.
_NO_AREA = 1e-20
# Of the summed sizes of a vertex's face normals: below, they cancel, and what is left of them is rounding.
_CANCELLED = 1e-6


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


def vertex_normals(vertices: Tensor, faces: Tensor, weld: Tensor | None = None) -> Tensor:
    """Unit normals ``(B, V, 3)``, area-weighted means over the faces.

    With ``weld (V,)`` the copies of a point that a UV seam splits share the normal of all its faces.
    Where a vertex has no face with area, or where its faces cancel each other (a sheet with two sides), the normal is
    zero and passes no gradient.
    """
    check_shape("vertices", vertices, ("B", "V", 3))
    check_shape("faces", faces, ("F", 3))
    if weld is not None:
        check_shape("weld", weld, (vertices.shape[1],))
        return vertex_normals(vertices, welded_faces(faces, weld)).index_select(1, weld)
    if vertices.device.type == "cpu":
        normals: Tensor = _VertexNormals.apply(vertices, faces)
        return normals
    return _batched_normals(vertices, faces)


def _batched_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """:func:`vertex_normals` for a device that is faster with few large calls."""
    of_faces, count = face_normals(vertices, faces), vertices.shape[1]
    total = scatter_to_vertices(of_faces, faces, count)
    sizes = scatter_to_vertices(of_faces.detach().abs().sum(2, keepdim=True), faces, count)
    length = torch.linalg.vector_norm(total.detach(), dim=2, keepdim=True)
    known = length > _CANCELLED * sizes + _NO_AREA
    return torch.where(known, F.normalize(torch.where(known, total, 1.0), dim=2, eps=_NO_AREA), 0.0)


class _VertexNormals(torch.autograd.Function):
    """The same in closed form for a CPU, one image and one coordinate plane at a time: its arrays stay in the cache,
    and gathers and scatters of single numbers are several times faster than those of rows."""

    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Tensor) -> Tensor:
        planes = vertices.permute(0, 2, 1).contiguous()  # (B, 3, V)
        columns = [column.contiguous() for column in faces.unbind(1)]
        total, sizes = torch.zeros_like(planes), torch.zeros_like(planes[:, :1])
        for image, sums, (size,) in zip(planes, total, sizes):
            of_faces = _cross(*_sides(image, columns))
            for plane, normal in zip(sums, of_faces):
                for column in columns:
                    plane.index_add_(0, column, normal)
            x, y, z = of_faces
            size_of_face = x.abs_().add_(y.abs_()).add_(z.abs_())
            for column in columns:
                size.index_add_(0, column, size_of_face)
        length = torch.linalg.vector_norm(total, dim=1, keepdim=True)
        # an infinite length makes the normal zero, and its gradient
        length.masked_fill_(length <= sizes.mul_(_CANCELLED).add_(_NO_AREA), torch.inf)
        total /= length
        ctx.save_for_backward(planes, total, length, *columns)
        return total.permute(0, 2, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        planes, normals, length, *columns = ctx.saved_tensors
        # d(n / |n|) removes the part along the normal and divides by the length.
        grad = grad.permute(0, 2, 1)
        raw = torch.addcmul(grad, normals, (grad * normals).sum(1, keepdim=True), value=-1).div_(length)
        total = torch.zeros_like(planes)
        for image, grads, sums in zip(planes, raw, total):
            one, two = _sides(image, columns)
            # Each face's normal goes to its three corners, so its gradient is the sum of theirs.
            a, b, c = columns
            face = [g.index_select(0, a).add_(g.index_select(0, b)).add_(g.index_select(0, c)) for g in grads]
            for plane, d_one, d_two in zip(sums, _cross(two, face), _cross(face, one)):
                plane.index_add_(0, b, d_one)
                plane.index_add_(0, c, d_two)
                plane.index_add_(0, a, d_one.add_(d_two), alpha=-1)
        return total.permute(0, 2, 1).contiguous(), None


def _sides(image: Tensor, columns: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The sides b − a and c − a of all faces, as three planes (F,) each; ``image (3, V)``."""
    a, b, c = ([plane.index_select(0, column) for plane in image] for column in columns)
    return [q.sub_(p) for p, q in zip(a, b)], [q.sub_(p) for p, q in zip(a, c)]


def _cross(u: list[Tensor], v: list[Tensor]) -> list[Tensor]:
    return [(u[i] * v[j]).addcmul_(u[j], v[i], value=-1) for i, j in ((1, 2), (2, 0), (0, 1))]


def vertex_tangents(vertices: Tensor, faces: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
    """∂p/∂u and ∂p/∂v at the vertices, each ``(B, V, 3)`` in decimetres per unit of UV.

    Per face the derivatives solve p_j − p_0 = u_j·∂u + v_j·∂v; vertices take the mean weighted by UV area.
    """
    check_shape("vertices", vertices, ("B", "V", 3))
    check_shape("uv", uv, (vertices.shape[1], 2))
    return apply_tangents(tangent_operator(faces, uv.to(vertices.dtype)), vertices)


def tangent_operator(faces: Tensor, uv: Tensor) -> Tensor:
    """The sparse matrix ``(2·V, V)`` that takes vertices to their tangents, ∂p/∂u above ∂p/∂v: it depends on the mesh
    only, so that what draws many faces of one mesh builds it once."""
    check_shape("uv", uv, ("V", 2))
    check_shape("faces", faces, ("F", 3))
    count = uv.shape[0]
    a, b, c = faces.unbind(1)
    (u1, v1), (u2, v2) = (uv[b] - uv[a]).unbind(1), (uv[c] - uv[a]).unbind(1)
    # Sum of (det·derivative)·sign(det) is the area-weighted sum; dividing by the summed |det| gives the mean.
    det = u1 * v2 - u2 * v1
    sign = torch.sign(det)
    area = uv.new_zeros(count).index_add(0, faces.t().reshape(-1), det.abs().repeat(3)).clamp_min(1e-20)
    rows, columns, values = [], [], []
    for corner in (a, b, c):
        for column, along_u, along_v in ((b, v2, -u2), (c, -v1, u1), (a, v1 - v2, u2 - u1)):
            rows += [corner, corner + count]
            columns += [column, column]
            values += [along_u * sign / area[corner], along_v * sign / area[corner]]
    index = torch.stack([torch.cat(rows), torch.cat(columns)])
    with warnings.catch_warnings():  # "Sparse CSR tensor support is in beta state"
        warnings.filterwarnings("ignore", message="Sparse CSR", category=UserWarning)
        total = torch.sparse_coo_tensor(index, torch.cat(values), (2 * count, count), check_invariants=False)
        return total.coalesce().to_sparse_csr()


def apply_tangents(operator: Tensor, vertices: Tensor) -> tuple[Tensor, Tensor]:
    """The tangents of :func:`vertex_tangents` by a :func:`tangent_operator`."""
    batch, count = vertices.shape[:2]
    both = operator @ vertices.permute(1, 2, 0).reshape(count, -1)  # (2·V, 3·B)
    along_u, along_v = both.view(2, count, 3, batch).permute(0, 3, 1, 2).unbind(0)
    return along_u, along_v
