from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.directions import RegressionDirection, SVMDirection
from faceuv.registry import DIRECTION_FINDERS
from faceuv.synthetic import ProceduralGenerator


@pytest.fixture
def planted():
    d = torch.randn(16, generator=torch.Generator().manual_seed(7))
    return d / d.norm()


def test_linear_score_exactly(linear, angle, planted):
    (found,) = RegressionDirection(lambda code: code.mean(1) @ planted + 3, samples=500, ridge=0).find(linear)
    assert angle(found.vector, planted.expand(4, -1)) < 0.01
    assert found.metadata["correlation"] == pytest.approx(1, abs=1e-4)
    rng = torch.Generator().manual_seed(1)
    code = linear.broadcast(linear.mapping(linear.sample_latents(20_000, generator=rng)))
    assert found.scale == pytest.approx(float(found.position(code).std()), rel=0.1)


def test_monotone_score(linear, angle, planted):
    finder = RegressionDirection(
        lambda code: ((code.mean(1) - linear.offset) @ planted).tanh(), samples=40_000, ridge=0
    )
    (found,) = finder.find(linear)
    assert angle(found.vector, planted.expand(4, -1)) < 1.5
    assert 0.9 < found.metadata["correlation"] < 0.99


def test_nearer_than_the_svm_under_noise(linear, angle, planted):
    offs = []
    for finder in (partial(RegressionDirection, ridge=0), SVMDirection):
        rng = torch.Generator().manual_seed(5)

        def noisy(code, rng=rng):
            return code.mean(1) @ planted + 3 * torch.randn(len(code), generator=rng)

        offs.append(angle(finder(noisy, samples=40_000).find(linear)[0].vector, planted.expand(4, -1)))
    assert offs[0] < 0.5 * offs[1]


def test_the_ridge_leans_to_where_codes_vary(linear, planted):
    def score(code):
        return code.mean(1) @ planted

    found = [RegressionDirection(score, samples=4000, ridge=ridge).find(linear)[0] for ridge in (0.0, 1.0, 100.0)]
    scales = [one.scale for one in found]
    correlations = [one.metadata["correlation"] for one in found]
    assert scales == sorted(scales)
    assert scales[1] > 1.05 * scales[0]
    assert 0.95 < correlations[1] < correlations[0]
    assert correlations[2] < correlations[1]


def test_a_ridge_is_a_number(linear):
    for ridge in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="ridge must be a number ≥ 0"):
            RegressionDirection("yaw", ridge=ridge)


def test_conditional_layers_and_seed(linear, planted):
    def score(code):
        return (code.mean(1) @ planted).exp()

    plain, again, other = (RegressionDirection(score, samples=2000, seed=s).find(linear)[0] for s in (0, 0, 1))
    assert torch.equal(plain.vector, again.vector)
    assert not torch.equal(plain.vector, other.vector)
    keep = RegressionDirection(lambda code: code[:, 0, 0] + code[:, 0, 1], samples=2000, name="keep").find(linear)[0]
    (found,) = RegressionDirection(score, samples=2000, orthogonal_to=keep).find(linear)
    assert abs(float((found.vector * keep.vector).sum())) < 1e-6
    assert found.metadata["correlation"] < plain.metadata["correlation"]
    assert found.meaning == "the score 'score', orthogonal to keep"
    assert RegressionDirection(score, samples=2000, layers=[2]).find(linear)[0].layers == (2,)


def test_yaw_of_the_procedural_generator():
    faces = ProceduralGenerator(size=32)

    def yaw(code):
        return faces.studio.population.head_turn(faces.scene(code).numbers["pose"])[1]

    (found,) = DIRECTION_FINDERS.build(dict(type="regression", score=yaw, samples=4000)).find(faces)
    code = faces.sample_codes(1, generator=torch.Generator().manual_seed(9))
    turned = yaw(found.move(code, torch.linspace(-3, 3, 7) * found.scale))
    assert bool((turned.diff() > 0).all())
    assert math.degrees(float(turned[-1] - turned[0])) > 30
    assert found.metadata["correlation"] > 0.9


def test_bad_input(linear):
    with pytest.raises(InputError, match="the same for all codes"):
        RegressionDirection(lambda code: torch.full((len(code),), 0.1), samples=1000).find(linear)
    with pytest.raises(InputError, match="20 of 20 codes have a finite score; codes of width 16 need at least 32"):
        RegressionDirection(lambda code: code[:, 0, 0], samples=20).find(linear)
    with pytest.raises(InputError, match="needs a mapper"):
        RegressionDirection("yaw").find(linear)
