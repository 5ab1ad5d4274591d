"""Photographic perturbations: each a function of its picture and its seed, each does what it says."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv.data.perturb import Shares, jpeg, perturb
from faceuv.errors import InputError

NAMES = ("occlusion", "colour", "blur", "resolution", "noise", "jpeg")


def pictures(count: int = 6, height: int = 48, width: int = 56) -> torch.Tensor:
    """Smooth colours with an edge."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    one = torch.stack([0.2 + 0.6 * x, 0.3 + 0.4 * y, 0.5 + 0.3 * torch.sin(9 * x * y)])
    one[:, 10:20, 15:30] = 0.8
    return torch.stack([one * (0.7 + 0.05 * (k % 6)) for k in range(count)])


def only(name: str, strength: float = 1.0) -> Shares:
    return Shares(**{other: float(other == name) for other in NAMES}, strength=strength)


class TestPerturb:
    def test_keeps_shape_dtype_and_range(self):
        images = pictures().double()
        result = perturb(images, torch.Generator().manual_seed(0))
        assert result.shape == images.shape and result.dtype == images.dtype
        assert 0 <= result.min() and result.max() <= 1
        assert not torch.equal(result, images)

    def test_a_seed_says_it_all_whatever_the_company(self):
        images = pictures()
        together = perturb(images, range(6), shares=Shares(*[0.7] * 6))
        for row in range(6):
            alone = perturb(images[row : row + 1], [row], shares=Shares(*[0.7] * 6))
            torch.testing.assert_close(alone[0], together[row], atol=2e-5, rtol=0)

    def test_a_generator_repeats_itself_and_goes_on(self):
        images, source = pictures(), torch.Generator().manual_seed(4)
        first, second = perturb(images, source), perturb(images, source)
        assert torch.equal(first, perturb(images, torch.Generator().manual_seed(4)))
        assert not torch.equal(first, second)

    def test_nothing_happens_with_no_share(self):
        images = pictures()
        assert torch.equal(perturb(images, range(6), shares=Shares(*[0.0] * 6)), images)

    @pytest.mark.parametrize("name", NAMES)
    def test_each_changes_the_picture_alone_but_does_not_destroy_it(self, name):
        images = pictures()
        changed = perturb(images, range(6), shares=only(name))
        assert (changed - images).abs().amax((1, 2, 3)).min() > 1e-3
        assert (changed - images).abs().mean() < 0.25

    @pytest.mark.parametrize("name", ["colour", "noise", "blur"])
    def test_strength_weakens(self, name):
        images = pictures()
        weak, full = (perturb(images, range(6), shares=only(name, s)) for s in (0.1, 1.0))
        assert (weak - images).abs().mean() < 0.6 * (full - images).abs().mean()

    def test_the_share_is_a_share(self):
        images = torch.full((400, 3, 16, 16), 0.5)
        hit = (perturb(images, range(400), shares=Shares(0, 0, 0, 0, 0.3, 0)) != images).flatten(1).any(1)
        assert 0.2 < hit.float().mean() < 0.4

    def test_occluders_lie_over_a_landmark(self):
        images = pictures(40)
        landmarks = torch.tensor([[12.5, 34.5]]).expand(40, 1, 2)
        changed = (perturb(images, range(40), landmarks, shares=only("occlusion")) - images).abs().amax(1)
        # the occluder's own colour may be that of the place, rarely
        assert (changed[:, 30:39, 8:17].amax((1, 2)) > 1e-3).float().mean() > 0.9
        assert (changed[:, :12, 40:] == 0).all()

    def test_blur_and_coarse_sensors_keep_the_mean_and_lose_the_edges(self):
        images = pictures()
        for name in ("blur", "resolution"):
            changed = perturb(images, range(6), shares=only(name))
            assert (changed.mean((2, 3)) - images.mean((2, 3))).abs().max() < 0.01
            assert changed.diff(dim=3).abs().amax() < images.diff(dim=3).abs().amax()

    def test_blur_does_not_move_a_point(self):
        image = torch.zeros(8, 3, 33, 33)
        image[:, :, 16, 16] = 1
        changed = perturb(image, range(8), shares=only("blur"))[:, 0]
        place = torch.arange(33) + 0.5
        for sums in (changed.sum(1), changed.sum(2)):
            torch.testing.assert_close((sums * place).sum(1) / sums.sum(1), torch.full((8,), 16.5), atol=1e-3, rtol=0)

    @pytest.mark.parametrize("size", [(1, 3), (5, 5), (16, 100)])
    def test_odd_and_tiny_pictures(self, size):
        images = torch.rand(3, 3, *size)
        assert perturb(images, range(3), shares=Shares(*[1.0] * 6)).shape == images.shape

    def test_an_empty_batch(self):
        assert perturb(torch.zeros(0, 3, 8, 8), []).shape == (0, 3, 8, 8)


class TestJpeg:
    @pytest.mark.parametrize("quality", [20, 50, 90])
    def test_is_what_a_jpeg_file_keeps(self, quality):
        image = pictures(1)
        levels = (image[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "JPEG", quality=quality, subsampling=0)
        kept = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
        ours = jpeg(torch.from_numpy(levels).permute(2, 0, 1)[None] / 255, torch.tensor([float(quality)]))[0]
        lost = (ours - image[0]).abs().mean()
        assert (ours - kept).abs().mean() < 0.3 * lost + 0.002  # a file rounds to levels, too

    def test_worse_quality_keeps_less(self):
        image = pictures(1).expand(3, -1, -1, -1)
        error = (jpeg(image, torch.tensor([10.0, 40.0, 95.0])) - image).abs().mean((1, 2, 3))
        assert error[0] > error[1] > error[2]


class TestBadInput:
    def test_messages(self):
        with pytest.raises(InputError, match=r"images must have shape \(B, 3, H, W\)"):
            perturb(torch.zeros(2, 1, 8, 8), [0, 1])
        with pytest.raises(InputError, match="a seed for each of 2 pictures, got 1"):
            perturb(torch.zeros(2, 3, 8, 8), [0])
        with pytest.raises(InputError, match=r"landmarks must have shape \(2, K, 2\)"):
            perturb(torch.zeros(2, 3, 8, 8), [0, 1], torch.zeros(1, 68, 2))
        with pytest.raises(InputError, match=r"lie in \[0, 1\], got {'noise': 1.5}"):
            Shares(noise=1.5)
