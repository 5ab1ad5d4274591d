"""The zoo's landmark network keeps what its card says, on faces that no training saw."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from faceuv.data.no_face import no_face
from faceuv.evaluation import landmark_errors
from faceuv.files import zoo
from faceuv.fitting.landmarks import SyntheticLandmarks
from faceuv.models.faces import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

FACES, SIZE = 24, 64
MEAN_ERROR, WORST_ERROR = 3.5, 7.5  # % of the interocular distance; 2.97 and 5.09 when it was shipped


@pytest.fixture(scope="module")
def detector():
    return SyntheticLandmarks()


@pytest.fixture(scope="module")
def faces():
    model = ProceduralFace(rows=97, columns=81)
    data = SyntheticFaces(size=SIZE, seed=2, face_model=model, truth=("coefficients", "landmarks"))
    drawn = data.batch(range(1000, 1000 + FACES))
    _, drawn["interocular"] = LandmarkTruth(model)(Coefficients(drawn["coefficients"]), SIZE)
    return drawn


def test_errors_are_within_the_bound(detector, faces):
    found = detector.detect(faces["image"])
    errors = landmark_errors(found.points, faces["landmarks"], faces["interocular"]).mean(1)
    assert bool(found.found.all())
    assert errors.mean() < MEAN_ERROR and errors.max() < WORST_ERROR


def test_no_face_is_said(detector, faces):
    points = faces["landmarks"] * (2 / SIZE) - 1
    others = no_face(faces["image"], points, torch.Generator().manual_seed(0))
    found = detector.detect(others)
    assert found.found.float().mean() <= 0.1
    assert not detector.detect(torch.rand(4, 3, 64, 64)).found.any()
    assert not detector.detect(torch.full((1, 3, 64, 64), 0.5)).found.any()


def test_a_picture_s_answer_does_not_depend_on_its_company(detector, faces):
    together = detector.detect(faces["image"][:5])
    for row in range(5):
        alone = detector.detect(faces["image"][row : row + 1])
        torch.testing.assert_close(alone.points[0], together.points[row], atol=2e-3, rtol=0)


def test_size_and_shape_of_the_picture_do_not_matter(detector, faces):
    images = faces["image"][:6]
    square = detector.detect(images).points
    large = F.interpolate(images, scale_factor=3, mode="bicubic").clamp(0, 1)
    tall = F.pad(large, (0, 0, 30, 30), mode="replicate")
    for other, offset in ((large, 0.0), (tall, 30.0)):
        moved = (detector.detect(other).points - torch.tensor([0.0, offset])) / 3
        assert (moved - square).norm(dim=2).mean() < 0.02 * SIZE


def test_left_and_right_keep_their_names(detector, faces):
    points = detector.detect(faces["image"]).points
    assert bool((points[:, 36, 0] < points[:, 45, 0]).all())
    flipped = detector.detect(faces["image"].flip(3)).points
    assert bool((flipped[:, 36, 0] < flipped[:, 45, 0]).all())


def test_is_small():
    path = zoo.path("landmarks", "weights.safetensors")
    assert path.stat().st_size < 2_000_000
    assert "interocular" in zoo.card("landmarks")
