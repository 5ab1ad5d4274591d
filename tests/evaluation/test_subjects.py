"""Subjects: what each of them shows, and in which order."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation.subjects import LinearSubject, Setting, TurnedSubject, UVSubject
from faceuv.models.stylefaceuv import UVGenerator
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.structures import UVMaps


@pytest.fixture
def codes(small):
    return small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(1))


YAW = torch.tensor([[-0.6, -0.5], [0.0, 0.1], [0.4, 0.7]])


def test_the_original_pose_is_what_f3d_reads_over_the_teachers_picture(small, codes):
    view = LinearSubject(small.setting).views(codes)
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


@pytest.mark.parametrize("kind", ["ours", "linear", "turned"])
def test_many_views_at_once_are_the_single_ones_one_view_after_the_other(small, codes, kind):
    subject = {
        "ours": UVSubject(small.setting, small.uv),
        "linear": LinearSubject(small.setting),
        "turned": TurnedSubject(small.setting),
    }[kind]
    every = subject.views(codes, YAW)
    for view in range(3):
        for face in range(2):
            alone = subject.views(codes[face : face + 1], YAW[view, face : face + 1])
            row = view * 2 + face
            torch.testing.assert_close(every.image[row], alone.image[0], atol=2e-5, rtol=0)
            torch.testing.assert_close(every.mask[row], alone.mask[0], atol=2e-5, rtol=0)


def test_maps_are_those_of_the_face_in_every_view(small, codes):
    class Painted(UVGenerator):
        def forward(self, code, *, noise="fixed"):
            return UVMaps(diffuse=torch.stack([torch.full((3, 8, 8), 0.2), torch.full((3, 8, 8), 0.9)]))

    painted = Painted(16, 8, num_layers=small.uv.num_layers, channel_base=64, channel_max=6)
    view = UVSubject(small.setting, painted).views(codes, YAW)
    light = view.image[:, :, 8, 8].mean(1)  # the middle of the oval
    assert bool((light.reshape(3, 2)[:, 1] > 2 * light.reshape(3, 2)[:, 0]).all())


def test_the_2d_rotation_is_the_teachers_picture(small, codes):
    view = TurnedSubject(small.setting).views(codes, YAW)
    targets = small.setting.targets(codes, YAW)
    assert torch.equal(view.image, targets.images)
    assert torch.equal(view.coefficients.data, targets.read.data)  # where its texels lie
    assert not TurnedSubject.draws


def test_what_does_not_fit_is_told(small, codes):
    with pytest.raises(InputError, match=r"yaw must have shape \(2,\) or \(V, 2\), got \(3,\)"):
        small.setting.targets(codes, torch.zeros(3))
    alone = Setting(small.teacher, small.setting.mapper, small.setting.renderer)
    with pytest.raises(InputError, match="give the setting a stepper"):
        alone.targets(codes, torch.zeros(2))
    other = UVGenerator.from_teacher(StyleGAN2Generator(8, 6, channel_base=64, channel_max=6))
    with pytest.raises(InputError, match=r"UV generator of 'x' reads codes with L = 4, D = 6; F3D with L = 6, D = 8"):
        UVSubject(small.setting, other, "x")
