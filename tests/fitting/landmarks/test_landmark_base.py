"""What every detector returns."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.export import draw_points
from faceuv.fitting.landmarks import Landmarks
from faceuv.fitting.landmarks.base import check_images, unreadable
from faceuv.registry import LANDMARK_DETECTORS


def rows(count: int = 3) -> Landmarks:
    return Landmarks(
        torch.rand(count, 68, 2), torch.tensor([True, False, True][:count]), torch.tensor([0.9, 0.1, 0.8][:count])
    )


class TestLandmarks:
    def test_says_why_by_default(self):
        assert rows().reasons == ("", "no face was found", "") and rows().notes == ("", "", "")

    def test_rows_by_slice_mask_and_index(self):
        marks = rows()
        for chosen in (slice(1, 3), torch.tensor([False, True, True]), torch.tensor([1, 2])):
            part = marks[chosen]
            assert len(part) == 2 and part.reasons == ("no face was found", "")
            assert torch.equal(part.points, marks.points[1:])

    def test_moves(self):
        moved = rows().to(dtype=torch.float64)
        assert moved.points.dtype == moved.score.dtype == torch.float64 and moved.found.dtype == torch.bool

    def test_stack_keeps_rows_without_a_face(self):
        points = torch.rand(68, 2)
        marks = Landmarks.stack([(points, 0.7, ""), (None, 0.0, "dark")], torch.zeros(1, dtype=torch.float64))
        assert marks.found.tolist() == [True, False] and marks.reasons == ("", "dark")
        assert marks.points.dtype == torch.float64 and torch.isfinite(marks.points).all()
        assert len(Landmarks.stack([], torch.zeros(1))) == 0

    def test_wrong_shapes_are_named(self):
        with pytest.raises(InputError, match=r"landmark points must have shape \(B, 68, 2\), got \(2, 5, 2\)"):
            Landmarks(torch.rand(2, 5, 2), torch.ones(2, dtype=torch.bool), torch.ones(2))
        with pytest.raises(InputError, match="found must be bool"):
            Landmarks(torch.rand(2, 68, 2), torch.ones(2), torch.ones(2))
        with pytest.raises(InputError, match="a reason for each of 2 pictures, got 1"):
            Landmarks(torch.rand(2, 68, 2), torch.ones(2, dtype=torch.bool), torch.ones(2), ("",))
        with pytest.raises(InputError, match="a note for each of 2 pictures, got 1"):
            Landmarks(torch.rand(2, 68, 2), torch.ones(2, dtype=torch.bool), torch.ones(2), notes=("",))


class TestImages:
    def test_checks(self):
        with pytest.raises(InputError, match=r"images must have shape \(B, 3, H, W\), got \(1, 4, 8, 8\)"):
            check_images(torch.zeros(1, 4, 8, 8))
        with pytest.raises(InputError, match="floating point, got torch.uint8"):
            check_images(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
        with pytest.raises(InputError, match="a name for each of 2 images, got 1"):
            check_images(torch.zeros(2, 3, 8, 8), ["a"])

    def test_nan_is_unreadable(self):
        images = torch.zeros(3, 3, 4, 4)
        images[1, 2, 3, 3] = float("nan")
        images[2, 0, 0, 0] = float("inf")
        assert unreadable(images).tolist() == [False, True, True]


class TestDrawing:
    def test_dots_are_where_the_points_are(self):
        image = torch.zeros(1, 3, 20, 30)
        drawn = draw_points(image, torch.tensor([[[4.5, 7.5]]]))
        assert drawn[0, 1, 7, 4] > 0.9
        assert (drawn[0, 1] * (1 - (drawn[0, 1] > 0).float())).sum() == 0 and (drawn > 0).sum() <= 3 * 9

    def test_missed_ones_are_red_and_points_may_lie_outside(self):
        image = torch.zeros(2, 3, 20, 20)
        points = torch.tensor([[[5.5, 5.5], [-30.0, 90.0]]]).expand(2, -1, -1)
        drawn = draw_points(image, points, torch.tensor([True, False]))
        assert drawn[0, :, 5, 5].argmax() == 1 and drawn[1, :, 5, 5].argmax() == 0


def test_the_registry_knows_them():
    assert LANDMARK_DETECTORS.names() == ["FaceAlignmentLandmarks", "PrecomputedLandmarks", "SyntheticLandmarks"]
