"""First weights: the same numbers as of the expressions that they replace, and none where only shapes are asked for."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.models.base.weights import normal, unit_matrix
from faceuv.models.stylegan2.layers import EqualizedLinear
from faceuv.models.stylerig.rignet import RowLinear


@pytest.mark.parametrize("shape", [(1,), (3, 5), (16,), (7, 17), (4, 3, 3, 3), (2, 512)])
@pytest.mark.parametrize("over", [1.0, 0.01, math.sqrt(7)])
def test_normal_is_randn_bit_by_bit(shape, over):
    torch.manual_seed(5)
    expected, after = torch.randn(*shape) / over, torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(normal(*shape, over=over), expected)
    assert torch.equal(torch.rand(1), after)  # what is drawn next is the same, too


def test_layers_begin_as_they_did():
    torch.manual_seed(1)
    weight, rows = torch.randn(6, 9) / 0.01, torch.randn(2, 9, 4) / math.sqrt(9)
    torch.manual_seed(1)
    linear, by_row = EqualizedLinear(9, 6, rate=0.01, bias=1.0), RowLinear(2, 9, 4)
    assert torch.equal(linear.weight, weight) and torch.equal(by_row.weight, rows)
    assert torch.equal(unit_matrix(4), torch.eye(4))
    assert torch.equal(linear.bias, torch.full((6,), 1.0 / 0.01))


def test_on_meta_nothing_is_drawn():
    torch.manual_seed(2)
    state = torch.get_rng_state()
    with torch.device("meta"):
        made = [normal(10**6, 10**6, over=0.5), unit_matrix(10**5)]
    assert [tuple(value.shape) for value in made] == [(10**6, 10**6), (10**5, 10**5)]
    assert all(value.is_meta for value in made)
    assert torch.equal(torch.get_rng_state(), state)
