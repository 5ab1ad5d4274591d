"""The zoo's regressor is as good as its card says, on faces that nobody has seen."""

from __future__ import annotations

import pytest
import torch
from installed import needs_heads

from faceuv.evaluation import coefficient_errors, mean_face, summarise
from faceuv.files import zoo
from faceuv.models.readers.regressor import load_regressor
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

FACES, SEED = 48, 77
# A quarter to a half above the card's figures, because 48 faces are few: medians, and for shape, expression and albedo
# the mean error in % of what the mean face gets wrong.
BOUNDS = {
    "yaw_deg_median": 0.95,
    "pitch_deg_median": 1.15,
    "roll_deg_median": 0.65,
    "landmarks_percent_median": 0.92,
    "landmarks_percent_p95": 1.4,
    "shape_of_mean_face": 90.0,
    "expression_of_mean_face": 68.0,
    "albedo_of_mean_face": 46.0,
    "light_median": 0.046,
}

HEADS_BOUNDS = {
    "yaw_deg_median": 1.0,
    "pitch_deg_median": 1.35,
    "roll_deg_median": 0.65,
    "landmarks_percent_median": 1.25,
    "shape_of_mean_face": 80.0,
    "expression_of_mean_face": 96.0,
    "albedo_of_mean_face": 75.0,
    "light_median": 0.065,
}


@pytest.fixture(scope="module")
def regressor():
    return load_regressor(zoo.path("regressor", "weights.safetensors"))


@pytest.fixture(scope="module")
def drawn():
    """Pictures, true coefficients and their face model."""
    faces = SyntheticFaces(size=64, seed=SEED)
    batch = faces.draw(faces.seeds(range(FACES)), truth=("coefficients",))
    return batch["image"], Coefficients(batch["coefficients"]), faces.studio.face_model


def test_quality_on_held_out_faces(regressor, drawn):
    images, true, face_model = drawn
    errors = coefficient_errors(regressor(images), true, face_model, size=64)
    baseline = coefficient_errors(mean_face(true), true, face_model, size=64)
    found = summarise(errors, baseline)
    too_large = {name: (found[name], bound) for name, bound in BOUNDS.items() if not found[name] < bound}
    assert not too_large


def test_a_mirrored_picture_turns_the_head_the_other_way(regressor, drawn):
    images, true, _ = drawn
    there, back = (regressor(side).rotation[:, 1] for side in (images, images.flip(3)))
    turned = true.rotation[:, 1].abs() > 0.2
    assert bool((there[turned].sign() == true.rotation[turned, 1].sign()).all())
    assert float((there + back).abs().median()) < 0.05


def test_is_small():
    assert zoo.path("regressor", "weights.safetensors").stat().st_size < 10e6
    assert torch.isfinite(load_regressor(zoo.path("regressor", "weights.safetensors")).deviation).all()


@needs_heads
def test_quality_on_whole_heads():
    """The card's figures with a margin, as above: MakeHuman's people of the calm world."""
    regressor = load_regressor(zoo.path("regressor_heads_64", "weights.safetensors"))
    faces = SyntheticFaces(size=64, seed=SEED, face_model={"type": "MakeHuman", "verbose": False}, world="calm")
    batch = faces.draw(faces.seeds(range(FACES)), truth=("coefficients",))
    true = Coefficients(batch["coefficients"], regressor.layout)
    model = faces.studio.face_model
    errors = coefficient_errors(regressor(batch["image"]), true, model, size=64)
    found = summarise(errors, coefficient_errors(mean_face(true), true, model, size=64))
    too_large = {name: (found[name], bound) for name, bound in HEADS_BOUNDS.items() if not found[name] < bound}
    assert not too_large
