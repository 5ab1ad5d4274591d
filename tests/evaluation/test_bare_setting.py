"""Settings without a mapper, an editor or a face model: what is measured, and what is said of the rest."""

from __future__ import annotations

import pytest
import torch
from toy_subjects import Pictures

from faceuv.errors import InputError
from faceuv.evaluation.face_truth import FittedTruth
from faceuv.evaluation.protocol import Protocol, evaluate
from faceuv.evaluation.summary import report_of
from faceuv.losses import PhotometricLoss
from faceuv.models.base.subject import Setting, Subject, SubjectView
from faceuv.models.stylefaceuv.subjects import LinearSubject, TurnedSubject

SMALL = {"pictures": 6, "curve": 4, "truth": 2, "yaws_deg": (-40, 0, 40), "far_deg": 40, "batch": 3, "texels": 16}
EDITOR, MAPPER = "needs an editor that turns codes", "needs a mapper that reads codes"
BOTH = "needs a mapper that reads codes and an editor that turns codes"
MASK = "needs a mask, or a mapper that reads codes"


class Turning(Subject):
    """Dims the red of the teacher's picture by the yaw that it is asked for; turns without any code being turned."""

    turns_itself = True

    def show(self, codes, targets):
        yaw = torch.zeros(len(targets.images)) if targets.yaw is None else targets.yaw
        image = targets.images.clone()
        image[:, 0] *= (1 - yaw.abs())[:, None, None]
        return SubjectView(image, torch.ones_like(image[:, :1]))


def shown(subjects, instruments, **changes):
    found = evaluate(subjects, instruments, Protocol(**{**SMALL, **changes}))
    return found, report_of(found, space="means", about={}, identity="corners", facts={})["subjects"]


def test_a_teacher_alone_is_enough_for_subjects_that_know_their_face_and_turn_it(small):
    bare = Setting(small.teacher)
    subjects = [Turning(bare, "turning"), Pictures(bare, "pictures")]
    found, report = shown(subjects, small.instruments(perceptual={"photo": PhotometricLoss()}))
    rows, missing = found.subjects["turning"].rows, report["turning"]["not_measured"]
    assert float(rows["l1"].max()) == 0 and len(rows["photo"]) == 6
    assert {"identity", "identity_kept", "pose_deg"} == set(found.subjects["turning"].curves)
    near = found.subjects["turning"].curves["identity"]
    assert torch.all(near[1] > near[0] + 1e-3) and float(near[1].min()) == pytest.approx(1, abs=1e-5)
    assert missing["l1_symmetric"] == missing["photo_symmetric"] == BOTH
    assert missing["texels"] == missing["texels_unlit_far"] == "needs coefficients"
    assert missing["frechet_means_turned"] == missing["kernel_means_turned"] == MAPPER
    assert "frechet_means_original" in report["turning"]["metrics"]

    missing = report["pictures"]["not_measured"]
    assert missing["l1"] == missing["photo"] == MASK and missing["ssim_symmetric"] == BOTH
    assert missing["identity"] == missing["pose_deg_far"] == missing["texels"] == EDITOR
    assert missing["frechet_means_turned"] == BOTH and not report["pictures"]["curves"]
    assert "frechet_means_original" in report["pictures"]["metrics"]


def test_a_mapper_without_an_editor(small):
    """The linear face stands still; who turns by himself is turned, to the yaws that the mapper reads as well."""
    setting = Setting(small.teacher, small.setting.mapper, small.setting.renderer)
    truth = FittedTruth(lambda codes, images: setting.mapper(codes), setting.renderer, texels=16)
    subjects = [LinearSubject(setting, "linear"), Turning(setting, "turning"), Pictures(setting, "pictures")]
    found, report = shown(subjects, small.instruments(truths=[truth]))
    linear = report["linear"]
    assert linear["not_measured"]["l1_symmetric"] == linear["not_measured"]["texels"] == EDITOR
    assert linear["not_measured"]["frechet_means_turned"] == EDITOR
    assert linear["metrics"]["l1"]["samples"] == 6 and linear["metrics"]["fitted_depth"]["value"] < 1e-5
    assert report["turning"]["metrics"]["frechet_means_turned"]["samples"] == 6
    assert report["pictures"]["metrics"]["l1"]["samples"] == 6  # where the mapper's face is

    whole = evaluate([LinearSubject(small.setting, "linear")], small.instruments(truths=[truth]), Protocol(**SMALL))
    for name in ("l1", "fitted_depth"):
        assert torch.equal(whole.subjects["linear"].rows[name], found.subjects["linear"].rows[name]), name


def test_an_editor_without_a_mapper(small):
    setting = Setting(small.teacher, stepper=small.setting.stepper)
    truth = FittedTruth(lambda codes, images: small.setting.mapper(codes), small.setting.renderer, texels=16)
    found, report = shown([Pictures(setting, "pictures")], small.instruments(truths=[truth]))
    missing = report["pictures"]["not_measured"]
    assert set(found.subjects["pictures"].curves) == {"identity", "identity_kept", "pose_deg"}
    assert missing["l1_symmetric"] == missing["frechet_means_turned"] == MAPPER and missing["l1"] == MASK
    assert missing["fitted_depth"] == "needs a surface" and "fitted_picture" not in missing
    targets = setting.targets(small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(0)), torch.ones(2))
    whole = small.setting.targets(
        small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(0)), targets.yaw
    )
    assert torch.equal(targets.images, whole.images) and targets.coefficients is None


def test_unmoved_targets_are_the_codes_as_they_are_at_the_yaw_asked_for(small):
    setting = Setting(small.teacher, small.setting.mapper, small.setting.renderer)
    codes = small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(1))
    yaw = torch.tensor([[-0.5, 0.1], [0.2, 0.6], [0.3, 0.4]])
    found = setting.unmoved(codes, yaw)
    assert torch.equal(found.yaw, yaw.flatten()) and torch.equal(found.codes, codes.repeat(3, 1, 1))
    torch.testing.assert_close(found.images, setting.pictures(found.codes))
    assert torch.equal(found.coefficients.rotation[:, 1], yaw.flatten())
    # six rows of a product round otherwise than two
    torch.testing.assert_close(found.coefficients.identity, setting.mapper(codes).identity.repeat(3, 1))
    assert torch.equal(setting.sides(codes, yaw).codes, found.codes)
    assert not torch.equal(small.setting.sides(codes, yaw).codes, found.codes)


def test_aligned_identity_takes_coefficients_of_the_teachers_picture(small):
    setting = Setting(small.teacher, stepper=small.setting.stepper)
    identity = small.instruments().identity.__class__("corners", 2)
    identity.needs_landmarks = True
    _, report = shown([Pictures(setting, "pictures")], small.instruments(identity=identity))
    assert report["pictures"]["not_measured"]["identity_kept"] == "needs coefficients"
    assert "pose_deg" in report["pictures"]["metrics"]


def test_what_cannot_do_without_says_so(small):
    bare = Setting(small.teacher)
    codes = small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(1))
    for kind in (LinearSubject, TurnedSubject):
        with pytest.raises(InputError, match="the subject 'x' needs a mapper, which the setting does not have"):
            kind(bare, "x")
    with pytest.raises(InputError, match="a mapper reads coefficients of a face model; give the setting its renderer"):
        Setting(small.teacher, small.setting.mapper)
    with pytest.raises(InputError, match="drawn by their coefficients; give the setting a mapper"):
        bare.draw_over(bare.targets(codes))
    with pytest.raises(InputError, match="give the setting a renderer"):
        bare.draw(small.setting.mapper(codes))
    with pytest.raises(InputError, match="give the setting a stepper"):
        Pictures(bare, "x").views(codes, torch.zeros(2))
    boastful = Pictures(bare, "x")
    boastful.capabilities = frozenset(("coefficients",))
    with pytest.raises(InputError, match=r"'x' carry coefficients.*give the setting a renderer .a report: face_model"):
        evaluate([boastful], small.instruments(), Protocol(**SMALL))
