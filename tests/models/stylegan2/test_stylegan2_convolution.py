"""Convolutions with fast second derivatives, beside PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from faceuv.models.stylegan2.convolution import convolve

SHAPES = ((3, 1, 1), (3, 2, 0), (1, 1, 0), (1, 2, 0))  # kernel, stride, padding


def tensors(kernel, dtype=torch.float64):
    rng = torch.Generator().manual_seed(kernel)
    return [
        torch.randn(shape, generator=rng, dtype=dtype).requires_grad_()
        for shape in ((2, 3, 6, 6), (4, 3, kernel, kernel), (4,))
    ]


@pytest.mark.parametrize(("kernel", "stride", "padding"), SHAPES)
def test_first_and_second_derivatives(kernel, stride, padding):
    def call(x, weight, bias):
        return convolve(x, weight, bias, stride=stride, padding=padding)

    inputs = tensors(kernel)
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


@pytest.mark.parametrize(("kernel", "stride", "padding"), SHAPES)
def test_a_penalty_on_gradients_is_pytorchs(kernel, stride, padding):
    def penalty(convolution):
        x, weight, bias = tensors(kernel)
        y = convolution(x, weight, bias, stride=stride, padding=padding)
        (slope,) = torch.autograd.grad((y * torch.sigmoid(y)).sum(), x, create_graph=True)
        slope.square().sum().backward()
        return x.grad, weight.grad, bias.grad

    for found, expected in zip(penalty(convolve), penalty(F.conv2d)):
        torch.testing.assert_close(found, expected)


def test_nothing_is_kept_of_what_needs_no_gradient():
    x, weight, _ = tensors(3)
    y = convolve(x.detach(), weight, padding=1)
    (of_weight,) = torch.autograd.grad(y.sum(), weight)
    torch.testing.assert_close(of_weight, torch.autograd.grad(F.conv2d(x.detach(), weight, padding=1).sum(), weight)[0])


def test_autocast_computes_in_its_own_precision():
    x, weight, bias = tensors(3, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = convolve(x, weight, bias, padding=1)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(y.float(), F.conv2d(x, weight, bias, padding=1), rtol=0.05, atol=0.1)
