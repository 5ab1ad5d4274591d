from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.evaluation import (
    albedo_error,
    depth_error,
    depth_error_mm,
    normal_error_deg,
    unseen_pixels,
    unseen_texels,
)
from faceuv.geometry import euler_to_matrix


def noise(channels=1, seed=0, count=2, size=16):
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def part(count=2, size=16):
    mask = torch.zeros(count, 1, size, size, dtype=torch.float64)
    mask[..., 2:12, 3:10] = 1
    return mask


class TestDepth:
    @given(st.floats(0.1, 10), st.floats(-5, 5))
    def test_distance_and_scale_do_not_matter(self, scale, shift):
        truth = noise()
        assert depth_error(truth * scale + shift, truth, part()) == pytest.approx([0, 0], abs=1e-6)

    def test_opposite_and_unrelated_shapes(self):
        truth = noise(size=200)
        mask = torch.ones_like(truth)
        assert depth_error(-truth, truth, mask) == pytest.approx([2, 2], abs=1e-6)
        assert depth_error(noise(seed=1, size=200), truth, mask) == pytest.approx([2**0.5] * 2, abs=0.02)

    def test_a_known_correlation(self):
        """√(2 − 2ρ) for two depths of correlation ρ."""
        x, y = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        x, y = ((side - 7.5)[None, None].double() for side in (x, y))
        mask = torch.ones_like(x)
        assert float(depth_error(0.6 * x + 0.8 * y, x, mask)) == pytest.approx((2 - 2 * 0.6) ** 0.5, abs=1e-9)

    def test_beside_the_mask_nothing_counts(self):
        truth = noise()
        depth = torch.where(part() > 0, truth, torch.nan)
        assert depth_error(depth, truth, part()) == pytest.approx([0, 0], abs=1e-9)
        assert depth_error_mm(depth, truth, part()) == pytest.approx([0, 0], abs=1e-9)

    def test_a_flat_guess(self):
        assert depth_error(torch.full_like(noise(), 9.0), noise(), part()) == pytest.approx([1, 1], abs=1e-6)

    def test_millimetres(self):
        truth = noise()
        step = torch.zeros_like(truth)
        step[..., 2:7, :], step[..., 7:12, :] = 0.01, -0.01  # half the mask 1 mm nearer, half farther
        assert depth_error_mm(truth + step + 0.7, truth, part()) == pytest.approx([1, 1], abs=1e-9)
        assert depth_error_mm(truth * 1.5, truth, part()).min() > 10  # unlike the other, a scale is an error

    def test_nothing_covered(self):
        assert math.isnan(float(depth_error(noise()[:1], noise()[:1], torch.zeros(1, 1, 16, 16).double())))


class TestNormals:
    @given(st.floats(0, 180), st.integers(0, 20))
    def test_a_turn_by_a_known_angle(self, angle, seed):
        """About an axis at right angles to each normal."""
        normal = F.normalize(noise(3, seed), dim=1)
        across = F.normalize(torch.linalg.cross(normal, noise(3, seed + 100), dim=1), dim=1)
        turned = normal * math.cos(math.radians(angle)) + across * math.sin(math.radians(angle))
        assert normal_error_deg(3 * turned, normal, part()) == pytest.approx([angle, angle], abs=1e-6)

    def test_one_rotation_for_all(self):
        up = torch.zeros(1, 3, 4, 4, dtype=torch.float64)
        up[:, 1] = 1
        turn = euler_to_matrix(torch.tensor([[math.radians(30.0), 0.0, 0.0]], dtype=torch.float64))
        turned = (turn @ up.flatten(2)).unflatten(2, (4, 4))
        assert float(normal_error_deg(turned, up, torch.ones(1, 1, 4, 4))) == pytest.approx(30, abs=1e-5)

    def test_a_missing_normal_is_a_right_angle_off(self):
        normal = F.normalize(noise(3), dim=1)
        assert normal_error_deg(torch.zeros_like(normal), normal, part()) == pytest.approx([90, 90])


class TestAlbedo:
    def test_a_constant_difference(self):
        truth = noise(3).sigmoid()
        assert albedo_error(truth + 0.05, truth, part()) == pytest.approx([0.05, 0.05], abs=1e-9)

    def test_a_free_scale(self):
        truth = noise(3).sigmoid()
        tinted = truth * torch.tensor([0.5, 1.5, 0.8], dtype=torch.float64)[:, None, None]
        assert albedo_error(tinted, truth, part(), scale="free") == pytest.approx([0, 0], abs=1e-9)
        assert albedo_error(tinted, truth, part()).min() > 0.1

    def test_a_free_scale_does_not_free_the_pattern(self):
        truth = noise(3).sigmoid()
        other = noise(3, seed=5).sigmoid()
        assert albedo_error(other, truth, part(), scale="free").min() > 0.1
        assert albedo_error(torch.zeros_like(truth), truth, part(), scale="free").min() > 0.3

    def test_the_scale_is_that_of_the_mask(self):
        truth = noise(3).sigmoid()
        image = torch.where(part() > 0, truth * 0.5, truth * 3)
        assert albedo_error(image, truth, part(), scale="free") == pytest.approx([0, 0], abs=1e-9)

    def test_an_unknown_scale(self):
        with pytest.raises(InputError, match="'given' or 'free', got 'best'"):
            albedo_error(noise(3), noise(3), part(), scale="best")


class TestUnseen:
    def test_texels(self):
        surface = torch.tensor([[1.0, 1.0, 0.0]])[None, None]
        seen = torch.tensor([[1.0, 0.0, 0.0]])[None, None].expand(2, -1, -1, -1)
        assert unseen_texels(seen, surface).tolist() == [[[[0, 1, 0]]], [[[0, 1, 0]]]]

    def test_pixels_of_a_picture(self):
        """A picture whose right half shows the left half of the map, of which only that is unseen."""
        unseen = torch.zeros(1, 1, 8, 8)
        unseen[..., :4] = 1
        line = (torch.arange(8) + 0.5) / 8
        v, u = torch.meshgrid(line, 1 - line, indexing="ij")  # mirrored
        mask = torch.ones(1, 1, 8, 8)
        mask[..., 7] = 0
        found = unseen_pixels(unseen, torch.stack([u, v])[None], mask)[0, 0]
        assert found[:, :4].abs().max() == 0
        assert found[:, 4:7].min() == 1
        assert found[:, 7].max() == 0

    def test_maps_of_another_size(self):
        with pytest.raises(InputError, match="surface must have shape"):
            unseen_texels(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 4, 4))
