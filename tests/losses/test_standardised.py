from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.losses import StandardisedL1
from faceuv.registry import LOSSES
from faceuv.structures import CoefficientLayout, Coefficients


def sides(difference):
    return {"coefficients": difference}, {"coefficients": torch.zeros_like(difference)}


def test_every_column_counts_alike():
    difference = torch.randn(4, 257)
    torch.testing.assert_close(StandardisedL1()(*sides(difference)), difference.abs().mean())


def test_groups_weigh_what_they_are_given():
    loss = StandardisedL1(groups={"rotation": 5.0})  # the other five groups weigh 1
    one = Coefficients.zeros(2).replace(rotation=torch.ones(2, 3)).data
    torch.testing.assert_close(loss(*sides(one)), torch.tensor(0.5))
    one = Coefficients.zeros(2).replace(identity=torch.ones(2, 80)).data
    torch.testing.assert_close(loss(*sides(one)), torch.tensor(0.1))


def test_another_layout_and_gradients():
    loss = StandardisedL1(layout=CoefficientLayout(identity=2, expression=1, albedo=1)).double()
    difference = torch.randn(3, 37, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss(*sides(x)), difference)


def test_bad_input():
    with pytest.raises(InputError, match=r"got rotaton=1.0; .*Did you mean 'rotation'"):
        StandardisedL1(groups={"rotaton": 1.0})
    with pytest.raises(InputError, match="all groups weigh nothing"):
        StandardisedL1(groups=dict.fromkeys(CoefficientLayout().groups, 0.0))
    with pytest.raises(InputError, match=r"pred\['coefficients'\] must have shape \(B, 257\), got \(2, 177\)"):
        StandardisedL1()(*sides(torch.zeros(2, 177)))
    with pytest.raises(InputError, match=r"needs the tensor pred\['coefficients'\]"):
        StandardisedL1()({}, {})


def test_raw_differences_keep_their_units():
    pred, true = torch.tensor([[1.0, 200.0], [3.0, 0.0]]), torch.tensor([[2.0, 100.0], [3.0, -1.0]])
    loss = LOSSES.build("RawL1")
    assert float(loss({"raw": pred}, {"raw": true})) == pytest.approx((1 + 100 + 0 + 1) / 4)
    with pytest.raises(InputError, match=r"target\['raw'\] must have shape"):
        loss({"raw": pred}, {"raw": true[:, :1]})


def test_the_layout_of_another_face_model():
    """A loss that was given no layout takes that of the mapper; one that was given a layout keeps it."""
    layout = CoefficientLayout(identity=2, expression=1, albedo=1)
    loss = StandardisedL1(groups={"expression": 3.0, "identity": 1.0, "albedo": 0, "rotation": 0, "lighting": 0,
                                  "translation": 0})  # fmt: skip
    loss.set_layout(layout)
    apart = torch.zeros(1, layout.size)
    apart[0, layout.slice("expression")] = 1.0
    assert float(loss({"coefficients": apart}, {"coefficients": apart * 0})) == pytest.approx(0.75)
    fixed = StandardisedL1(layout=layout)
    fixed.set_layout(CoefficientLayout())
    assert len(fixed.column_weights) == layout.size
