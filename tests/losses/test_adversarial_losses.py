from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.losses import DiscriminatorLogistic, GeneratorLogistic, R1Penalty
from faceuv.registry import LOSSES


def scores(*values: float, **kwargs) -> torch.Tensor:
    return torch.tensor(values, **kwargs)[:, None]


def test_known_values_where_the_discriminator_cannot_tell():
    zero = {"scores": torch.zeros(5, 1)}
    assert GeneratorLogistic()(zero, {}).item() == pytest.approx(math.log(2))
    assert DiscriminatorLogistic()(zero, zero).item() == pytest.approx(2 * math.log(2))


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=4), st.lists(st.floats(-20, 20), min_size=1, max_size=4))
def test_values_are_those_of_the_formula(fake, real):
    def penalty(values: list[float], sign: int) -> float:
        return sum(math.log1p(math.exp(sign * value)) for value in values) / len(values)

    pred, target = {"scores": scores(*fake)}, {"scores": scores(*real)}
    assert GeneratorLogistic()(pred, target).item() == pytest.approx(penalty(fake, -1), rel=1e-5, abs=1e-6)
    expected = penalty(fake, 1) + penalty(real, -1)
    assert DiscriminatorLogistic()(pred, target).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=4))
def test_values_per_image_are_those_of_the_formula(pairs):
    """The discriminator's: log(1 + e^fake) + log(1 + e^−real), image by image; their mean is the loss."""
    fake, real = scores(*(pair[0] for pair in pairs)), scores(*(pair[1] for pair in pairs))
    found = DiscriminatorLogistic().per_image({"scores": fake}, {"scores": real})
    expected = [math.log1p(math.exp(f)) + math.log1p(math.exp(-r)) for f, r in pairs]
    assert found.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert float(DiscriminatorLogistic()({"scores": fake}, {"scores": real})) == pytest.approx(float(found.mean()))
    generator = GeneratorLogistic().per_image({"scores": fake}, {})
    assert generator.tolist() == pytest.approx([math.log1p(math.exp(-f)) for f, _ in pairs], rel=1e-5, abs=1e-6)


def test_gradients_push_the_scores_the_right_way():
    fake, real = scores(0.3, -2.0, requires_grad=True), scores(1.5, -0.5, requires_grad=True)
    (generator,) = torch.autograd.grad(GeneratorLogistic()({"scores": fake}, {}), fake)
    torch.testing.assert_close(generator, -torch.sigmoid(-fake.detach()) / 2)
    loss = DiscriminatorLogistic()({"scores": fake}, {"scores": real})
    of_fake, of_real = torch.autograd.grad(loss, [fake, real])
    torch.testing.assert_close(of_fake, torch.sigmoid(fake.detach()) / 2)
    torch.testing.assert_close(of_real, -torch.sigmoid(-real.detach()) / 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_scores_are_taken_in_single_precision(dtype):
    confident = {"scores": scores(-60.0, dtype=dtype)}
    loss = GeneratorLogistic()(confident, {})
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(60)
    # far below what a half-precision sum of two terms could still hold
    assert DiscriminatorLogistic()(confident, {"scores": scores(0.0, dtype=dtype)}).item() == pytest.approx(
        math.log(2), rel=1e-6
    )


@pytest.mark.parametrize(("gamma", "interval"), [(10.0, 1), (0.5, 16)])
def test_r1_of_a_linear_discriminator(generator, gamma, interval):
    weight = torch.randn(3 * 4 * 4, generator=generator, dtype=torch.float64)
    image = torch.rand(5, 3, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    real = {"image": image, "scores": (image.flatten(1) @ weight + 7)[:, None]}
    expected = interval * gamma / 2 * weight.square().sum()
    torch.testing.assert_close(R1Penalty(gamma, interval)({}, real), expected)


def test_r1_is_the_mean_over_the_images_of_their_own_gradients():
    image = torch.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    real = {"image": image, "scores": image.square().sum(1, keepdim=True)}  # gradients 2x: 4·5 and 4·10
    assert R1Penalty(2.0)({}, real).item() == pytest.approx(30)


def test_r1_can_be_learnt_from(generator):
    """The weights of the discriminator get the gradient of its gradient."""
    image = torch.rand(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    first = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    second = torch.randn(4, 1, generator=generator, dtype=torch.float64, requires_grad=True)

    def loss(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return R1Penalty(3.0)({}, {"image": image, "scores": torch.tanh(image @ first) @ second})

    assert torch.autograd.gradcheck(loss, (first, second))


def test_r1_is_due_at_every_interval_from_the_first_iteration_on():
    assert [step for step in range(10) if R1Penalty(interval=4).due(step)] == [0, 4, 8]
    assert all(R1Penalty().due(step) for step in range(3))


@pytest.mark.parametrize(
    ("name", "pred", "target", "message"),
    [
        ("GeneratorLogistic", {}, {}, r"GeneratorLogistic needs the tensor pred\['scores'\], found only nothing"),
        ("GeneratorLogistic", {"scores": [1.0]}, {}, r"pred\['scores'\], found a list"),
        ("DiscriminatorLogistic", {"scores": torch.zeros(1)}, {"b": 1, "a": 2}, r"target\['scores'\], found only a, b"),
        ("R1Penalty", {}, {"scores": torch.zeros(1)}, r"R1Penalty needs the tensor target\['image'\], found only scor"),
    ],
)
def test_a_missing_entry_is_named(name, pred, target, message):
    with pytest.raises(InputError, match=message):
        LOSSES.build(name)(pred, target)


@pytest.mark.parametrize(
    "settings",
    [dict(gamma=0), dict(gamma=-1.0), dict(gamma=math.nan), dict(interval=0), dict(interval=2.0), dict(interval="4")],
)
def test_r1_refuses_bad_settings(settings):
    with pytest.raises(InputError, match="expected gamma > 0 and a whole interval ≥ 1, got"):
        R1Penalty(**settings)


def test_r1_refuses_images_without_gradients():
    image = torch.rand(2, 3)
    with pytest.raises(InputError, match=r"needs target\['image'\] with requires_grad"):
        R1Penalty()({}, {"image": image, "scores": image.sum(1)})
    with pytest.raises(InputError, match="scores computed from it"):
        R1Penalty()({}, {"image": image.requires_grad_(), "scores": torch.zeros(2)})


def test_r1_refuses_scores_of_other_images():
    other, image = torch.rand(2, 3, requires_grad=True), torch.rand(2, 3, requires_grad=True)
    with pytest.raises(InputError, match=r"were not computed from target\['image'\]"):
        R1Penalty()({}, {"image": image, "scores": other.sum(1)})
