from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import YawErrors


def sample(error_deg=0.0, slope=1.0, **changes):
    wanted = torch.linspace(-1, 1, 5) * math.radians(20)
    return {
        "wanted": wanted,
        "read": wanted + math.radians(error_deg),
        "seen": wanted * slope,
        "steps": torch.linspace(-2, 2, 5),
        "own": torch.tensor(0.3),
        "mirrored": torch.tensor(-0.3),
        "return": torch.tensor(0.25),
        **changes,
    }


def test_known_answers():
    metric = YawErrors()
    metric.process(None, [sample(1.0, slope=0.5), sample(3.0, slope=0.5)])
    found = metric.compute_metrics(metric.results)
    assert found["yaw_deg"] == pytest.approx(2, abs=1e-4)
    assert found["yaw_deg_at_-20"] == pytest.approx(2, abs=1e-4)
    assert found["seen_deg_at_+20"] == pytest.approx(10, abs=1e-4)
    assert found["seen_deg_at_+0"] == pytest.approx(0, abs=1e-4)
    assert found["seen_slope"] == pytest.approx(0.5, abs=1e-5)
    assert found["symmetric_deg"] == pytest.approx(0, abs=1e-4)
    assert found["return_sigma"] == 0.25
    assert found["step_sigma_p99"] == pytest.approx(2, abs=0.1)
    assert found["samples"] == 2


def test_without_a_second_judge():
    metric = YawErrors()
    row = sample()
    del row["seen"]
    metric.process(None, [row])
    assert not any(name.startswith("seen") for name in metric.compute_metrics(metric.results))


def test_a_view_that_is_not_symmetric():
    metric = YawErrors()
    metric.process(None, [sample(mirrored=torch.tensor(-0.2))])
    assert metric.compute_metrics(metric.results)["symmetric_deg"] == pytest.approx(math.degrees(0.1), abs=1e-3)


def test_nothing_to_measure():
    with pytest.raises(InputError, match="no samples"):
        YawErrors().compute_metrics([])
