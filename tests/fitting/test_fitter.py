from __future__ import annotations

import pytest
import torch
from torch import nn

from faceuv.errors import InputError, UnknownName
from faceuv.evaluation.coefficient_errors import coefficient_errors
from faceuv.fitting import SCHEDULES, Fit, Fitter, LandmarkDetector, Landmarks
from faceuv.fitting.priors import likely
from faceuv.models.faces import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.registry import FIT_STEPS
from faceuv.structures import CoefficientLayout, Coefficients


class Guess(nn.Module):
    """A regressor that knows the truth up to some noise."""

    def __init__(self, true: Coefficients, noise: float = 0.3) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(1)
        self.data = true.data + noise * torch.randn(true.data.shape, generator=g) * true.data.std(0)
        self.layout = true.layout

    def forward(self, images):
        return Coefficients(self.data[: len(images)], self.layout)


@pytest.fixture(scope="module")
def fitter(face_model):
    return Fitter(face_model, "torch", schedule="precise")  # the landmarks are nearly true


@pytest.fixture(scope="module")
def fit(fitter, faces):
    return fitter.fit(faces.images, faces.landmarks)


def errors(fit, faces, face_model):
    return coefficient_errors(fit.coefficients, faces.true, face_model, size=96)


def test_cold_start_finds_the_truth(fit, faces, face_model):
    assert fit.ok.tolist() == [True] * 6
    assert fit.reasons == ("",) * 6
    found = {name: float(value.median()) for name, value in errors(fit, faces, face_model).items()}
    assert found["yaw_deg"] < 1.5
    assert found["pitch_deg"] < 1.5
    assert found["roll_deg"] < 1.0
    assert found["landmarks_percent"] < 1.0
    cold = coefficient_errors(
        Coefficients(likely(face_model.layout, faces.images).expand(6, -1)), faces.true, face_model, size=96
    )
    for name in ("shape_mm", "albedo", "light"):
        assert found[name] < 0.8 * float(cold[name].median()), name
    assert float(fit.landmark_error.max()) < 1.5
    assert float(fit.photometric.median()) < 0.12
    assert int(fit.iterations.max()) < 60


def test_the_surface_improves_on_the_landmarks(fit, faces, face_model):
    plain = Fitter(face_model, "torch", schedule="landmarks").fit(faces.images, faces.landmarks)
    before, after = errors(plain, faces, face_model), errors(fit, faces, face_model)
    for name in ("albedo", "light"):
        assert float(after[name].median()) < 0.8 * float(before[name].median()), name
    assert float(fit.photometric.median()) < 0.7 * float(plain.photometric.median())


def test_landmarks_of_a_detector_are_weighed_with_what_the_picture_says(face_model, faces):
    """Errors that go together, as a detector's do: the surface and the regressor correct them, the landmarks cannot."""
    shift = torch.tensor([[1.2, -0.8]]) * (faces.landmarks.points[..., :1] < 48)  # one half of each face is moved
    landmarks = Landmarks(faces.landmarks.points + shift, faces.landmarks.found, faces.landmarks.score)
    guess = Guess(faces.true)
    found = {
        name: float(errors(Fitter(face_model, "torch", regressor=guess, schedule=name).fit(faces.images, landmarks),
                           faces, face_model)["landmarks_px"].median())
        for name in ("fast", "precise")
    }  # fmt: skip
    assert found["fast"] < found["precise"]


def test_an_image_does_not_notice_its_company(fitter, fit, faces):
    for row in (0, 3):
        alone = fitter.fit(*faces.of(row))
        torch.testing.assert_close(alone.coefficients.data[0], fit.coefficients.data[row], atol=2e-3, rtol=0)
        assert float(alone.landmark_error[0]) == pytest.approx(float(fit.landmark_error[row]), abs=1e-3)


def test_the_chunk_does_not_matter(face_model, fit, faces):
    other = Fitter(face_model, "torch", schedule="precise", chunk=4).fit(faces.images, faces.landmarks)
    torch.testing.assert_close(other.coefficients.data, fit.coefficients.data, atol=2e-3, rtol=0)


def test_a_fit_that_is_not_judged_is_the_same_fit(face_model, faces):
    settings = {"schedule": "landmarks", "chunk": 2}
    judged, other = (
        Fitter(face_model, "torch", judged=own, **settings).fit(faces.images, faces.landmarks) for own in (True, False)
    )
    torch.testing.assert_close(other.coefficients.data, judged.coefficients.data)
    torch.testing.assert_close(other.landmark_error, judged.landmark_error)
    assert bool(other.ok.all()) and bool(other.photometric.isnan().all()) and bool((other.confidence == 0).all())
    assert bool(judged.photometric.isfinite().all())


def test_bad_images_are_reported_and_the_rest_go_on(fitter, fit, faces):
    images, landmarks = faces.of(0, 1, 2, 3)
    images = images.clone()
    images[1, 0, 5, 5] = torch.nan
    points = landmarks.points.clone()
    points[3] = points[3, torch.randperm(68, generator=torch.Generator().manual_seed(0))]  # no face looks like this
    found = torch.tensor([True, True, False, True])
    result = fitter.fit(images, Landmarks(points, found, landmarks.score))
    assert result.ok.tolist() == [True, False, False, False]
    assert result.reasons[1] == "the picture holds NaN or infinity"
    assert result.reasons[2] == "no face was found"
    assert "landmarks stay" in result.reasons[3]
    assert bool(torch.isnan(result.coefficients.data[1:3]).all())
    torch.testing.assert_close(result.coefficients.data[0], fit.coefficients.data[0], atol=2e-3, rtol=0)


def test_landmarks_that_are_one_point_are_no_face(fitter, fit, faces):
    images, landmarks = faces.of(0, 1)
    points = landmarks.points.clone()
    points[1] = points[1, 30]
    result = fitter.fit(images, Landmarks(points, torch.tensor([True, True]), landmarks.score))
    assert result.ok.tolist() == [True, False]
    assert result.reasons[1] == "all landmarks are one point"


def test_all_images_without_a_face(fitter, faces):
    images, landmarks = faces.of(0, 1)
    result = fitter.fit(images, Landmarks(landmarks.points, torch.zeros(2, dtype=torch.bool), landmarks.score))
    assert not bool(result.ok.any())
    assert bool(torch.isnan(result.photometric).all())


def test_an_optimiser_that_diverges_loses_one_image(face_model, faces):
    @FIT_STEPS.register_module(name="spoil_second", force=True)
    class Spoil:
        """Gives NaN for one image."""

        def run(self, problem, x):
            x = x.clone()
            x[1] = torch.nan
            return x, torch.ones(len(x), dtype=torch.int64)

    for schedule in (["spoil_second", *SCHEDULES["fast"]], [*SCHEDULES["landmarks"], "spoil_second"]):
        result = Fitter(face_model, "torch", schedule=schedule).fit(*faces.of(0, 1, 2))
        assert result.ok.tolist() == [True, False, True]
        assert result.reasons[1] == "the optimiser met NaN"
    del FIT_STEPS._module_dict["spoil_second"]


def test_a_regressors_start_is_used(face_model, fit, faces):
    true = Guess(faces.true)
    warm = Fitter(face_model, "torch", regressor=true, schedule="precise").fit(faces.images, faces.landmarks)
    assert bool(warm.ok.all())
    found, cold = errors(warm, faces, face_model), errors(fit, faces, face_model)
    guess = coefficient_errors(true(faces.images), faces.true, face_model, size=96)
    assert float(found["landmarks_px"].median()) < 0.5 * float(guess["landmarks_px"].median())
    assert float(found["shape_mm"].median()) < 0.8 * float(cold["shape_mm"].median())


def test_a_detector_is_asked_and_gets_the_names(face_model, faces):
    class Known(LandmarkDetector):
        def detect(self, images, names=None):
            self.names = names
            return faces.landmarks[slice(0, len(images))]

    detector = Known()
    fitter = Fitter(face_model, "torch", detector, schedule="landmarks")
    assert bool(fitter.fit(faces.images[:2], names=["a", "b"]).ok.all())
    assert detector.names == ["a", "b"]
    with pytest.raises(InputError, match="give landmarks, or the fitter a detector"):
        Fitter(face_model).fit(faces.images)


def test_a_coarser_model_stands_in(face_model, fit, faces):
    coarse = ProceduralFace(rows=49, columns=41, verbose=False)
    points, _ = LandmarkTruth(coarse)(faces.true, 96)  # a coarse mesh has its landmarks at vertices of its own
    landmarks = Landmarks(points, faces.landmarks.found, faces.landmarks.score)
    quick = Fitter(face_model, "torch", schedule="precise", fit_model=coarse).fit(faces.images, landmarks)
    own, other = (errors(f, faces, face_model)["shape_mm"].median() for f in (fit, quick))
    assert float(other) < 1.25 * float(own)
    with pytest.raises(InputError, match="only a coarser version of the same model can stand in"):
        Fitter(face_model, fit_model=FaceModel(fewer_modes(face_model)))


def fewer_modes(model):
    arrays = model.arrays()
    return {**arrays, "identity_basis": arrays["identity_basis"][..., :7]}


def test_pictures_that_are_not_square(face_model, faces):
    images, landmarks = faces.of(0, 1)
    wide = torch.nn.functional.pad(images, (20, 20, 0, 0), mode="replicate")
    moved = Landmarks(landmarks.points + torch.tensor([20.0, 0.0]), landmarks.found, landmarks.score)
    fitter = Fitter(face_model, "torch", schedule="landmarks")
    square, other = fitter.fit(images, landmarks), fitter.fit(wide, moved)
    torch.testing.assert_close(square.coefficients.data, other.coefficients.data, atol=1e-3, rtol=0)


def test_published_schedule_works_and_is_independent_too(face_model, faces):
    landmarks, both = SCHEDULES["published"]
    steps = [{**landmarks, "iterations": 60}, {**both, "iterations": 12}]
    fitter = Fitter(face_model, "torch", schedule=steps)
    together = fitter.fit(*faces.of(0, 1))
    assert together.iterations.tolist() == [72, 72]
    alone = fitter.fit(*faces.of(1))
    torch.testing.assert_close(alone.coefficients.data[0], together.coefficients.data[1], atol=1e-3, rtol=0)
    rigid = Fitter(face_model, "torch", schedule=steps[:1]).fit(*faces.of(0, 1))
    assert bool((together.landmark_error < rigid.landmark_error).all())
    assert bool((together.photometric < rigid.photometric).all())


def test_adam_stops_when_nothing_is_gained(face_model, faces):
    step = {**SCHEDULES["published"][0], "rate": 0.05, "patience": 10, "tolerance": 1e-2}
    fit = Fitter(face_model, "torch", schedule=[step]).fit(*faces.of(0, 1))
    assert int(fit.iterations.max()) < 1000


def test_everything_moves_to_a_dtype(face_model, faces):
    model = ProceduralFace(rows=65, columns=51, verbose=False).double()
    fit = Fitter(model, "torch").fit(*faces.of(0))
    assert fit.coefficients.data.dtype == torch.float64
    assert bool(fit.ok[0])


def test_fits_are_joined(fit):
    joined = Fit.cat([fit, fit])
    assert len(joined) == 12
    assert joined.coefficients.data.shape == (12, 257)
    assert len(joined.reasons) == 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"schedule": "fsat"},
            "no schedule is called 'fsat'; known: fast, precise, landmarks, published. Did you mean 'fast'",
        ),
        ({"schedule": []}, "a schedule needs at least one step"),
        ({"centre": "middle"}, "centre must be 'start' or 'mean', got 'middle'"),
        ({"min_confidence": 0.5, "judged": False}, "min_confidence 0.5 needs judged=True"),
        ({"worst_landmarks": 0}, "expected worst_landmarks > 0"),
        ({"schedule": [{"type": "LandmarkStep", "weight": -1.0}]}, "must be positive, got {'weight': -1.0}"),
        ({"schedule": [{"type": "SurfaceStep", "outliers": ()}]}, "outliers are colour differences > 0"),
        ({"schedule": [{"type": "AdamStep", "losses": {}}]}, "AdamStep needs at least one loss"),
        (
            {"schedule": [{"type": "AdamStep", "losses": {"g": {"type": "PyramidL1"}}}]},
            "PyramidL1 has no per_image",
        ),
    ],
)
def test_settings_are_checked(face_model, settings, message):
    with pytest.raises(InputError, match=message):
        Fitter(face_model, "torch", **settings)


def test_unknown_groups_and_steps(face_model, faces):
    with pytest.raises(UnknownName, match="no fitting step is called 'Landmarks'"):
        Fitter(face_model, schedule=["Landmarks"])
    step = {"type": "LandmarkStep", "groups": ("rotatoin",)}
    with pytest.raises(InputError, match="no coefficient group 'rotatoin'.*Did you mean 'rotation'"):
        Fitter(face_model, schedule=[step]).fit(*faces.of(0))


def test_input_is_checked(fitter, faces):
    images, landmarks = faces.of(0, 1)
    with pytest.raises(InputError, match="images must be floating point, got torch.uint8"):
        fitter.fit((images * 255).byte(), landmarks)
    with pytest.raises(InputError, match="expected landmarks of 2 images, got 1"):
        fitter.fit(images, landmarks[slice(0, 1)])
    with pytest.raises(InputError, match="empty batch"):
        fitter.fit(images[:0], landmarks[slice(0, 0)])


def test_a_regressor_of_another_layout_is_refused(face_model, faces):
    class Other(nn.Module):
        def forward(self, images):
            return Coefficients.zeros(len(images), CoefficientLayout(identity=40))

    with pytest.raises(InputError, match="these coefficients have layout"):
        Fitter(face_model, "torch", regressor=Other()).fit(*faces.of(0))
