from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import coefficient_errors, face_weight
from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.natural_units import UNITS, NaturalUnits
from faceuv.structures import CoefficientLayout, Coefficients


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(rows=61, columns=41, verbose=False)


@pytest.fixture(scope="module")
def pair(model):
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(2, 4, model.layout.size, generator=generator) * 0.2
    return [Coefficients(side, model.layout) for side in data]


def test_distances_are_the_errors(model, pair):
    """What training measures on some points is what evaluation measures on all."""
    units = NaturalUnits(model, points=400)
    first, second = (units(side) for side in pair)
    assert set(first) == set(UNITS)
    distance = {name: torch.linalg.vector_norm(first[name] - second[name], dim=2).mean(1) for name in UNITS}
    errors = coefficient_errors(*pair, model, size=100, weight=face_weight(model))
    torch.testing.assert_close(distance["landmarks"], errors["landmarks_px"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(distance["position"], errors["translation_mm"], rtol=1e-4, atol=1e-4)
    chosen = slice(68, None)  # by area, without the landmarks
    moved = torch.linalg.vector_norm((first["expression"] - second["expression"])[:, chosen], dim=2).mean(1)
    torch.testing.assert_close(moved, errors["expression_mm"], rtol=0.25, atol=0)
    colours = (first["colours"] - second["colours"])[:, chosen].abs().mean((1, 2)) / 100
    torch.testing.assert_close(colours, errors["albedo"], rtol=0.1, atol=0)
    light = (first["light"] - second["light"]).abs().mean((1, 2)) / 100
    torch.testing.assert_close(light, errors["light"], rtol=0.1, atol=0)


def test_degrees_and_millimetres(model):
    zero = Coefficients.zeros(1, model.layout)
    found = NaturalUnits(model)(
        zero.replace(rotation=torch.tensor([[0.0, math.pi / 6, 0.0]]), translation=torch.tensor([[0.0, 0.1, 0.0]]))
    )
    assert found["angles"].flatten().tolist() == pytest.approx([0, 30, 0], abs=1e-4)
    assert found["position"].flatten().tolist() == pytest.approx([0, 10, 0], abs=1e-4)
    assert found["expression"].abs().max() == 0


def test_gradient(model, pair):
    units = NaturalUnits(model, points=3).double()

    def weighed(data):
        return torch.stack([value.cos().sum() for value in units(Coefficients(data, model.layout)).values()])

    data = (pair[0].data[:1].double() * 0.1).requires_grad_()
    assert torch.autograd.gradcheck(weighed, (data,), fast_mode=True)


def test_nothing_goes_into_checkpoints(model):
    assert NaturalUnits(model).state_dict() == {}


def test_bad_input(model):
    with pytest.raises(InputError, match="points must be 1 …"):
        NaturalUnits(model, points=10**6)
    layout = CoefficientLayout(identity=3)
    with pytest.raises(InputError, match=r"coefficients must have shape \(B, 257\)"):
        NaturalUnits(model)(Coefficients.zeros(1, layout))
