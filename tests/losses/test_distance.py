from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.losses import MeanDistance
from faceuv.registry import LOSSES


def test_is_the_mean_distance_where_it_is_large():
    pred, target = torch.tensor([[[3.0, 4.0]], [[0.0, 10.0]]]), torch.zeros(2, 1, 2)
    found = MeanDistance("landmarks", smooth=1e-3)({"landmarks": pred}, {"landmarks": target})
    assert float(found) == pytest.approx(7.5, abs=2e-3)


def test_is_zero_and_flat_at_the_truth():
    points = torch.zeros(1, 4, 3, requires_grad=True)
    loss = LOSSES.build({"type": "MeanDistance", "of": "shape"})({"shape": points}, {"shape": torch.zeros(1, 4, 3)})
    loss.backward()
    assert float(loss.detach()) == 0
    assert points.grad is not None
    assert float(points.grad.abs().max()) == 0


def test_gradient():
    pred = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(2, 3, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: MeanDistance("x")({"x": p}, {"x": target}), (pred,))


def test_bad_input():
    with pytest.raises(InputError, match="smooth must be positive, got 0"):
        MeanDistance("x", smooth=0)
    with pytest.raises(InputError, match=r"MeanDistance needs the tensor target\['x'\], found only y"):
        MeanDistance("x")({"x": torch.zeros(1, 2)}, {"y": torch.zeros(1, 2)})
    with pytest.raises(InputError, match=r"target\['x'\] must have shape \(1, 2\), got \(3, 2\)"):
        MeanDistance("x")({"x": torch.zeros(1, 2)}, {"x": torch.zeros(3, 2)})


def test_the_bend_lies_at_a_tenth_of_a_unit():
    pred, target = {"x": torch.tensor([[0.1, 0.0]])}, {"x": torch.zeros(1, 2)}
    assert float(MeanDistance("x")(pred, target)) == pytest.approx(0.1 * (2**0.5 - 1))
