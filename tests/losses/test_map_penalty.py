"""The penalty on maps."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.registry import LOSSES


def penalty(**settings):
    return LOSSES.build({"type": "MapPenalty", **settings})


def test_values():
    flat = torch.tensor([[0.01, 0.0, 0.02], [0.0, 0.0, 0.0]])[:, :, None, None].expand(2, 3, 4, 5)
    torch.testing.assert_close(penalty().per_image({"displacement": flat}, {}), torch.tensor([5.0, 0.0]))
    assert not penalty(measure="slope").per_image({"displacement": flat}, {}).any()
    ramp = torch.arange(5.0).expand(1, 1, 4, 5) + 10 * torch.arange(4.0)[:, None]
    found = penalty(of="diffuse", measure="slope", unit=1.0)({"diffuse": ramp}, {})
    torch.testing.assert_close(found, torch.tensor(101.0))


def test_gradient():
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    for measure in ("size", "slope"):
        loss = penalty(measure=measure, unit=1.0)
        assert torch.autograd.gradcheck(lambda m, loss=loss: loss({"displacement": m}, {}), maps)


def test_refusals():
    with pytest.raises(InputError, match="'size' or 'slope'"):
        penalty(measure="loudness")
    with pytest.raises(InputError, match=r"MapPenalty needs the tensor pred\['displacement'\], found only diffuse"):
        penalty()({"diffuse": torch.zeros(1, 3, 2, 2)}, {})
