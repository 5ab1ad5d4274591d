"""FeatureMatching: known answers, scale-free, gradients on one side, bad input."""

import pytest
import torch

from faceuv.errors import InputError
from faceuv.losses import FeatureMatching
from faceuv.registry import LOSSES


def layers(*sizes: int, seed: int = 0) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, size, size, generator=rng) for size in sizes]


def distance(pred, target, **settings):
    return FeatureMatching(**settings)({"features": pred}, {"features": target})


def test_known_answer():
    wanted = [torch.full((1, 1, 8, 8), 2.0), torch.full((1, 2, 16, 16), -4.0)]
    found = [wanted[0] + 1.0, wanted[1] - 1.0]
    assert float(distance(found, wanted)) == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_no_layer_counts_for_more_because_its_numbers_are_large():
    found, wanted = layers(16, 8), layers(16, 8, seed=1)
    louder = [[found[0], found[1] * 1000], [wanted[0], wanted[1] * 1000]]
    assert torch.allclose(distance(*louder), distance(found, wanted))


def test_small_layers_are_left_out():
    found, wanted = layers(16, 4), layers(16, 4, seed=1)
    assert torch.equal(distance(found, wanted, smallest=8), distance(found[:1], wanted[:1]))
    with pytest.raises(InputError, match="no layer of at least 32"):
        distance(found, wanted, smallest=32)


def test_gradients_reach_the_prediction_alone():
    found, wanted = [x.requires_grad_() for x in layers(8)], [x.requires_grad_() for x in layers(8, seed=1)]
    distance(found, wanted).backward()
    assert found[0].grad.abs().sum() > 0
    assert wanted[0].grad is None


def test_bad_input():
    with pytest.raises(InputError, match=r"pred\['features'\], a list of tensors, found NoneType among image"):
        FeatureMatching()({"image": torch.zeros(1)}, {"features": layers(8)})
    with pytest.raises(InputError, match="equal shapes"):
        distance(layers(8), layers(16))
    with pytest.raises(InputError, match="smallest"):
        LOSSES.build({"type": "FeatureMatching", "smallest": 0})
