"""The recipes that compare systems: their subjects build from the zoo, and each turns to the side that is asked."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from installed import needs_heads

from faceuv.engine.compat.configs import load_config
from faceuv.files.locate import locate
from faceuv.models.base.subject import Setting
from faceuv.models.faces import FaceRenderer
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.models.stylegan2 import load_generator
from faceuv.registry import FACE_MODELS, SUBJECTS

REPORTS = {name: load_config(name).report for name in ("compare_64", "compare_heads_64")}
SUBJECTS_OF = [
    pytest.param(recipe, name, marks=needs_heads if "heads" in recipe else ())
    for recipe, report in REPORTS.items()
    for name in report.subjects
]
YAW = 0.5  # rad


@pytest.fixture(scope="module")
def setting_of():
    """``setting_of("compare_64")``, each made once."""

    @cache
    def make(recipe):
        report = REPORTS[recipe]
        teacher = load_generator(locate(report.generator.path))
        mapper = load_mapper(locate(report.mapper), teacher)
        renderer = FaceRenderer(FACE_MODELS.build(report.face_model), normals="map")
        return Setting(teacher, mapper, renderer, load_stepper(locate(report.stepper), teacher))

    return make


@pytest.mark.parametrize(("recipe", "name"), SUBJECTS_OF)
def test_a_subject_turns_as_asked(setting_of, recipe, name):
    setting = setting_of(recipe)
    subject = SUBJECTS.build(REPORTS[recipe].subjects[name], setting=setting, name=name)
    codes = setting.teacher.sample_codes(6, generator=torch.Generator().manual_seed(3)).detach()
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    own = subject.views(codes).image
    assert own.shape == (6, 3, 64, 64)
    turned = subject.views(codes, torch.full((2, 6), YAW) * torch.tensor([[-1.0], [1.0]])).image
    assert turned.shape == (12, 3, 64, 64)
    with torch.no_grad():
        left, right = regressor(turned).rotation[:, 1].view(2, 6).mean(1).tolist()
    # the picture of a lifted face looks less turned than a face of the set: the side is right
    least = 0.05 if (recipe, name) == ("compare_64", "LiftedGAN") else 0.4
    assert right - left > least, f"{name}: {left:.2f} and {right:.2f} rad are read, {-YAW} and {YAW} were asked for"


@pytest.mark.parametrize("recipe", ["compare_64", pytest.param("compare_heads_64", marks=needs_heads)])
def test_what_a_rig_shows_unturned_is_the_teachers_picture(setting_of, recipe):
    setting = setting_of(recipe)
    subject = SUBJECTS.build(REPORTS[recipe].subjects["StyleRig"], setting=setting, name="StyleRig")
    codes = setting.teacher.sample_codes(2, generator=torch.Generator().manual_seed(3)).detach()
    view = subject.views(codes)
    with torch.no_grad():
        assert torch.equal(view.image, setting.pictures(codes))
    assert view.coefficients is not None
    assert view.coefficients.data.shape == (2, setting.faces.face_model.layout.size)
