"""Networks inside others that are not theirs."""

from __future__ import annotations

import copy

import torch
from torch import nn

from faceuv.models.base.fixed import Fixed


def test_it_moves_but_is_neither_trained_nor_saved():
    inner = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    outer = nn.Module()
    outer.own, outer.other = nn.Linear(2, 1), Fixed(inner)
    assert outer.other.network is inner
    assert set(outer.state_dict()) == {"own.weight", "own.bias"}
    assert {name for name, _ in outer.named_parameters()} == {"own.weight", "own.bias"}
    assert not any(parameter.requires_grad for parameter in inner.parameters())
    outer.train()
    assert not inner.training
    outer.double()
    assert inner[0].weight.dtype == torch.float64
    outer.to("meta")
    assert inner[0].weight.device.type == "meta"


def test_it_is_called_and_copied_like_the_network():
    inner = nn.Linear(3, 2)
    fixed = Fixed(inner)
    x = torch.randn(4, 3, requires_grad=True)
    fixed(x).sum().backward()
    assert x.grad is not None
    other = copy.deepcopy(fixed)
    assert other.network is not inner
    assert torch.equal(other.network.weight, inner.weight)
