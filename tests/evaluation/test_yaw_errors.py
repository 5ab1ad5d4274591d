from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.evaluation import PoseErrors, YawErrors, angle_errors_deg, turning_errors
from faceuv.structures import Coefficients


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


class Reader(nn.Module):
    """Reads the yaw off the picture's first colour, 0.1 too far to the right."""

    def forward(self, images):
        rotation = torch.zeros(len(images), 3)
        rotation[:, 1] = images[:, 0].mean((1, 2)) + 0.1
        return Coefficients.zeros(len(images)).replace(rotation=rotation)


class TestPose:
    def rows(self, slope=0.5):
        asked = torch.linspace(-0.6, 0.6, 5)
        pictures = (asked * slope)[:, None, None, None].expand(-1, 3, 4, 4)
        return [
            {"fake": p, "yaw": a * slope, "fake_random_yaw": p, "yaw_random_yaw": a} for a, p in zip(asked, pictures)
        ]

    def test_of_every_view(self):
        metric = PoseErrors(Reader())
        metric.process({}, self.rows()[:2])
        metric.process({}, self.rows()[2:])
        found = metric.evaluate(5)
        assert found["pose_deg"] == pytest.approx(math.degrees(0.1), abs=1e-3)
        assert found["pose_slope"] == pytest.approx(1, abs=1e-5)
        assert found["pose_slope_random_yaw"] == pytest.approx(0.5, abs=1e-5)
        # |0.1 − a/2| over the five angles a
        wanted = sum(abs(0.1 - a / 2) for a in (-0.6, -0.3, 0, 0.3, 0.6)) / 5
        assert found["pose_deg_random_yaw"] == pytest.approx(math.degrees(wanted), abs=1e-3)
        assert found["pose_samples"] == 5
        assert not any(name.endswith("_symmetric") for name in found)

    def test_samples_of_another_kind(self):
        with pytest.raises(InputError, match=r"PoseErrors reads samples dict\(fake .* they have fake"):
            PoseErrors(Reader()).process({}, [{"fake": torch.zeros(3, 4, 4)}])

    def test_nothing_to_measure(self):
        with pytest.raises(InputError, match="no samples"):
            PoseErrors(Reader()).compute_metrics([])


class TestTurning:
    WANTED = torch.tensor([-60.0, 0.0, 30.0]) * (math.pi / 180)

    def test_faces_that_turn_too_little(self):
        found = turning_errors(0.8 * self.WANTED.expand(4, -1), self.WANTED)
        assert found["slope"] == pytest.approx(0.8, abs=1e-6)
        assert found["deg"] == pytest.approx((12 + 0 + 6) / 3, abs=1e-4)
        assert [found[f"deg_at_{a}"] for a in ("-60", "+0", "+30")] == pytest.approx([12, 0, 6], abs=1e-4)

    def test_a_bias_is_no_slope(self):
        found = turning_errors(self.WANTED.expand(4, -1) + math.radians(5), self.WANTED)
        assert found["slope"] == pytest.approx(1, abs=1e-6)
        assert (found["deg"], found["deg_p95"]) == pytest.approx((5, 5), abs=1e-4)

    def test_every_face_to_an_angle_of_its_own(self):
        wanted = torch.tensor([[0.1], [-0.4], [0.7]])
        found = turning_errors(wanted * 0.5, wanted)
        assert set(found) == {"deg", "deg_p95", "slope"}
        assert found["deg"] == pytest.approx(math.degrees(0.2), abs=1e-4)

    def test_one_angle_for_all_has_no_slope(self):
        assert "slope" not in turning_errors(torch.rand(5, 1), torch.zeros(1))

    def test_the_shorter_way_round(self):
        read, wanted = torch.tensor([3.1, -3.1, 0.2]), torch.tensor([-3.1, 3.1, 0.1])
        away = math.degrees(2 * math.pi - 6.2)
        assert angle_errors_deg(read, wanted) == pytest.approx([away, away, math.degrees(0.1)], abs=1e-3)

    def test_angles_that_do_not_fit(self):
        with pytest.raises(InputError, match="wanted angles must have shape"):
            turning_errors(torch.zeros(4, 3), torch.zeros(4, 2))
