"""The confidence of a fit: known answers for each piece of evidence, and whole fits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from faceuv.data.occlude import occlude
from faceuv.errors import InputError
from faceuv.fitting import Fit, Fitter, Landmarks
from faceuv.fitting.confidence import (
    DOUBTFUL,
    LIMITS,
    PARTS,
    brightness,
    confidence_of,
    doubt_of,
    measure,
    parts_of,
    share_inside,
)  # fmt: skip
from faceuv.fitting.gradient import Prediction, PredictionContext
from faceuv.fitting.landmarks.base import LandmarkDetector, look_at_mirrored
from faceuv.fitting.priors import likely
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.registry import LANDMARK_DETECTORS, RENDERERS
from faceuv.structures import Coefficients

SIZE = 64


@pytest.fixture(scope="module")
def renderer():
    return RENDERERS.build("torch")


@pytest.fixture
def mean_face(face_model):
    return Coefficients(likely(face_model.layout, face_model.mean).expand(2, -1).clone(), face_model.layout)


def evidence(**values: float) -> torch.Tensor:
    return torch.tensor([[values.get(name, 0.0) for name in PARTS]])


class TestRule:
    def test_one_piece_at_its_limit_is_on_the_border(self):
        for name in PARTS:
            found = evidence(**{name: LIMITS[name]})
            assert float(confidence_of(found)) == pytest.approx(0.5)
            assert float(parts_of(found)[0, PARTS.index(name)]) == pytest.approx(0.5)
            assert float(confidence_of(evidence(**{name: 0.9 * LIMITS[name]}))) > DOUBTFUL

    def test_signs_add_up(self):
        assert float(confidence_of(evidence())) == 1.0
        both = evidence(landmarks=LIMITS["landmarks"], colours=2 * LIMITS["colours"])
        assert float(confidence_of(both)) == pytest.approx(1 / 6)
        assert float(confidence_of(evidence(agreement=math.inf))) == 0.0

    def test_what_is_not_known_does_not_count(self):
        some = evidence(landmarks=LIMITS["landmarks"], agreement=math.nan)
        assert float(confidence_of(some)) == pytest.approx(0.5)
        assert float(confidence_of(torch.full((1, len(PARTS)), math.nan))) == 0.0

    def test_doubts_in_words(self):
        row = evidence(detector=0.9, agreement=3 * LIMITS["agreement"], colours=0.01)[0].tolist()
        words = doubt_of(row)
        assert words.startswith("two looks of the detector differ by") and "colours" not in words
        assert "the detector's score is 0.10" in words
        assert doubt_of(evidence(agreement=math.inf)[0].tolist()) == "a second look of the detector finds no face"
        low = doubt_of(evidence(identity=0.8 * LIMITS["identity"], inside=0.1 * LIMITS["inside"])[0].tolist())
        assert low.startswith("an unlikely identity")


class TestEvidence:
    def of(self, model, renderer, faces, **changes):
        image = torch.full((len(faces), 3, SIZE, SIZE), 0.5)
        pred = Prediction(PredictionContext.of(model, renderer), faces.data, SIZE, SIZE)
        ones = torch.ones(len(faces))
        given = {"images": image, "mask": None, "score": ones, "disagreement": 0 * ones, "landmark_error": 0 * ones,
                 "photometric": 0 * ones, **changes}  # fmt: skip
        found = measure(model, pred, faces.data, renderer.camera, **given)
        return dict(zip(PARTS, found.unbind(1)))

    def test_known_answers(self, face_model, renderer, mean_face):
        two = torch.full((2,), 2.0)
        found = self.of(face_model, renderer, mean_face, score=two / 8, disagreement=two, landmark_error=2 * two,
                        photometric=two / 20)  # fmt: skip
        _, eyes = LandmarkTruth(face_model)(mean_face, SIZE)
        torch.testing.assert_close(found["detector"], torch.full((2,), 0.75))
        torch.testing.assert_close(found["agreement"], 2 / eyes)
        torch.testing.assert_close(found["landmarks"], 4 / eyes)
        torch.testing.assert_close(found["colours"], torch.full((2,), 0.1 / (0.5 * math.sqrt(3))))
        for name in ("identity", "expression", "inside"):
            assert found[name].tolist() == [0.0, 0.0], name

    def test_a_pixel_weighs_the_same_when_the_head_turns(self, face_model, renderer, mean_face):
        turned = mean_face.replace(rotation=torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.2, 0.0]]))
        found = self.of(face_model, renderer, turned, landmark_error=torch.ones(2))["landmarks"]
        assert float(found[1] / found[0]) == pytest.approx(1.0, abs=0.1)

    def test_lengths_of_the_coefficients(self, face_model, renderer, mean_face):
        groups = face_model.layout.groups
        odd = mean_face.replace(
            identity=torch.stack([torch.full((groups["identity"],), 3.0), torch.zeros(groups["identity"])]),
            expression=torch.stack([torch.zeros(groups["expression"]), torch.full((groups["expression"],), -2.0)]),
        )
        found = self.of(face_model, renderer, odd)
        assert found["identity"].tolist() == pytest.approx([3.0, 0.0])
        assert found["expression"].tolist() == pytest.approx([0.0, 2.0])

    def test_the_share_inside_the_frame(self, face_model, renderer, mean_face):
        camera = renderer.camera

        def share(x, mask=None):
            return share_inside(face_model, x.data, camera, (SIZE, SIZE), mask)[0].item()

        assert share(mean_face) == 1.0
        away = mean_face.replace(translation=torch.tensor([[50.0, 0.0, 0.0]]).expand(2, 3))
        assert share(away) == 0.0
        mask = torch.ones(2, 1, SIZE, SIZE)
        mask[..., : SIZE // 2] = 0  # the left half is a repeated border
        assert share(mean_face, mask) == pytest.approx(0.5, abs=0.06)
        mask[..., :] = 0
        assert share(mean_face, mask) == 0.0

    def test_brightness(self):
        image = torch.zeros(1, 3, 4, 4)
        image[..., :2] = 0.3
        mask = torch.zeros(1, 1, 4, 4)
        mask[..., 1:3] = 1
        assert float(brightness(image, mask)) == pytest.approx(0.15 * math.sqrt(3))
        assert float(brightness(0 * image, mask)) == pytest.approx(0.05)


class TestLooks:
    class Offset(LandmarkDetector):
        """Sees the face of ``points`` in each picture, 3 pixels too far to the right; blind if the first pixel is 1."""

        def __init__(self, points, right):
            super().__init__()
            self.points, self.right = points, right

        def detect(self, images, names=None):
            rows = [
                (None, 0.0, "blind") if float(i[0, 0, 0]) == 1 else (self.points + self.right, 1.0, "") for i in images
            ]
            return Landmarks.stack(rows, images)

    def test_the_mirrored_picture(self, face_model, mean_face):
        points = LandmarkTruth(face_model)(mean_face, SIZE)[0][0]  # of a symmetric face in the middle
        images = torch.zeros(2, 3, SIZE, SIZE)
        images[1, 0, 0, -1] = 1  # in the mirrored picture, the first pixel
        for right, apart in ((0.0, 0.0), (3.0, 6.0)):
            detector = self.Offset(points, torch.tensor([right, 0.0]))
            found = look_at_mirrored(detector, images, detector.detect(images)).looks_apart
            assert float(found[0]) == pytest.approx(apart, abs=0.1)
            assert math.isinf(float(found[1]))

    def test_a_detector_that_looks_once_is_not_known(self, face_model, mean_face):
        detector = self.Offset(torch.zeros(68, 2), torch.zeros(2))
        images = torch.zeros(2, 3, SIZE, SIZE)
        assert bool(detector.look_again(images, detector.detect(images)).looks_apart.isnan().all())

    def test_other_looks_change_nothing_but_the_disagreement(self, faces):
        detector = LANDMARK_DETECTORS.build("SyntheticLandmarks")
        images = torch.cat([faces.images[:2], torch.full((1, 3, 96, 96), 0.5)])
        found = detector.detect(images)
        again = detector.look_again(images, found)
        assert torch.equal(again.points, found.points) and again.score is found.score
        assert bool(found.looks_apart.isnan().all())
        assert found.found.tolist() == [True, True, False]
        assert bool((again.looks_apart[:2] > 0).all()) and bool((again.looks_apart[:2] < 3).all())
        assert math.isnan(float(again.looks_apart[2]))
        wrong = replace(found, points=found.points + torch.tensor([9.0, 0.0]))
        assert float(detector.look_again(images, wrong).looks_apart[0]) == pytest.approx(9.0, abs=1.0)
        alone = detector.look_again(images[1:2], found[1:2]).looks_apart
        assert float(alone) == pytest.approx(float(again.looks_apart[1]), abs=1e-3)


@pytest.fixture(scope="module")
def pair(faces, face_model):
    """The same face, clean and under a cap that hides its eyes."""
    points, _ = LandmarkTruth(face_model)(faces.true[:1], 96)
    hidden, _ = occlude(faces.images[0], points[0], "cap", torch.Generator().manual_seed(0))
    return torch.stack([faces.images[0], hidden])


@pytest.fixture(scope="module")
def fit(face_model, pair) -> Fit:
    return Fitter(face_model, "torch", "SyntheticLandmarks").fit(pair)


class TestFits:
    def test_an_occluded_face_is_doubtful_and_a_clean_one_is_not(self, fit):
        assert fit.outcomes == ("fitted", "doubtful")
        assert fit.doubtful.tolist() == [False, True] and fit.ok.tolist() == [True, True]
        assert fit.reasons == ("", "") and fit.doubts[0] == "" and fit.doubts[1] != ""
        assert float(fit.confidence[0]) > 0.6 and float(fit.confidence[1]) < 0.45
        assert set(fit.parts) == set(PARTS)
        values = torch.stack(list(fit.parts.values()))
        assert bool(((values >= 0) & (values <= 1)).all())

    def test_the_least_confidence_makes_doubtful_fits_failures(self, face_model, pair, fit):
        strict = Fitter(face_model, "torch", "SyntheticLandmarks", min_confidence=0.5).fit(pair)
        assert strict.outcomes == ("fitted", "failed")
        assert strict.reasons[1] == f"its confidence {float(fit.confidence[1]):.2f} is below 0.5: {fit.doubts[1]}"
        assert strict.doubts == ("", "")
        torch.testing.assert_close(strict.coefficients.data, fit.coefficients.data)
        with pytest.raises(InputError, match="min_confidence in \\[0, 1\\], got 2"):
            Fitter(face_model, min_confidence=2)

    def test_batches_are_joined(self, fit):
        whole = Fit.cat([fit, fit]).to("cpu")
        assert whole.outcomes == fit.outcomes * 2 and whole.doubts == fit.doubts * 2
        assert torch.equal(whole.evidence[2:], fit.evidence)

    def test_colours_that_were_not_fitted_do_not_count(self, face_model, faces):
        fit = Fitter(face_model, "torch", schedule="landmarks").fit(*faces.of(0))
        assert bool(fit.parts["colours"].isnan().all()) and fit.outcomes == ("fitted",)

    def test_a_failed_row_has_no_confidence(self, face_model, faces):
        images, landmarks = faces.of(0, 1)
        images = images.clone()
        images[0] = math.nan
        fit = Fitter(face_model, "torch", schedule="landmarks").fit(images, landmarks)
        assert fit.outcomes == ("failed", "fitted") and float(fit.confidence[0]) == 0.0
        assert fit.doubts == ("", "") and bool(fit.evidence[0].isnan().all())


def test_the_fits_stage_can_drop_doubtful_rows(face_model, faces):
    """``source=dict(type="fitter", min_confidence=…)``; without it rows and measures are as they were."""
    from faceuv.fitting.sources import FitterSource

    source = FitterSource(face_model=face_model, detector="SyntheticLandmarks", min_confidence=1.0)
    source.check({})
    source.prepare(nn.Identity(), "cpu")
    strict = source.estimate(torch.zeros(1, 4), faces.images[:1])
    assert strict.reasons[0].startswith("its confidence") and strict.reasons[0].split(": ", 1)[1]
    plain = FitterSource(face_model=face_model, detector="SyntheticLandmarks")
    plain.prepare(nn.Identity(), "cpu")
    found = plain.estimate(torch.zeros(1, 4), faces.images[:1])
    assert found.reasons == [""] and set(found.errors) == {"landmarks", "photometric"}
