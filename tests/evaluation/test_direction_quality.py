"""What a step along a direction does, on faces whose coefficients are a known function of the code."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation.coefficient_errors import face_weight
from faceuv.evaluation.direction_figures import quality_figure, strip
from faceuv.evaluation.direction_quality import Unit, direction_quality, read_steps
from faceuv.models.directions import Direction
from faceuv.models.faces import ProceduralFace
from faceuv.structures import Coefficients

ROWS, WIDTH = 3, 8
DEGREE = math.pi / 180


@pytest.fixture(scope="module")
def face_model():
    model = ProceduralFace(rows=97, columns=81, verbose=False)
    model.weight = face_weight(model)  # once: it draws the face
    return model


def read(code):
    """Number 0 of the mean row turns the face by 10° each, number 1 moves identity, number 2 bends the turn."""
    row = code.mean(1)
    data = torch.zeros(len(code), 257)
    data[:, 225] = 10 * DEGREE * row[:, 0] + 2 * DEGREE * row[:, 2].square()
    data[:, 0] = row[:, 1]
    data[:, 224] = 0.5 * 10 * DEGREE * row[:, 3]
    return Coefficients(data)


def along(*columns, scale=1.0):
    vector = torch.zeros(ROWS, WIDTH)
    vector[:, list(columns)] = 1.0
    return Direction(vector / vector.norm(), "d", "for a test", "hand", scale * math.sqrt(ROWS * len(columns)))


def judged(direction, face_model, judge=read, **options):
    codes = torch.randn(6, ROWS, WIDTH, generator=torch.Generator().manual_seed(0))
    return direction_quality(direction, "yaw", judge, codes, face_model=face_model, unit=Unit.of("yaw", 1.0), **options)


def test_a_pure_direction_moves_the_score_and_nothing_else(face_model):
    quality = judged(along(0), face_model)
    assert quality.correlation == pytest.approx(1, abs=1e-6)
    assert quality.slope == pytest.approx(10, rel=1e-4)
    assert quality.change[:, 0] == pytest.approx(torch.full((6,), -30.0).double(), abs=1e-3)
    assert set(quality.drift) == {
        "identity_mm", "expression_mm", "albedo", "light", "pitch_deg", "roll_deg", "translation_mm"
    }  # fmt: skip
    assert max(quality.drift.values()) < 1e-4
    assert 0 < quality.pooled < quality.correlation  # the faces differ where they begin


def test_drift_is_per_degree(face_model):
    quality = judged(along(0, 3), face_model)  # half a degree of pitch for each of yaw
    assert quality.drift["pitch_deg"] == pytest.approx(0.5, rel=1e-4)
    assert quality.drift["identity_mm"] < 1e-4
    drags = judged(along(0, 1), face_model)
    slow = judged(along(0, 1, scale=0.5), face_model)
    assert drags.drift["identity_mm"] > 0.01
    assert slow.drift["identity_mm"] == pytest.approx(drags.drift["identity_mm"], rel=0.02)
    assert slow.slope == pytest.approx(drags.slope / 2, rel=1e-3)


def test_a_bent_or_useless_direction_correlates_less(face_model):
    assert abs(judged(along(2), face_model).correlation) < 0.9
    useless = judged(along(5), face_model)
    assert useless.correlation == pytest.approx(0, abs=1e-6)
    assert useless.slope == pytest.approx(0, abs=1e-6)


def test_a_turned_direction_has_correlation_minus_one(face_model):
    back = along(0)
    turned = Direction(-back.vector, "d", "for a test", "hand", back.scale)
    assert judged(turned, face_model).correlation == pytest.approx(-1, abs=1e-6)


def test_faces_that_cannot_be_read_are_counted_and_left_out(face_model):
    def sometimes(code):
        data = read(code).data.clone()
        data[data[:, 225] > 31 * DEGREE] = math.nan
        return Coefficients(data)

    quality = judged(along(0), face_model, judge=sometimes)
    assert 0 < quality.unread < 6
    assert quality.faces + quality.unread == 6
    assert quality.correlation == pytest.approx(1, abs=1e-6)
    with pytest.raises(InputError, match="not one of 6 faces"):
        judged(along(0), face_model, judge=lambda code: Coefficients(torch.full((len(code), 257), math.nan)))


def test_steps_go_face_by_face_in_sigma():
    codes = torch.zeros(2, ROWS, WIDTH)
    codes[1, :, 0] = 1.0
    found = read_steps(along(0), read, codes, torch.tensor([-1.0, 0.0, 2.0]), batch=4)
    assert found.rotation[:, 1] / DEGREE == pytest.approx(torch.tensor([-10.0, 0, 20, 0, 10, 30]), abs=1e-3)


def test_what_the_score_is_read_from_is_no_drift(face_model):
    codes = torch.randn(3, ROWS, WIDTH)
    quality = direction_quality(
        along(1), "identity:0", read, codes, face_model=face_model, unit=Unit.of("identity:0", 2.0)
    )
    assert "identity_mm" not in quality.drift
    assert "yaw_deg" in quality.drift
    assert quality.unit == Unit("sd", 2.0)
    assert quality.slope == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("steps", [(1, 2, 3), (0, 1), ()])
def test_steps_need_a_zero_to_compare_with(face_model, steps):
    with pytest.raises(InputError, match="at least three, 0 among them"):
        judged(along(0), face_model, steps=steps)


def test_codes_of_another_generator_are_refused(face_model):
    with pytest.raises(InputError, match=r"codes must have shape \(F, 3, 8\), got \(2, 4, 8\)"):
        direction_quality(along(0), "yaw", read, torch.zeros(2, 4, 8), face_model=face_model, unit=Unit.of("yaw", 1.0))


def test_figures(face_model):
    found = {name: judged(along(*columns), face_model) for name, columns in {"a": (0,), "b": (0, 1)}.items()}
    figure = quality_figure(found, "yaw")
    assert figure.shape[0] == 3
    assert figure.shape[2] > 1000
    assert torch.equal(figure, quality_figure(found, "yaw"))
    pictures = torch.rand(2, 3, 3, 16, 16)
    values = torch.tensor([[-10.0, 0.0, 10.0], [math.nan, 1.0, 2.0]])
    sheet = strip(pictures, values, (-1, 0, 1), degrees=True)
    assert sheet.shape[2] >= 3 * 160  # small pictures are enlarged, so that labels can be read
    assert not torch.equal(sheet, strip(pictures, values + 1, (-1, 0, 1), degrees=True))
