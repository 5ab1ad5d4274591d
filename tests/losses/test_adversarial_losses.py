from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.registry import LOSSES


def scores(*values):
    return {"scores": torch.tensor(values, dtype=torch.float64).view(-1, 1)}


class TestLogistic:
    def test_undecided_scores(self):
        assert float(LOSSES.build("GeneratorLogistic")(scores(0, 0), {})) == pytest.approx(math.log(2))
        undecided = LOSSES.build("DiscriminatorLogistic")(scores(0), scores(0, 0))
        assert float(undecided) == pytest.approx(2 * math.log(2))

    def test_values(self):
        expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(2))) / 2
        assert float(LOSSES.build("GeneratorLogistic")(scores(1, -2), {})) == pytest.approx(expected)
        expected = math.log1p(math.exp(3)) + math.log1p(math.exp(-0.5))
        assert float(LOSSES.build("DiscriminatorLogistic")(scores(3), scores(0.5))) == pytest.approx(expected)

    def test_each_player_wants_the_other_way(self):
        for name, sign in (("GeneratorLogistic", -1), ("DiscriminatorLogistic", 1)):
            fake = torch.zeros(2, 1, requires_grad=True)
            LOSSES.build(name)({"scores": fake}, scores(0)).backward()
            assert bool((fake.grad.sign() == sign).all()), name

    def test_missing_scores_are_named(self):
        with pytest.raises(InputError, match=r"GeneratorLogistic needs the tensor pred\['scores'\], found only image"):
            LOSSES.build("GeneratorLogistic")({"image": torch.zeros(1)}, {})
        with pytest.raises(InputError, match=r"needs the tensor target\['scores'\], found a list"):
            LOSSES.build("DiscriminatorLogistic")(scores(0), {"scores": [1.0]})


class TestR1:
    def test_of_a_linear_discriminator(self):
        weight = torch.tensor([3.0, 4.0], dtype=torch.float64)
        image = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
        penalty = LOSSES.build({"type": "R1Penalty", "gamma": 2.0, "interval": 16})
        value = penalty({}, {"image": image, "scores": (image @ weight)[:, None]})
        assert float(value) == pytest.approx(16 * 2.0 / 2 * 25)

    def test_trains_the_discriminator(self):
        image = torch.randn(3, 2, dtype=torch.float64).requires_grad_()

        def value(weight):
            scores = (image @ weight).tanh()[:, None]
            return LOSSES.build("R1Penalty")({}, {"image": image, "scores": scores})

        assert torch.autograd.gradcheck(value, torch.randn(2, dtype=torch.float64, requires_grad=True))

    def test_when_it_is_due(self):
        penalty = LOSSES.build({"type": "R1Penalty", "interval": 3})
        assert [penalty.due(step) for step in range(5)] == [True, False, False, True, False]

    def test_images_without_gradients(self):
        with pytest.raises(InputError, match="requires_grad"):
            LOSSES.build("R1Penalty")({}, {"image": torch.zeros(1, 2), "scores": torch.zeros(1, 1)})

    @pytest.mark.parametrize("wrong", [{"gamma": 0.0}, {"interval": 0}, {"interval": 1.5}])
    def test_settings(self, wrong):
        with pytest.raises(InputError, match="gamma > 0 and a whole interval"):
            LOSSES.build({"type": "R1Penalty", **wrong})
