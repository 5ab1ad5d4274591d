"""The contract of subjects: what the setting shows of the teacher, and what a subject's views must be."""

from __future__ import annotations

import pytest
import torch
from small_evaluation import small_evaluation

from faceuv.errors import InputError
from faceuv.models.base.subject import Setting, Subject, SubjectView

YAW = torch.tensor([[-0.6, -0.5], [0.0, 0.1], [0.4, 0.7]])


@pytest.fixture(scope="module")
def small():
    return small_evaluation()


@pytest.fixture
def codes(small):
    return small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(1))


class Shows(Subject):
    """Shows what it is given."""

    def __init__(self, setting, view, *capabilities):
        super().__init__(setting, "shows")
        self.view, self.capabilities = view, frozenset(capabilities)

    def show(self, codes, targets):
        return self.view(targets)


def test_the_original_pose_is_what_the_mapper_reads_over_the_teachers_picture(small, codes):
    view = small.setting.draw_over(small.setting.targets(codes))
    own = small.setting.mapper(codes)
    drawn = small.setting.renderer(own, size=16)
    picture = small.teacher.synthesis(codes).clamp(0, 1)
    torch.testing.assert_close(view.coefficients.data, own.data)
    torch.testing.assert_close(view.image, (drawn.image + (1 - drawn.mask) * picture).clamp(0, 1))
    assert torch.equal(view.image[:, :, 0, 0], picture[:, :, 0, 0])  # the oval does not reach the corner


def test_a_turned_view_has_the_yaw_asked_for_and_the_person_of_the_code(small, codes):
    targets = small.setting.targets(codes, YAW)
    own = small.setting.mapper(codes)
    assert torch.equal(targets.coefficients.rotation[:, 1], YAW.flatten())
    for group in ("identity", "expression", "albedo", "lighting"):
        assert torch.equal(targets.coefficients.view(group), own.view(group).repeat(3, 1)), group
    # pitch, roll and place are those of the moved code, whose picture lies behind
    assert torch.equal(targets.coefficients.rotation[:, 0], targets.read.rotation[:, 0])
    assert torch.equal(targets.coefficients.translation, targets.read.translation)
    torch.testing.assert_close(targets.images, small.teacher.synthesis(targets.codes).clamp(0, 1))
    every = small.setting.targets(codes, YAW, read="all")
    assert torch.equal(every.coefficients.data, every.read.data)


def test_what_does_not_fit_is_told(small, codes):
    with pytest.raises(InputError, match=r"yaw must have shape \(2,\) or \(V, 2\), got \(3,\)"):
        small.setting.targets(codes, torch.zeros(3))
    alone = Setting(small.teacher, small.setting.mapper, small.setting.renderer)
    with pytest.raises(InputError, match="give the setting a stepper"):
        alone.targets(codes, torch.zeros(2))


def test_a_view_of_pictures_alone_is_enough(small, codes):
    view = Shows(small.setting, lambda targets: SubjectView(targets.images)).views(codes, YAW)
    assert view.image.shape == (6, 3, 16, 16) and view.capabilities == frozenset()


def test_a_view_carries_what_the_subject_says(small, codes):
    whole = Shows(small.setting, small.setting.draw_over, "coefficients", "surface").views(codes)
    assert whole.capabilities == {"coefficients", "surface"}
    with pytest.raises(InputError, match="'shows' says that its views carry surface, they carry pictures alone"):
        Shows(small.setting, lambda targets: SubjectView(targets.images), "surface").views(codes)
    with pytest.raises(InputError, match="carry pictures alone, they carry coefficients, surface: correct .* of Shows"):
        Shows(small.setting, small.setting.draw_over).views(codes)


def test_pictures_of_the_wrong_shape_are_refused(small, codes):
    with pytest.raises(InputError, match=r"picture of the subject 'shows' must have shape \(2, 3, 16, 16\)"):
        Shows(small.setting, lambda targets: SubjectView(targets.images[:1])).views(codes)
    with pytest.raises(InputError, match=r"mask of the subject 'shows' must have shape \(2, 1, 16, 16\)"):
        Shows(small.setting, lambda targets: SubjectView(targets.images, targets.images)).views(codes)
