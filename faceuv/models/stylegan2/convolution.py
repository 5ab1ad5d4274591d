"""A convolution whose second derivatives cost what its first ones cost.

R1 needs the gradient of a gradient. For the weights PyTorch computes it by a convolution with a kernel as large as the
picture, for which cuDNN has no fast algorithm: at 128², on an H200, one such step took as long as thirty others. Here
every derivative is a convolution, a gradient of the input or a gradient of the weights, as in the first backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Tensor:
    """``F.conv2d`` of ``x (B, I, H, W)`` with ``weight (O, I, K, K)`` and ``bias (O,)``, autocast included."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        half = torch.get_autocast_dtype(kind)
        x, weight, bias = x.to(half), weight.to(half), None if bias is None else bias.to(half)
    result: Tensor = _Convolution.apply(x, weight, bias, stride, padding)
    return result


def _backward(grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, *, of_input: bool) -> Tensor:
    """The gradient of the input, or of the weights; of the other tensor only the shape matters."""
    wanted = [of_input, not of_input, False]
    found = torch.ops.aten.convolution_backward(
        grad, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, wanted
    )
    gradient: Tensor = found[0 if of_input else 1]
    return gradient


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        return (
            _InputGradient.apply(grad, weight, x, *ctx.how) if of_x else None,
            _WeightGradient.apply(grad, x, weight, *ctx.how) if of_weight else None,
            grad.sum((0, 2, 3)) if of_bias else None,
            None,
            None,
        )


class _InputGradient(Function):
    """∂/∂x of a convolution, a bilinear function of ``grad`` and ``weight``; ``like`` has the input's shape."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, weight: Tensor, like: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.how = stride, padding
        return _backward(grad, like, weight, stride, padding, of_input=True)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor | None, ...]:
        grad, weight = ctx.saved_tensors
        of_grad, of_weight = ctx.needs_input_grad[:2]
        return (
            _Convolution.apply(d, weight, None, *ctx.how) if of_grad else None,
            _WeightGradient.apply(grad, d, weight, *ctx.how) if of_weight else None,
            None,
            None,
            None,
        )


class _WeightGradient(Function):
    """∂/∂weight of a convolution, a bilinear function of ``grad`` and ``x``; ``like`` has the weights' shape."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, x: Tensor, like: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(grad, x)
        ctx.how = stride, padding
        return _backward(grad, x, like, stride, padding, of_input=False)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor | None, ...]:
        grad, x = ctx.saved_tensors
        of_grad, of_x = ctx.needs_input_grad[:2]
        return (
            _Convolution.apply(x, d, None, *ctx.how) if of_grad else None,
            _InputGradient.apply(grad, d, x, *ctx.how) if of_x else None,
            None,
            None,
            None,
        )
