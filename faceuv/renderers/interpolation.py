"""From face ids to surface points: perspective-correct barycentric weights, and what they interpolate.

Only covered pixels are computed: they are rows (P) until :func:`spread` puts them back into an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True, eq=False)
class Fragments:
    """The covered pixels of a batch of images, as P rows in the order of the images.

    flat (P,)       int64, position in the flattened ``(B, H, W)``
    corners (3·P,)  int64, vertex ids of the three corners: all first corners, then all second, then all third
    rows (3·P,)     the same as rows of a flattened ``(B·V, ·)`` attribute
    weights (3, P)  perspective-correct barycentric weights, differentiable in the projected vertices
    depth (P,)      view depth, differentiable likewise
    """

    batch: int
    height: int
    width: int
    flat: Tensor
    corners: Tensor
    rows: Tensor
    weights: Tensor
    depth: Tensor


def fragments(pixels: Tensor, faces: Tensor, face_id: Tensor) -> Fragments:
    """The covered pixels of ``face_id (B, H, W)``, with weights differentiable in ``pixels (B, V, 3)``."""
    batch, height, width = face_id.shape
    flat = (face_id.flatten() >= 0).nonzero().squeeze(1)
    image = torch.div(flat, height * width, rounding_mode="floor")
    corners = faces.index_select(0, face_id.flatten().index_select(0, flat)).t().reshape(-1)
    rows = corners + (image * pixels.shape[1]).repeat(3)
    within = flat - image * (height * width)
    row = torch.div(within, width, rounding_mode="floor")
    column = within - row * width
    weights, depth = barycentrics(pixels, rows, column.to(pixels.dtype) + 0.5, row.to(pixels.dtype) + 0.5)
    return Fragments(batch, height, width, flat, corners, rows, weights, depth)


def barycentrics(pixels: Tensor, rows: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Perspective-correct weights ``(3, P)`` and view depth ``(P,)`` of the points ``x, y (P,)`` in their triangles.

    Args:
        pixels: ``(B, V, 3)`` projected vertices; the result is differentiable in them.
        rows: ``(3·P,)`` the corners as rows of the flattened ``(B·V, 3)``, first corners first.

    With corners p_i relative to the point, e_i = p_j × p_k and q_i = e_i / z_i: weights q_i / Σq, depth Σe / Σq.
    """
    result: tuple[Tensor, Tensor] = _Barycentrics.apply(pixels, rows, x, y)
    return result


class _Barycentrics(torch.autograd.Function):
    """One gather forward, one scatter backward; autograd would make thirty of each."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, rows: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        p = pixels.reshape(-1, 3).index_select(0, rows).view(3, -1, 3)
        px, py, r = p[..., 0] - x, p[..., 1] - y, p[..., 2].reciprocal()
        e = _edges(px, py)
        q = e * r
        inverse = q.sum(0).reciprocal()
        ctx.save_for_backward(rows, px, py, r)
        ctx.shape = pixels.shape
        ctx.set_materialize_grads(False)
        return q * inverse, e.sum(0) * inverse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight_grad: Tensor | None, depth_grad: Tensor | None) -> tuple[Tensor | None, None, None, None]:
        rows, px, py, r = ctx.saved_tensors
        if weight_grad is None and depth_grad is None:
            return None, None, None, None
        e = _edges(px, py)
        q = e * r
        inverse = q.sum(0).reciprocal()
        edge_grad, r_grad = torch.zeros_like(e), torch.zeros_like(e)
        if weight_grad is not None:
            mean = (weight_grad * q).sum(0) * inverse
            d = (weight_grad - mean) * inverse
            edge_grad, r_grad = d * r, d * e
        if depth_grad is not None:
            depth = e.sum(0) * inverse
            scaled = depth_grad * inverse
            edge_grad = edge_grad + scaled * (1 - depth * r)
            r_grad = r_grad - scaled * depth * e
        c0, c1, c2 = edge_grad
        grad = torch.empty(3, px.shape[1], 3, dtype=px.dtype, device=px.device)
        for k, (ca, a, cb, b) in enumerate(((c2, 1, c1, 2), (c0, 2, c2, 0), (c1, 0, c0, 1))):
            grad[k, :, 0] = ca * py[a] - cb * py[b]
            grad[k, :, 1] = cb * px[b] - ca * px[a]
        grad[..., 2] = -r_grad * r * r
        total = torch.zeros(ctx.shape, dtype=px.dtype, device=px.device).view(-1, 3)
        return total.index_add_(0, rows, grad.view(-1, 3)).view(ctx.shape), None, None, None


def _edges(x: Tensor, y: Tensor) -> Tensor:
    """Twice the signed areas ``(3, P)`` that the point makes with the opposite edge, from relative corners ``(3, P)``."""
    return torch.stack([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]])


def interpolate(attribute: Tensor, at: Fragments) -> Tensor:
    """A vertex attribute ``(V, C)`` or ``(B, V, C)`` at the fragments: ``(P, C)``; differentiable in attribute and weights."""
    rows = at.corners if attribute.ndim == 2 else at.rows
    result: Tensor = _Interpolate.apply(attribute.reshape(-1, attribute.shape[-1]), at.weights, rows)
    return result


class _Interpolate(torch.autograd.Function):
    """Σ weight·attribute; keeps indices and weights only, gathers again in the backward."""

    @staticmethod
    def forward(ctx: Any, attribute: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
        weights = weights.to(attribute.dtype)
        ctx.save_for_backward(attribute, weights, rows)
        a = attribute.index_select(0, rows).view(3, weights.shape[1], -1)
        w = weights[..., None]
        return torch.addcmul(torch.addcmul(a[0] * w[0], a[1], w[1]), a[2], w[2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        attribute, weights, rows = ctx.saved_tensors
        attribute_grad = weight_grad = None
        if ctx.needs_input_grad[1]:
            a = attribute.index_select(0, rows).view(3, weights.shape[1], -1)
            weight_grad = (a * grad).sum(-1)
        if ctx.needs_input_grad[0]:
            spread_grad = (weights[..., None] * grad).view(-1, grad.shape[-1])
            attribute_grad = torch.zeros_like(attribute).index_add_(0, rows, spread_grad)
        return attribute_grad, weight_grad, None


def spread(values: Tensor, at: Fragments, fill: float = 0.0) -> Tensor:
    """Rows ``(P, C)`` into images ``(B, H, W, C)``, ``fill`` where nothing is covered."""
    shape = (at.batch * at.height * at.width, values.shape[1])
    image = torch.full(shape, fill, dtype=values.dtype, device=values.device)
    return image.index_copy(0, at.flat, values).view(at.batch, at.height, at.width, -1)
