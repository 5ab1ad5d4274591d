"""StyleFaceUV's subjects: what each of them shows, and in which order."""

from __future__ import annotations

import pytest
import torch
from small_evaluation import small_evaluation

from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.stylefaceuv import UVGenerator
from faceuv.models.stylefaceuv.claims import CLAIMS
from faceuv.models.stylefaceuv.subjects import LinearSubject, TurnedSubject, UVSubject
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.registry import SUBJECTS
from faceuv.structures import UVMaps


@pytest.fixture(scope="module")
def small():
    return small_evaluation()


@pytest.fixture
def codes(small):
    return small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(1))


YAW = torch.tensor([[-0.6, -0.5], [0.0, 0.1], [0.4, 0.7]])


@pytest.mark.parametrize("kind", ["ours", "linear", "turned"])
def test_many_views_at_once_are_the_single_ones_one_view_after_the_other(small, codes, kind):
    subject = {
        "ours": UVSubject(small.setting, "ours", generator=small.uv),
        "linear": LinearSubject(small.setting, "linear"),
        "turned": TurnedSubject(small.setting, "turned"),
    }[kind]
    every = subject.views(codes, YAW)
    for view in range(3):
        for face in range(2):
            alone = subject.views(codes[face : face + 1], YAW[view, face : face + 1])
            row = view * 2 + face
            torch.testing.assert_close(every.image[row], alone.image[0], atol=2e-5, rtol=0)
            if kind != "turned":
                torch.testing.assert_close(every.mask[row], alone.mask[0], atol=2e-5, rtol=0)


def test_maps_are_those_of_the_face_in_every_view(small, codes):
    class Painted(UVGenerator):
        def forward(self, code, *, noise="fixed"):
            return UVMaps(diffuse=torch.stack([torch.full((3, 8, 8), 0.2), torch.full((3, 8, 8), 0.9)]))

    painted = Painted(16, 8, num_layers=small.uv.num_layers, channel_base=64, channel_max=6)
    view = UVSubject(small.setting, "ours", generator=painted).views(codes, YAW)
    light = view.image[:, :, 8, 8].mean(1)  # the middle of the oval
    assert bool((light.reshape(3, 2)[:, 1] > 2 * light.reshape(3, 2)[:, 0]).all())


def test_the_2d_rotation_is_the_teachers_picture(small, codes):
    view = TurnedSubject(small.setting, "turned").views(codes, YAW)
    targets = small.setting.targets(codes, YAW)
    assert torch.equal(view.image, targets.images)
    assert torch.equal(view.coefficients.data, targets.read.data)  # where its texels lie
    assert TurnedSubject.shows_teacher and view.render is None


def test_a_uv_generator_of_another_teacher_is_refused(small):
    other = UVGenerator.from_teacher(StyleGAN2Generator(8, 6, channel_base=64, channel_max=6))
    with pytest.raises(InputError, match=r"'x' reads codes with L = 4, D = 6; the teacher's have L = 6, D = 8"):
        UVSubject(small.setting, "x", generator=other)


def test_the_registry_builds_them_by_name(small, codes, tmp_path):
    assert {"uv", "linear", "turned"} <= set(SUBJECTS.names())
    path = save_network(tmp_path / "uv_generator.safetensors", small.uv)
    built = SUBJECTS.build({"type": "uv", "path": str(path)}, setting=small.setting, name="mine")
    assert (built.name, built.path, built.claims) == ("mine", path, CLAIMS)
    own = UVSubject(small.setting, "ours", generator=small.uv)
    assert torch.equal(built.views(codes).image, own.views(codes).image) and own.path is None
    with pytest.raises(InputError, match="subject 'x' of type 'uv' needs a path"):
        UVSubject(small.setting, "x")
    with pytest.raises(InputError, match="needs path, the file of a UV generator"):
        SUBJECTS.build("uv", setting=small.setting, name="x")
