"""Charts: what is drawn, where, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.export.plots import COLOURS, Line, bar_chart, line_chart, ticks


def painted(chart: torch.Tensor, k: int) -> torch.Tensor:
    """Where a chart has the k-th colour, (H, W)."""
    colour = torch.tensor(COLOURS[k]).float().view(3, 1, 1) / 255
    return ((chart - colour).abs() < 0.01).all(0)


def test_a_rising_line_rises() -> None:
    chart = line_chart({"a": Line([0, 1, 2], [0, 1, 2])}, title="rise", size=(300, 200))
    assert chart.shape == (3, 200, 300)
    rows, columns = painted(chart, 0).nonzero().unbind(1)
    columns, rows = columns[rows > 60], rows[rows > 60]  # below the legend
    assert torch.corrcoef(torch.stack([columns.float(), rows.float()]))[0, 1] < -0.99


def test_a_band_is_drawn_around_its_line() -> None:
    plain = line_chart({"a": Line([0, 1], [1, 1])}, title="t", y_range=(0, 2))
    banded = line_chart({"a": Line([0, 1], [1, 1], [0.5, 0.5])}, title="t", y_range=(0, 2))
    assert ((plain - banded).abs().amax(0) > 0.05).float().mean() > 0.15


def test_bars_are_as_tall_as_their_values() -> None:
    chart = bar_chart({"a": 1.0, "b": 0.5, "c": -0.25}, title="bars")
    tall = [int(painted(chart, k).any(1).sum()) for k in range(3)]
    assert tall[1] == pytest.approx(tall[0] / 2, abs=2)
    assert tall[2] == pytest.approx(tall[0] / 4, abs=2)
    assert painted(chart, 0).nonzero()[:, 0].max() < painted(chart, 2).nonzero()[:, 0].max()


def test_a_bar_without_a_value_is_an_empty_place() -> None:
    chart = bar_chart({"a": 1.0, "b": math.nan}, title="bars")
    assert painted(chart, 0).any()
    assert not painted(chart, 1).any()


def test_charts_are_deterministic_and_in_range() -> None:
    charts = [bar_chart({"a": 1e-5, "b": 3e-5}, title="t", y_label="mm per degree") for _ in range(2)]
    assert torch.equal(*charts)
    assert charts[0].min() >= 0
    assert charts[0].max() <= 1


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low: float, width: float) -> None:
    high = low + width
    if high - low < 1e-9 * abs(low):
        return
    found = ticks(low, high)
    assert 1 <= len(found) <= 7
    assert all(low - 1e-6 * width <= t <= high + 1e-6 * width for t in found)


def test_equal_values_have_a_range() -> None:
    assert line_chart({"a": Line([1.0], [5.0]), "b": Line([1.0], [5.0])}, title="one point").isfinite().all()
    assert bar_chart({"a": 0.0}, title="nothing").isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: line_chart({}, title="t"), "at least one line"),
        (lambda: bar_chart({}, title="t"), "at least one bar"),
        (lambda: line_chart({"a": Line([1, 2], [1])}, title="t"), "'a' must have as many x as y"),
        (lambda: line_chart({"a": Line([], [])}, title="t"), "and some"),
        (lambda: line_chart({"a": Line([1.0], [math.nan])}, title="loss"), "'loss' holds NaN"),
        (lambda: bar_chart({"a": 1.0}, title="t", size=(50, 50)), "at least 120 × 120 pixels, got 50 × 50"),
    ],
)
def test_bad_charts_are_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
