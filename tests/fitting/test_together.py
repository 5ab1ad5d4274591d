"""Several pictures of one person, fitted together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.face import Face
from faceuv.fitting import Fitter, Landmarks
from faceuv.fitting.together import SharedTerm, Sharing
from faceuv.models.faces import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.structures import Coefficients

SIZE = 96
POSES = ((0, 0, "studio"), (35, 4, "left"), (-35, -4, "right"), (15, 8, "warm"))


def _pictures(model: FaceModel, seed: int) -> tuple[Tensor, Landmarks, Coefficients]:
    """Four pictures of one person under different lights, landmarks that are off by 0.6 pixels, and the truth."""
    face = Face.random(seed, face_model=model, renderer="torch", texture_size=None)
    views = [face.with_pose(yaw_deg=y, pitch_deg=p).with_lighting(light) for y, p, light in POSES]
    images = torch.stack([view.render_full(SIZE, background=(0.5, 0.5, 0.6)).image[0].clamp(0, 1) for view in views])
    true = Coefficients(torch.cat([view.coefficients.data for view in views]), model.layout)
    points, _ = LandmarkTruth(model)(true, SIZE)
    points = points + 0.6 * torch.randn(points.shape, generator=torch.Generator().manual_seed(seed))
    return images, Landmarks(points, torch.ones(4, dtype=torch.bool), torch.ones(4)), true


def _shape_error(model: FaceModel, found: Tensor, true: Tensor) -> float:
    """Mean distance of the skin's vertices at rest after a rigid alignment, mm."""
    rest = torch.zeros(1, model.layout.expression)
    ours, theirs = (model.shape(x[None], rest)[0][model.skin_mask] for x in (found, true))
    ours, theirs = ours - ours.mean(0), theirs - theirs.mean(0)
    left, _, right = torch.linalg.svd(ours.T @ theirs)
    return float((ours @ (left @ right) - theirs).norm(dim=1).mean() * 100)


def test_more_photographs_of_a_person_give_a_better_shape(face_model) -> None:
    fitter = Fitter(face_model, schedule="precise", framed=True)
    errors = {1: 0.0, 2: 0.0, 4: 0.0}
    for seed in range(4):
        images, landmarks, true = _pictures(face_model, seed)
        for count in errors:
            # every picture counts as often in the means of one, two and four
            for start in range(0, 4, count):
                rows = torch.arange(start, start + count)
                fit = fitter.fit_person(images[rows], landmarks[rows])
                assert bool(fit.ok.all())
                own = fit.coefficients
                assert float((own.identity - own.identity[:1]).abs().max()) == 0
                assert float((own.albedo - own.albedo[:1]).abs().max()) == 0
                errors[count] += _shape_error(face_model, own.identity[0], true.identity[0]) * count / 16
    print(errors)
    assert errors[2] < 0.99 * errors[1]
    assert errors[4] < 0.93 * errors[2]


def test_each_picture_keeps_its_own_pose_and_light(face_model) -> None:
    images, landmarks, true = _pictures(face_model, 1)
    fit = Fitter(face_model, schedule="precise").fit_person(images, landmarks)
    apart = (fit.coefficients.rotation - true.rotation).abs().amax()
    assert torch.rad2deg(apart) < 4
    assert float((fit.coefficients.lighting[1] - fit.coefficients.lighting[2]).abs().max()) > 0.1


def test_a_picture_that_cannot_be_fitted_is_left_alone(face_model) -> None:
    images, landmarks, _ = _pictures(face_model, 2)
    found = torch.tensor([True, True, False, True])
    fit = Fitter(face_model, schedule="precise").fit_person(images, Landmarks(landmarks.points, found, landmarks.score))
    assert fit.ok.tolist() == found.tolist() and fit.reasons[2]
    identity = fit.coefficients.identity[found]
    assert float((identity - identity[:1]).abs().max()) == 0


def test_a_schedule_that_cannot_share_says_so(face_model) -> None:
    images, landmarks, _ = _pictures(face_model, 2)
    with pytest.raises(InputError, match="AdamStep.*precise"):
        Fitter(face_model, schedule="published").fit_person(images, landmarks)


def test_the_joint_system_is_that_of_the_joint_cost() -> None:
    """Against differentiation: three rows of four columns, of which two are shared."""

    class Squares:
        def __init__(self) -> None:
            generator = torch.Generator().manual_seed(0)
            self.matrix = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)

        def cost(self, x: Tensor, rows: Tensor) -> Tensor:
            return (self.matrix[rows] @ x[:, :, None]).square().sum((1, 2))

        def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            square = self.matrix[rows].transpose(1, 2) @ self.matrix[rows]
            return square, (square @ x[:, :, None])[:, :, 0]

    trust = torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64)
    sharing = Sharing.of(3, torch.tensor([True, False, True, False]), trust)
    assert sharing.size == 2 + 3 * 2
    term = SharedTerm(Squares(), sharing)
    y = torch.randn(1, sharing.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    row = torch.zeros(1, dtype=torch.int64)
    matrix, slope = term.system(y, row)
    wanted = torch.autograd.functional.hessian(lambda v: term.cost(v[None], row)[0], y[0])
    gradient = torch.autograd.functional.jacobian(lambda v: term.cost(v[None], row)[0], y[0])
    torch.testing.assert_close(2 * matrix[0], wanted)
    torch.testing.assert_close(2 * slope[0], gradient)
    torch.testing.assert_close(sharing.joined(sharing.spread(y[0])), y[0])


def test_in_a_framed_picture_the_distance_has_a_prior(face_model) -> None:
    images, landmarks, _ = _pictures(face_model, 3)
    away = []
    for framed in (False, True):
        fit = Fitter(face_model, schedule="landmarks", framed=framed).fit(images, landmarks)
        away.append(float(fit.coefficients.translation[:, 2].abs().mean()))
    assert away[1] < 0.8 * away[0]
