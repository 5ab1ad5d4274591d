from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.losses import landmark_weights, rounded_length, saturating
from faceuv.registry import LOSSES
from faceuv.structures import CoefficientLayout

SIZE = (2, 3, 8, 6)


@pytest.fixture
def pictures(generator):
    pred, true = (torch.rand(SIZE, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = (torch.rand(2, 1, 8, 6, generator=generator) < 0.5).double()
    return {"image": pred, "mask": mask}, {"image": true}


def test_photometric_length_is_the_masked_mean_length(pictures):
    pred, target = pictures
    length = torch.linalg.vector_norm(pred["image"] - target["image"], dim=1, keepdim=True)
    expected = (length * pred["mask"]).flatten(1).sum(1) / pred["mask"].flatten(1).sum(1)
    found = LOSSES.build({"type": "PhotometricLoss", "epsilon": 1e-9}).per_image(pred, target)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(LOSSES.build("PhotometricLoss")(pred, target), expected.mean(), atol=1e-3, rtol=0)


def test_photometric_squared_and_target_mask(pictures):
    pred, target = pictures
    half = torch.zeros_like(pred["mask"])
    half[..., :3] = 1
    loss = LOSSES.build({"type": "PhotometricLoss", "norm": "squared"})
    squared = (pred["image"] - target["image"]).square().sum(1, keepdim=True)
    mask = pred["mask"] * half
    expected = (squared * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    torch.testing.assert_close(loss.per_image(pred, {**target, "mask": half}), expected)


def test_photometric_gives_the_mask_no_gradient_and_an_empty_mask_costs_nothing(pictures):
    pred, target = pictures
    mask = pred["mask"].clone().requires_grad_()
    image = pred["image"].clone().requires_grad_()
    loss = LOSSES.build("PhotometricLoss")
    loss({"image": image, "mask": mask}, target).backward()
    assert mask.grad is None
    assert float(image.grad.abs().sum()) > 0
    assert loss.per_image({**pred, "mask": torch.zeros_like(mask)}, target).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("norm", ["length", "squared", "saturating"])
def test_photometric_gradcheck(pictures, norm):
    pred, target = pictures
    loss = LOSSES.build({"type": "PhotometricLoss", "norm": norm})
    image = pred["image"].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda i: loss({**pred, "image": i}, target), image)


@given(st.floats(0, 4), st.floats(1e-3, 1))
def test_robust_functions_are_squares_near_zero_and_bounded_far_out(distance, scale):
    squared = torch.tensor(distance**2, dtype=torch.float64)
    assert 0 <= float(saturating(squared, scale)) <= min(scale**2, distance**2) + 1e-12
    assert 0 <= float(rounded_length(squared, scale)) <= distance + 1e-12
    small = torch.tensor((0.01 * scale) ** 2, dtype=torch.float64)
    torch.testing.assert_close(saturating(small, scale), small, rtol=1e-3, atol=0)
    torch.testing.assert_close(rounded_length(small, scale), small / (2 * scale), rtol=1e-3, atol=0)


def test_landmark_loss_weighs_nose_and_mouth():
    weights = landmark_weights(10.0)
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[30] / weights[0]) == pytest.approx(10)
    assert float(weights[67] / weights[27]) == pytest.approx(10)
    loss = LOSSES.build("LandmarkLoss")
    points = torch.zeros(2, 68, 2)
    moved = points.clone()
    moved[0, 0, 0] = moved[1, 50, 1] = 0.1
    found = loss.per_image({"landmarks": points}, {"landmarks": moved})
    torch.testing.assert_close(found, 0.01 * torch.stack([weights[0], weights[50]]))
    with pytest.raises(InputError, match=r"must have shape \(B, 68, 2\)"):
        loss({"landmarks": points[:, :5]}, {"landmarks": moved})


def test_coefficient_penalty_and_albedo_variance():
    layout = CoefficientLayout()
    loss = LOSSES.build({"type": "CoefficientPenalty", "group": "identity"})
    identity = torch.ones(2, layout.identity)
    assert loss.per_image({"identity": identity}, {}).tolist() == [80.0, 80.0]
    colours = torch.rand(2, 7, 3, dtype=torch.float64)
    mask = torch.tensor([1, 1, 0, 1, 0, 1, 1]).bool()
    found = LOSSES.build("AlbedoVariance").per_image({"colours": colours}, {"skin_mask": mask})
    torch.testing.assert_close(found, colours[:, mask].var(1, unbiased=False).sum(1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "PhotometricLoss", "norm": "l1"}, "norm must be 'length', 'squared' or 'saturating', got 'l1'"),
        ({"type": "PhotometricLoss", "epsilon": 0.0}, "expected epsilon > 0"),
        ({"type": "LandmarkLoss", "emphasis": 0.0}, "emphasis must be positive, got 0.0"),
        ({"type": "CoefficientPenalty", "group": "nose"}, "no coefficient group 'nose'; the groups are identity"),
    ],
)
def test_settings_are_checked(config, message):
    with pytest.raises(InputError, match=message):
        LOSSES.build(config)


def test_missing_entries_are_named(pictures):
    pred, target = pictures
    with pytest.raises(InputError, match=r"PhotometricLoss needs the tensor pred\['mask'\], found only image"):
        LOSSES.build("PhotometricLoss")({"image": pred["image"]}, target)


def test_photometric_divided_by_the_number_of_pixels(pictures):
    """|M| as in StyleFaceUV: pixels that weigh half count as whole pixels."""
    pred, target = pictures
    weights = torch.full_like(pred["mask"], 0.5)
    found, usual = (
        LOSSES.build({"type": "PhotometricLoss", "norm": "squared", "divide_by": by}).per_image(
            pred, {**target, "mask": weights}
        )
        for by in ("pixels", "weights")
    )
    torch.testing.assert_close(found, usual / 2)
    with pytest.raises(InputError, match="divide_by must be 'weights' or 'pixels', got 'area'"):
        LOSSES.build({"type": "PhotometricLoss", "divide_by": "area"})


def test_which_landmarks_count_ten_times():
    """Tip of the nose's bridge and the whole mouth, in the 68-point order."""
    weights = landmark_weights(10.0)
    heavy = {index for index in range(68) if float(weights[index]) > 5 * float(weights[0])}
    assert heavy == {28, 29, 30, *range(48, 68)}
    assert float(weights[48] / weights[0]) == pytest.approx(10)
    assert float(weights.sum()) == pytest.approx(1)
