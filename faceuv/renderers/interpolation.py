"""Perspective-correct barycentric weights at covered pixels, and the interpolation of vertex attributes.

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
    relative        the corners' x and y relative to the pixel, 1 / z, each (3, P), and one over the sum of the weights'
                    numerators, (P,); no gradient
    """

    batch: int
    height: int
    width: int
    flat: Tensor
    corners: Tensor
    rows: Tensor
    weights: Tensor
    depth: Tensor
    relative: tuple[Tensor, Tensor, Tensor, Tensor]

    def slopes(self) -> Tensor:
        """``(2, 3, P)``: how the weights' numerators grow per pixel to the right and down, over their sum."""
        x, y, inverse, scale = self.relative
        # e_k falls by the opposite side's rise per pixel to the right, and grows by its run per pixel down.
        grows = [torch.stack([sign * (p[i] - p[j]) for i, j in _OTHERS]) for p, sign in ((y, 1), (x, -1))]
        return torch.stack(grows).mul_(inverse).mul_(scale)


def fragments(pixels: Tensor, faces: Tensor, face_id: Tensor) -> Fragments:
    """The covered pixels of ``face_id (B, H, W)``, with weights differentiable in ``pixels (B, V, 3)``."""
    batch, height, width = face_id.shape
    flat = (face_id.flatten() >= 0).nonzero().squeeze(1)
    seen = face_id.flatten().index_select(0, flat)
    corners = torch.cat([corner.index_select(0, seen) for corner in faces.unbind(1)])
    rows, within = corners, flat
    if batch > 1:
        image = torch.div(flat, height * width, rounding_mode="floor")
        rows, within = corners + (image * pixels.shape[1]).repeat(3), flat - image * (height * width)
    # the centres of all pixels are looked up: many times as fast as dividing whole numbers
    right, down = (torch.arange(n, dtype=pixels.dtype, device=pixels.device) + 0.5 for n in (width, height))
    x = right.expand(height, width).reshape(-1).index_select(0, within)
    y = down[:, None].expand(height, width).reshape(-1).index_select(0, within)
    weights, depth, *relative = _Barycentrics.apply(pixels, rows, x, y)
    return Fragments(batch, height, width, flat, corners, rows, weights, depth, tuple(relative))


def barycentrics(pixels: Tensor, rows: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Perspective-correct weights ``(3, P)`` and view depth ``(P,)`` of the points ``x, y (P,)`` in their triangles.

    Args:
        pixels: ``(B, V, 3)`` projected vertices; the result is differentiable in them.
        rows: ``(3·P,)`` the corners as rows of the flattened ``(B·V, 3)``, first corners first.

    With corners p_i relative to the point, e_i = p_j × p_k and q_i = e_i / z_i: weights q_i / Σq, depth Σe / Σq.
    """
    weights, depth, *_ = _Barycentrics.apply(pixels, rows, x, y)
    return weights, depth


class _Barycentrics(torch.autograd.Function):
    """One gather forward, one scatter backward, plane by plane; autograd would make thirty of each.

    With g the gradient of the weights w, h that of the depth d, s = 1 / Σq and m = Σ g·w, the gradient of e_k is
    s·((g_k − m) / z_k + h·(1 − d / z_k)) and that of z_k is w_k / z_k · (h·d − (g_k − m)).
    """

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, rows: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        planes = [plane.contiguous() for plane in pixels.reshape(-1, 3).unbind(1)]
        px, py, r = (plane.index_select(0, rows).view(3, -1) for plane in planes)
        px.sub_(x)
        py.sub_(y)
        r.reciprocal_()
        weights = torch.empty_like(px)
        for k, (i, j) in enumerate(_OTHERS):
            torch.mul(px[i], py[j], out=weights[k]).addcmul_(px[j], py[i], value=-1)
        edge_sum = weights.sum(0)
        scale = weights.mul_(r).sum(0).reciprocal_()
        weights.mul_(scale)
        depth = edge_sum.mul_(scale)
        ctx.save_for_backward(rows, px, py, r, weights, depth, scale)
        ctx.shape = pixels.shape
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(px, py, r, scale)
        return weights, depth, px, py, r, scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor | None, h: Tensor | None, *_: None) -> tuple[Tensor | None, None, None, None]:
        rows, px, py, r, weights, depth, scale = ctx.saved_tensors
        if g is None and h is None:
            return None, None, None, None
        centred = torch.zeros_like(weights) if g is None else g.contiguous() - (g * weights).sum(0)
        edge, z = centred * r, -centred
        if h is not None:
            edge += h - r * (h * depth)
            z += h * depth
        edge *= scale
        z *= weights
        z *= r
        x, y = torch.empty_like(px), torch.empty_like(py)
        for k, (i, j) in enumerate(_OTHERS):
            torch.mul(edge[j], py[i], out=x[k]).addcmul_(edge[i], py[j], value=-1)
            torch.mul(edge[i], px[j], out=y[k]).addcmul_(edge[j], px[i], value=-1)
        total = weights.new_zeros(3, ctx.shape[0] * ctx.shape[1])
        for plane, grad in zip(total, (x, y, z)):
            plane.index_add_(0, rows, grad.view(-1))
        return total.t().reshape(ctx.shape), None, None, None


_OTHERS = ((1, 2), (2, 0), (0, 1))  # the two corners that span the edge opposite corner k, in order


def interpolate(attribute: Tensor, at: Fragments) -> Tensor:
    """A vertex attribute ``(V, C)`` or ``(B, V, C)`` at the fragments ``(P, C)``; differentiable in both it and the
    weights."""
    return interpolate_planes(attribute, at).t().contiguous()


def interpolate_planes(attribute: Tensor, at: Fragments) -> Tensor:
    """:func:`interpolate` with a plane per channel, ``(C, P)``: what is computed plane by plane later is faster so."""
    rows = at.corners if attribute.ndim == 2 else at.rows
    result: Tensor = _Interpolate.apply(attribute.reshape(-1, attribute.shape[-1]), at.weights, rows)
    return result


class _Interpolate(torch.autograd.Function):
    """Σ weight·attribute; keeps indices and weights only, gathers again in the backward."""

    @staticmethod
    def forward(ctx: Any, attribute: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
        weights = weights.to(attribute.dtype)
        ctx.save_for_backward(attribute, weights, rows)
        if attribute.device.type != "cpu":  # few launches; a CPU is faster plane by plane
            a, w = attribute.index_select(0, rows).view(3, weights.shape[1], -1), weights[..., None]
            return torch.addcmul(torch.addcmul(a[0] * w[0], a[1], w[1]), a[2], w[2]).t()
        w0, w1, w2 = weights
        corners = rows.view(3, -1)
        result = weights.new_empty(attribute.shape[1], weights.shape[1])
        for plane, channel in zip(result, attribute.t().contiguous()):
            a0, a1, a2 = (channel.index_select(0, corner) for corner in corners)
            torch.mul(a0, w0, out=plane).addcmul_(a1, w1).addcmul_(a2, w2)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        attribute, weights, rows = ctx.saved_tensors
        attribute_grad = weight_grad = None
        if ctx.needs_input_grad[1]:
            a = attribute.index_select(0, rows).view(3, weights.shape[1], attribute.shape[1])
            weight_grad = (a * grad.t()).sum(-1)
        if ctx.needs_input_grad[0]:
            planes = attribute.new_zeros(attribute.shape[1], attribute.shape[0])  # one plane at a time: twice as fast
            for plane, channel in zip(planes, grad.contiguous()):
                plane.index_add_(0, rows, (weights * channel).view(-1))
            attribute_grad = planes.t().contiguous()
        return attribute_grad, weight_grad, None


@torch.no_grad()
def per_pixel(attribute: Tensor, value: Tensor, at: Fragments) -> tuple[Tensor, Tensor]:
    """How the interpolated ``value (P, C)`` of a vertex attribute ``(V, C)`` changes from a pixel to the next, to the
    right and down, each ``(P, C)``: the derivative within the fragment's own face; no gradient."""
    corners = attribute.index_select(0, at.corners).view(3, value.shape[0], value.shape[1]) - value
    right, down = ((slope[..., None] * corners).sum(0) for slope in at.slopes().to(value.dtype))
    return right, down


# Of unit vectors' weighted means: below, they cancel, and what is left of them is rounding.
CANCELLED = 1e-6


def unit(rows: Tensor) -> Tensor:
    """Rows ``(P, 3)``, means of unit vectors, scaled to length 1; a row whose vectors cancel becomes zero and passes no
    gradient."""
    result: Tensor = _Unit.apply(rows)
    return result


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        length.masked_fill_(length <= CANCELLED, torch.inf)  # the direction is zero then, and its gradient
        direction = rows / length
        ctx.save_for_backward(direction, length)
        return direction

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        direction, length = ctx.saved_tensors
        along = (grad * direction).sum(1, keepdim=True)
        return torch.addcmul(grad, direction, along, value=-1).div_(length)


def spread(values: Tensor, at: Fragments, fill: float = 0.0) -> Tensor:
    """Rows ``(P, C)`` into images ``(B, H, W, C)``, ``fill`` where nothing is covered."""
    shape = (at.batch * at.height * at.width, values.shape[1])
    image = torch.full(shape, fill, dtype=values.dtype, device=values.device)
    return image.index_copy(0, at.flat, values).view(at.batch, at.height, at.width, -1)
