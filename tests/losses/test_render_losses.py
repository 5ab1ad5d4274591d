"""The render loss and the distance of codes."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.registry import LOSSES


def side(level: float, shift: float = 0.0) -> dict[str, torch.Tensor]:
    return {
        "image": torch.full((2, 3, 4, 4), level),
        "mask": torch.ones(2, 1, 4, 4),
        "landmarks": torch.full((2, 68, 2), 0.5 + shift),
    }


class TestRenderLoss:
    def test_a_value_worked_out_by_hand(self) -> None:
        loss = LOSSES.build(dict(type="RenderLoss", landmarks=10.0, photo=2.0))
        # colours differ by 0.1 in three channels, landmarks by 0.2 in x and in y
        expected = 2 * 3 * 0.1**2 + 10 * 2 * 0.2**2
        assert float(loss(side(0.6, 0.2), side(0.5))) == pytest.approx(expected, rel=1e-5)

    def test_pixels_outside_either_mask_do_not_count(self) -> None:
        loss = LOSSES.build(dict(type="RenderLoss", landmarks=0.0))
        drawn, picture = side(0.6), side(0.5)
        picture["image"][:, :, :2] = 0.9
        picture["mask"][:, :, :2] = 0
        assert float(loss(drawn, picture)) == pytest.approx(3 * 0.1**2, rel=1e-4)
        drawn["mask"][:, :, 2:] = 0
        assert float(loss(drawn, picture)) == 0

    def test_gradients(self) -> None:
        loss = LOSSES.build(dict(type="RenderLoss", landmarks=3.0))
        target = {name: value.double() for name, value in side(0.5).items()}
        image, points = (torch.rand(s, dtype=torch.double, requires_grad=True) for s in ((2, 3, 4, 4), (2, 68, 2)))
        mask = torch.rand(2, 1, 4, 4, dtype=torch.double)
        assert torch.autograd.gradcheck(
            lambda i, p: loss({"image": i, "mask": mask, "landmarks": p}, target), (image, points)
        )

    def test_weights_that_leave_nothing(self) -> None:
        with pytest.raises(InputError, match="one of them > 0"):
            LOSSES.build(dict(type="RenderLoss", landmarks=0.0, photo=0.0))


def test_the_distance_of_codes() -> None:
    loss = LOSSES.build(dict(type="CodeDistance"))
    code = torch.zeros(2, 3, 4)
    other = code.clone()
    other[0, 0] = 3.0
    assert loss.per_image({"code": other}, {"code": code}).tolist() == [3.0, 0.0]
    with pytest.raises(InputError, match=r"target\['code'\]"):
        loss({"code": code}, {"code": code[:, :2]})
