from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.fitting.solver import minimise


class Curve:
    """‖A_b·tanh(x) − y_b‖² for each problem b; smooth, not linear, with scales that differ by 10⁴."""

    def __init__(self, count: int, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        scale = torch.logspace(-2, 2, 4, dtype=torch.float64)
        self.matrix = torch.randn(count, 9, 4, generator=g, dtype=torch.float64) * scale
        self.best = 0.8 * torch.randn(count, 4, generator=g, dtype=torch.float64).clamp(-1, 1)
        self.wanted = (self.matrix @ self.best.tanh()[..., None])[..., 0]
        self.calls = torch.zeros(count)

    def _residual(self, x, rows):
        return (self.matrix[rows] @ x.tanh()[..., None])[..., 0] - self.wanted[rows]

    def cost(self, x, rows):
        self.calls[rows] += 1
        return self._residual(x, rows).square().sum(1)

    def system(self, x, rows):
        jacobian = self.matrix[rows] * (1 - x.tanh().square())[:, None]
        residual = self._residual(x, rows)
        return jacobian.transpose(1, 2) @ jacobian, (residual[:, None] @ jacobian)[:, 0]


EVERY = torch.arange(4)


def test_finds_the_minimum_of_badly_scaled_problems():
    curve = Curve(5)
    found = minimise([curve], torch.zeros(5, 4).double(), EVERY, iterations=60, tolerance=1e-12)
    torch.testing.assert_close(found.x, curve.best, atol=1e-5, rtol=0)
    assert bool(found.finite.all())


def test_a_problem_does_not_notice_its_company():
    curve = Curve(5)
    together = minimise([curve], torch.zeros(5, 4).double(), EVERY, iterations=20)
    for row in range(5):
        alone = Curve(5)
        alone.matrix, alone.wanted = curve.matrix[row : row + 1], curve.wanted[row : row + 1]
        one = minimise([alone], torch.zeros(1, 4).double(), EVERY, iterations=20)
        torch.testing.assert_close(one.x[0], together.x[row], atol=1e-9, rtol=0)
        assert int(one.iterations[0]) == int(together.iterations[row])


def test_what_is_done_is_not_computed_again():
    curve = Curve(3)
    start = torch.zeros(3, 4).double()
    start[1] = curve.best[1]
    found = minimise([curve], start, EVERY, iterations=40)
    assert int(found.iterations[1]) < int(found.iterations[0])
    assert float(curve.calls[1]) < float(curve.calls[0])


def test_columns_that_are_not_free_stay():
    found = minimise([Curve(2)], torch.full((2, 4), 0.25).double(), torch.tensor([0, 3]), iterations=10)
    assert bool((found.x[:, 1:3] == 0.25).all())
    assert bool((found.x[:, [0, 3]] != 0.25).all())


def test_nan_in_one_problem_is_told_and_leaves_the_others_alone():
    clean, broken = Curve(3), Curve(3)
    broken.wanted = broken.wanted.clone()
    broken.wanted[1] = torch.nan
    one, two = (minimise([c], torch.zeros(3, 4).double(), EVERY, iterations=20) for c in (clean, broken))
    assert two.finite.tolist() == [True, False, True]
    torch.testing.assert_close(one.x[[0, 2]], two.x[[0, 2]])


def test_a_singular_system_is_survived():
    curve = Curve(2)
    curve.matrix = curve.matrix.clone()
    curve.matrix[0, :, 2] = 0  # a column without effect
    found = minimise([curve], torch.zeros(2, 4).double(), EVERY, iterations=20)
    assert bool(torch.isfinite(found.x).all())


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_cost_never_grows(seed, iterations):
    curve = Curve(2, seed)
    start = torch.randn(2, 4, generator=torch.Generator().manual_seed(seed)).double()
    before = curve.cost(start, torch.arange(2))
    found = minimise([curve], start, EVERY, iterations=iterations)
    assert bool((found.cost <= before).all())
    torch.testing.assert_close(found.cost, curve.cost(found.x, torch.arange(2)))
