"""Cut-outs: points and pixels go together, whatever the frame."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.cutouts import (
    cut,
    mirror_points,
    pixel_size,
    points_from,
    points_in,
    random_frames,
    similar_frames,
    whole_frames,
)
from faceuv.errors import InputError


def blob(height: int, width: int, x: float, y: float, sigma: float = 2.0) -> torch.Tensor:
    """A Gaussian about (x, y) pixels, centres at half integers."""
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return torch.exp(-((columns - x) ** 2 + (rows[:, None] - y) ** 2) / (2 * sigma**2)).expand(1, 3, -1, -1)


def centre_of_mass(image: torch.Tensor) -> torch.Tensor:
    """``(B, 1, 2)`` in [−1, 1]."""
    mass = image[:, 0]
    size = image.shape[2]
    axis = (torch.arange(size) + 0.5) * (2 / size) - 1
    total = mass.sum((1, 2))
    return torch.stack([mass.sum(1) @ axis / total, mass.sum(2) @ axis / total], 1)[:, None]


class TestFrames:
    def test_there_and_back(self):
        frames = random_frames(torch.zeros(9, 3, 64, 64), shift=0.3, zoom=(0.5, 2.0), turn=3.0)
        points = torch.rand(9, 5, 2) * 64
        torch.testing.assert_close(points_from(frames, points_in(frames, points)), points, atol=1e-4, rtol=0)

    def test_stay_in_their_ranges(self):
        source = torch.Generator().manual_seed(0)
        frames = random_frames(torch.zeros(500, 3, 64, 64), shift=0.1, zoom=(0.5, 2.0), turn=0.2, generator=source)
        assert (frames[:, :, 2] - 32).abs().max() <= 6.4
        half = pixel_size(frames)
        assert 16 <= half.min() < 18 and 55 < half.max() <= 64.001
        assert torch.atan2(frames[:, 1, 0], frames[:, 0, 0]).abs().max() <= 0.2 + 1e-6

    @pytest.mark.parametrize(("height", "width"), [(40, 40), (30, 50), (50, 30)])
    def test_the_whole_picture_fits(self, height, width):
        frames = whole_frames(torch.zeros(1, 3, height, width))
        corners = torch.tensor([[[0.0, 0.0], [width, height]]])
        inside = points_in(frames, corners)
        torch.testing.assert_close(inside.abs().max(), torch.tensor(1.0))
        torch.testing.assert_close(inside[:, 0], -inside[:, 1])


class TestCut:
    def test_the_whole_of_a_square_is_itself(self):
        image = torch.rand(2, 3, 32, 32)
        torch.testing.assert_close(cut(image, whole_frames(image), 32), image, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("angle", [0.0, 0.6, -2.0])
    @pytest.mark.parametrize("half", [14.0, 30.0, 75.0])
    def test_what_is_at_a_point_comes_to_its_place(self, angle, half):
        image = blob(60, 90, 41.3, 26.9, sigma=max(2.0, half / 12))
        frames = similar_frames(torch.tensor([[44.0, 30.0]]), torch.tensor([half]), torch.tensor([angle]))
        found = centre_of_mass(cut(image, frames, 48))
        torch.testing.assert_close(found, points_in(frames, torch.tensor([[[41.3, 26.9]]])), atol=0.02, rtol=0)

    def test_a_turned_face_stands_upright_in_a_frame_turned_with_it(self):
        # a face turned clockwise by 90° has its top on the right
        image = blob(64, 64, 60.0, 32.0)
        frames = similar_frames(torch.tensor([[32.0, 32.0]]), torch.tensor([32.0]), torch.tensor([math.pi / 2]))
        place = centre_of_mass(cut(image, frames, 64))[0, 0]
        assert place[1] < -0.8 and abs(float(place[0])) < 0.05

    def test_fine_patterns_do_not_alias(self):
        y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
        checks = ((x + y) % 2).float().expand(1, 3, -1, -1)
        shown = cut(checks, whole_frames(checks), 32)
        assert (shown - 0.5).abs().max() < 0.05

    def test_a_row_does_not_depend_on_its_company(self):
        images = torch.rand(4, 3, 64, 64)
        frames = random_frames(images, shift=0.2, zoom=(0.3, 2.0), turn=1.0)
        together = cut(images, frames, 24)
        for row in range(4):
            alone = cut(images[row : row + 1], frames[row : row + 1], 24)
            torch.testing.assert_close(together[row], alone[0], atol=1e-6, rtol=0)

    def test_shapes_are_checked(self):
        with pytest.raises(InputError, match=r"frames must have shape \(2, 2, 3\)"):
            cut(torch.zeros(2, 3, 8, 8), torch.zeros(1, 2, 3), 8)


def test_mirrored_points_are_those_of_the_mirrored_picture():
    points = torch.randn(2, 68, 2)
    assert torch.equal(mirror_points(mirror_points(points)), points)
    mirrored = mirror_points(points)
    # the outer corner of the right eye becomes that of the left one
    assert torch.equal(mirrored[:, 45], points[:, 36] * torch.tensor([-1.0, 1.0]))
    assert torch.equal(mirrored[:, 8], points[:, 8] * torch.tensor([-1.0, 1.0]))
