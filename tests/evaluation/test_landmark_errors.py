"""Errors in % of the interocular distance, and scores as probabilities."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import landmark_errors, summarise_landmarks, summarise_scores
from faceuv.registry import METRICS


def truth(count: int = 4) -> torch.Tensor:
    points = torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(0)) * 50
    points[:, 36], points[:, 45] = torch.tensor([10.0, 20.0]), torch.tensor([40.0, 60.0])  # 50 apart
    return points


class TestErrors:
    def test_are_shares_of_the_eyes_distance(self):
        points = truth()
        errors = landmark_errors(points + torch.tensor([3.0, 4.0]), points)
        torch.testing.assert_close(errors, torch.full((4, 68), 10.0))
        given = landmark_errors(points + torch.tensor([3.0, 4.0]), points, torch.full((4,), 100.0))
        torch.testing.assert_close(given, torch.full((4, 68), 5.0))

    def test_summary_is_over_pictures(self):
        errors = torch.tensor([1.0, 2.0, 30.0])[:, None].expand(3, 68)
        found = summarise_landmarks(errors)
        assert found["landmarks_median"] == pytest.approx(2) and found["landmarks_mean"] == pytest.approx(11)
        assert found["landmarks_failures"] == pytest.approx(100 / 3)

    def test_visible_points_alone(self):
        errors, visible = torch.full((2, 68), 9.0), torch.zeros(2, 68)
        errors[:, :10], visible[:, :10] = 1.0, 1.0
        visible[1] = 0  # a picture without a visible point counts for nothing
        found = summarise_landmarks(errors, visible)
        assert found["visible_mean"] == pytest.approx(1) and found["landmarks_mean"] > 7

    def test_eyes_in_one_place_need_a_distance(self):
        points = truth(1)
        points[:, 45] = points[:, 36]
        with pytest.raises(InputError, match="give its interocular distance"):
            landmark_errors(points, points)


class TestScores:
    def test_certain_and_right(self):
        found = summarise_scores(torch.ones(5), torch.zeros(7))
        assert found == {"missed": 0, "imagined": 0, "calibration": pytest.approx(0)}

    def test_certain_and_wrong_half_the_time(self):
        found = summarise_scores(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
        assert found["missed"] == 50 and found["imagined"] == 50 and found["calibration"] == pytest.approx(50)

    def test_honest_doubt_is_calibrated(self):
        assert summarise_scores(torch.full((9,), 0.5), torch.full((3,), 0.5))["calibration"] < 1e-4


class TestMetric:
    def test_collects_samples(self):
        metric = METRICS.build(dict(type="LandmarkErrors"))
        points = truth()
        metric.process(None, [dict(points=p + 3, truth=p, score=torch.tensor(0.9), other_score=torch.tensor(0.1))
                              for p in points])  # fmt: skip
        found = metric.evaluate(4)
        assert found["landmarks_mean"] == pytest.approx(100 * 3 * 2**0.5 / 50, rel=1e-4)
        assert found["samples"] == 4 and found["missed"] == 0 and "visible_mean" not in found

    def test_takes_the_interocular_distance_that_is_known(self):
        metric = METRICS.build(dict(type="LandmarkErrors"))
        sample = dict(
            points=truth(1)[0] + 3, truth=truth(1)[0], interocular=torch.tensor(100.0), visible=torch.ones(68)
        )
        metric.process(None, [sample])
        found = metric.evaluate(1)
        assert found["landmarks_mean"] == found["visible_mean"] == pytest.approx(3 * 2**0.5, rel=1e-4)
