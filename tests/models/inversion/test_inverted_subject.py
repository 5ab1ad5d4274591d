"""The subject of reports: it sees the teacher's picture alone, and shows one face from all sides."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.base.subject import Setting
from faceuv.models.faces import FaceRenderer
from faceuv.registry import SUBJECTS


@pytest.fixture(scope="module")
def setting(quickstart):
    q = quickstart
    renderer = FaceRenderer(q.face_model, {"type": "torch", "antialias": None}, normals="map")
    return Setting(q.teacher, q.mapper, renderer, q.stepper)


def test_the_found_face_from_its_own_side_and_turned(setting, generator, tmp_path):
    folder = generator.save(tmp_path / "generator")
    subject = SUBJECTS.build({"type": "inverted", "faces": folder}, setting=setting, name="found")
    codes = generator.codes([1, 2])
    view = subject.views(codes)
    found = generator.inverter().invert(setting.pictures(codes))
    torch.testing.assert_close(view.coefficients.data, found.coefficients.data)
    wanted = generator.maps(found.codes).diffuse + found.residual.diffuse
    torch.testing.assert_close(view.maps.diffuse, wanted.clamp(0, 1))
    turned = subject.views(codes, torch.full((2,), 0.4))
    torch.testing.assert_close(turned.coefficients.rotation[:, 1], torch.full((2,), 0.4))
    torch.testing.assert_close(turned.coefficients.identity, found.coefficients.identity)


def test_a_projection_is_a_subject_too_and_other_generators_are_refused(setting, quickstart):
    config = {"type": "inverted", "faces": "quickstart", "inverter": {"type": "WProjection", "steps": 2}}
    view = SUBJECTS.build(config, setting=setting, name="w").views(quickstart.codes([1]))
    assert view.capabilities == {"coefficients", "maps", "surface"}
    with pytest.raises(InputError, match="'quickstart' has no encoder"):
        SUBJECTS.build({"type": "inverted", "faces": "quickstart"}, setting=setting, name="w")
    with pytest.raises(InputError, match="is a LiftedGANGenerator"):
        SUBJECTS.build({"type": "inverted", "faces": "liftedgan"}, setting=setting, name="w")
