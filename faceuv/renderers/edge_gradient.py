"""Silhouette gradients that leave the image unchanged: edge gradients from colour differences.

Where two neighbouring pixels show surfaces that are not connected, moving the nearer surface would exchange one colour
for the other; the backward pass gives the nearer pixel's surface point that gradient. The forward pass is untouched.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from faceuv.renderers.interpolation import Fragments, spread


def edge_gradient(image: Tensor, pixels: Tensor, face_id: Tensor, at: Fragments, *, jump: float = 0.05) -> Tensor:
    """``image (B, C, H, W)`` unchanged, with silhouette gradients toward ``pixels (B, V, 3)``.

    ``jump``: neighbouring pixels whose depths differ by more than this share (of the nearer depth) are an occlusion.
    """
    corners = pixels.reshape(-1, 3)
    # Screen-space weights: the surface point under a pixel moves with its corners by these.
    depth = corners.detach()[:, 2].index_select(0, at.rows).view(3, -1)
    screen = at.weights.detach() * depth
    screen = screen / screen.sum(0)
    points = corners[:, :2].index_select(0, at.rows).view(3, -1, 2)
    positions = spread((points * screen[..., None]).sum(0), at)
    depths = spread(at.depth.detach()[:, None], at)[..., 0]
    result: Tensor = _EdgeGradient.apply(image, positions, face_id, depths, jump)
    return result


class _EdgeGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, positions: Tensor, face_id: Tensor, depth: Tensor, jump: float) -> Tensor:
        ctx.save_for_backward(image, face_id, depth)
        ctx.jump = jump
        return image.view_as(image)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        image, face_id, depth = ctx.saved_tensors
        position_grad = torch.zeros(*face_id.shape, 2, dtype=grad.dtype, device=grad.device)
        for axis, dim in ((0, 2), (1, 1)):  # x runs along the columns (dim 2 of B, H, W), y along the rows
            size = face_id.shape[dim]

            def halves(t: Tensor, dim: int = dim, size: int = size) -> tuple[Tensor, Tensor]:
                return t.narrow(dim, 0, size - 1), t.narrow(dim, 1, size - 1)

            (g0, g1), (i0, i1) = (tuple(p for p in halves(t.movedim(1, -1))) for t in (grad, image))
            (f0, f1), (z0, z1) = halves(face_id), halves(depth)
            exchange = ((i1 - i0) * (0.5 * (g0 + g1))).sum(-1)
            both = (f0 >= 0) & (f1 >= 0)
            step = (z1 - z0) / torch.minimum(z0, z1).clamp_min(1e-12)
            first_in_front = ((f0 >= 0) & (f1 < 0)) | (both & (step > ctx.jump))
            second_in_front = ((f1 >= 0) & (f0 < 0)) | (both & (step < -ctx.jump))
            p0, p1 = halves(position_grad[..., axis])
            p0 -= exchange * first_in_front
            p1 -= exchange * second_in_front
        return grad, position_grad, None, None, None
