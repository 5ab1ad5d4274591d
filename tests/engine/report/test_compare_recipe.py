"""The recipe that compares four systems: its subjects build from the zoo, and each turns to the side that is asked."""

from __future__ import annotations

import pytest
import torch

from faceuv.engine.compat.configs import load_config
from faceuv.files.locate import locate
from faceuv.files.zoo import path
from faceuv.models.base.subject import Setting
from faceuv.models.faces import FaceRenderer
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.models.stylegan2 import load_generator
from faceuv.registry import FACE_MODELS, SUBJECTS

REPORT = load_config("compare_64").report
YAW = 0.5  # rad


@pytest.fixture(scope="module")
def setting():
    teacher = load_generator(path("teacher_64", "generator.safetensors"))
    mapper = load_mapper(locate(REPORT.mapper), teacher)
    renderer = FaceRenderer(FACE_MODELS.build(REPORT.face_model), normals="map")
    return Setting(teacher, mapper, renderer, load_stepper(locate(REPORT.stepper), teacher))


@pytest.mark.parametrize("name", REPORT.subjects)
def test_a_subject_turns_as_asked(setting, name):
    subject = SUBJECTS.build(REPORT.subjects[name], setting=setting, name=name)
    codes = setting.teacher.sample_codes(6, generator=torch.Generator().manual_seed(3)).detach()
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    own = subject.views(codes).image
    assert own.shape == (6, 3, 64, 64)
    turned = subject.views(codes, torch.full((2, 6), YAW) * torch.tensor([[-1.0], [1.0]])).image
    assert turned.shape == (12, 3, 64, 64)
    with torch.no_grad():
        left, right = regressor(turned).rotation[:, 1].view(2, 6).mean(1).tolist()
    # the picture of a lifted face looks less turned than a face of the set: the side is right
    least = 0.05 if name == "LiftedGAN" else 0.4
    assert right - left > least, f"{name}: {left:.2f} and {right:.2f} rad are read, {-YAW} and {YAW} were asked for"


def test_what_a_rig_shows_unturned_is_the_teachers_picture(setting):
    subject = SUBJECTS.build(REPORT.subjects["StyleRig"], setting=setting, name="StyleRig")
    codes = setting.teacher.sample_codes(2, generator=torch.Generator().manual_seed(3)).detach()
    view = subject.views(codes)
    with torch.no_grad():
        assert torch.equal(view.image, setting.pictures(codes))
    assert view.coefficients is not None
    assert view.coefficients.data.shape == (2, setting.faces.face_model.layout.size)
