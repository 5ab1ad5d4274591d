"""The adapter to face-alignment, with a stand-in of its interface: no weights are downloaded."""

from __future__ import annotations

import sys
import types
import warnings

import numpy as np
import pytest
import torch

from faceuv.errors import InputError, MissingDependency
from faceuv.fitting.landmarks import FaceAlignmentLandmarks


class StandIn:
    """``get_landmarks_from_image`` as 1.5 has it: here the brightest pixels of each colour are 'faces'.

    Points are whole numbers, the fraction cut off; a box is (left, upper, right, lower, score).
    """

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def get_landmarks_from_image(self, image, detected_faces=None, return_bboxes=False, return_landmark_score=False):
        assert isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        self.seen.append(image)
        points, boxes = [], []
        for channel in range(3):
            rows, columns = np.nonzero(image[..., channel] > 128)
            if len(rows):
                # the middle of the bright region, in pixels from the left and upper edge, without its fraction
                centre = np.array([columns.mean() + 0.5, rows.mean() + 0.5]).astype(np.int32)
                points.append(np.tile(centre.astype(np.float32), (68, 1)))
                boxes.append(
                    np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.5 + 0.1 * channel])
                )
        if not points:
            warnings.warn("No faces were detected.", stacklevel=1)
            return None, None, None
        return points, [np.ones(68)] * len(points), boxes


def spot(channel: int, row: int, column: int, half: int = 0, side: int = 64) -> torch.Tensor:
    image = torch.zeros(1, 3, side, side)
    image[:, channel, row - half : row + half + 1, column - half : column + half + 1] = 1
    return image


class TestAdapter:
    def test_the_pixel_that_holds_the_point_is_its_centre(self):
        found = FaceAlignmentLandmarks(alignment=StandIn(), least_side=1).detect(spot(0, 20, 31))
        assert found.found.tolist() == [True]
        assert torch.equal(found.points, torch.tensor([31.5, 20.5]).expand(1, 68, 2))

    def test_small_pictures_are_enlarged_and_the_points_brought_back(self):
        stand_in = StandIn()
        detector = FaceAlignmentLandmarks(alignment=stand_in, least_side=256)
        found = detector.detect(spot(1, 20, 31, half=4))
        assert stand_in.seen[0].shape == (256, 256, 3)
        # an enlarged pixel is a quarter of a picture's
        torch.testing.assert_close(found.points[0, 0], torch.tensor([31.5, 20.5]), atol=0.13, rtol=0)
        assert found.points.dtype == torch.float32

    def test_large_ones_go_in_as_they_are(self):
        stand_in = StandIn()
        FaceAlignmentLandmarks(alignment=stand_in, least_side=32).detect(torch.rand(1, 3, 40, 48))
        assert stand_in.seen[0].shape == (40, 48, 3)

    def test_of_two_faces_the_largest_is_taken_and_noted(self):
        image = spot(0, 10, 10, half=2) + spot(2, 40, 44, half=6)
        found = FaceAlignmentLandmarks(alignment=StandIn(), least_side=1).detect(image)
        assert torch.equal(found.points[0, 0], torch.tensor([44.5, 40.5]))
        assert found.notes == ("2 faces, the largest was taken",) and found.reasons == ("",)
        torch.testing.assert_close(found.score, torch.tensor([0.7]))

    def test_no_face_is_a_row_without_a_warning(self):
        images = torch.cat([torch.zeros(1, 3, 64, 64), spot(0, 5, 5)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = FaceAlignmentLandmarks(alignment=StandIn(), least_side=1).detect(images)
        assert found.found.tolist() == [False, True] and found.reasons == ("no face was found", "")

    def test_nan_does_not_reach_the_package(self):
        stand_in = StandIn()
        found = FaceAlignmentLandmarks(alignment=stand_in).detect(torch.full((1, 3, 64, 64), float("nan")))
        assert not found.found[0] and "NaN" in found.reasons[0] and not stand_in.seen


class TestPackage:
    def test_is_built_late_with_the_heads_points(self, monkeypatch):
        built = []

        def build(kind, **settings):
            built.append((kind, settings))
            return StandIn()

        package = types.ModuleType("face_alignment")
        package.LandmarksType = types.SimpleNamespace(TWO_D="seen contour", TWO_HALF_D="head")
        package.FaceAlignment = build
        monkeypatch.setitem(sys.modules, "face_alignment", package)
        detector = FaceAlignmentLandmarks(face_detector="blazeface", device="cpu")
        assert not built
        detector.detect(spot(0, 5, 5))
        detector.detect(spot(0, 5, 5))
        assert built == [("head", {"device": "cpu", "face_detector": "blazeface", "compile": False})]
        FaceAlignmentLandmarks(contour="visible").detect(spot(0, 5, 5))
        assert built[1][0] == "seen contour"

    def test_a_missing_package_is_said_at_once(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "face_alignment", None)
        with pytest.raises(MissingDependency, match=r'pip install "faceuv\[landmarks\]"; or use SyntheticLandmarks'):
            FaceAlignmentLandmarks()

    def test_an_unknown_contour(self):
        with pytest.raises(InputError, match="contour must be one of head, visible, got 'jaw'"):
            FaceAlignmentLandmarks(contour="jaw", alignment=StandIn())
