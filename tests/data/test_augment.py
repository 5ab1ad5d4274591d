from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.augment import AdaptiveAugment, move, recolour
from faceuv.errors import InputError


def images(count=4, side=16):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def affine(matrix, shift=(0.0, 0.0)):
    return torch.cat([torch.tensor(matrix), torch.tensor(shift)[:, None]], 1)[None]


class TestStrength:
    def test_zero_is_the_identity_to_the_bit(self):
        assert torch.equal(AdaptiveAugment()(images()), images())

    def test_full_strength_changes_every_image(self):
        augment = AdaptiveAugment(limit=1.0, strength=1.0)
        changed = augment(images()) - images()
        assert bool((changed.abs().flatten(1).amax(1) > 0.01).all())
        assert augment(images()).shape == images().shape

    def test_the_same_seed_gives_the_same_pictures(self):
        augment = AdaptiveAugment(strength=0.8)
        results = []
        for _ in range(2):
            torch.manual_seed(5)
            results.append(augment(images()))
        assert torch.equal(*results)

    def test_follows_the_sign_of_the_scores(self):
        augment = AdaptiveAugment(target=0.6, images=1000, limit=0.5)
        augment.adapt(torch.tensor(0.9), 100)
        assert float(augment.strength) == pytest.approx(0.1)
        for _ in range(9):
            augment.adapt(torch.tensor(0.9), 100)
        assert float(augment.strength) == pytest.approx(0.5)  # its limit
        augment.adapt(torch.tensor(0.1), 2000)
        assert float(augment.strength) == 0

    def test_without_a_target_it_stays(self):
        augment = AdaptiveAugment(target=None, strength=0.3)
        augment.adapt(torch.tensor(1.0), 10_000)
        assert float(augment.strength) == pytest.approx(0.3)

    def test_passes_gradients(self):
        torch.manual_seed(0)
        image = images().requires_grad_()
        AdaptiveAugment(strength=0.8)(image).square().sum().backward()
        assert bool((image.grad.flatten(1).abs().amax(1) > 0).all())


class TestParts:
    def test_a_flip(self):
        flipped = move(images(1), affine([[-1.0, 0.0], [0.0, 1.0]]))
        torch.testing.assert_close(flipped, images(1).flip(3), atol=1e-5, rtol=0)

    def test_a_shift_by_whole_pixels(self):
        shifted = move(images(1), affine([[1.0, 0.0], [0.0, 1.0]], (2 * 3 / 16, 0.0)))
        torch.testing.assert_close(shifted[..., :13], images(1)[..., 3:], atol=1e-5, rtol=0)

    def test_colours_turn_about_mid_grey(self):
        doubled = recolour(images(), 2 * torch.eye(3).expand(4, 3, 3), torch.zeros(4, 3))
        torch.testing.assert_close(doubled, (images() - 0.5) * 2 + 0.5)

    def test_hue_and_saturation_leave_grey_alone(self):
        torch.manual_seed(1)
        augment = AdaptiveAugment(limit=1.0, strength=1.0)
        matrix, _ = augment.colour_change(images(32))
        grey = matrix @ torch.ones(3)
        torch.testing.assert_close(grey, grey[:, :1].expand(-1, 3), atol=1e-5, rtol=0)

    def test_movements_have_the_stated_spread(self):
        torch.manual_seed(2)
        augment = AdaptiveAugment(limit=1.0, strength=1.0, turn=0.0)
        determinant = torch.linalg.det(augment.movement(images(2000))[:, :, :2]).abs()
        # the stretch keeps the area; the scale, 2^(0.2 N), enters squared
        assert float(determinant.log2().std()) == pytest.approx(2 * 0.2, rel=0.1)
        assert abs(float(determinant.log2().mean())) < 0.03

    def test_turns_keep_lengths(self):
        torch.manual_seed(3)
        matrix = AdaptiveAugment(limit=1.0, strength=1.0).movement(images(50))[:, :, :2]
        assert math.isfinite(float(matrix.sum()))
        assert float(torch.linalg.cond(matrix).max()) < 2.0 ** (2 * 0.2 * 5)


def test_bad_settings():
    with pytest.raises(InputError, match="strength=0.9, limit=0.8"):
        AdaptiveAugment(strength=0.9)
    with pytest.raises(InputError, match=r"images to augment must have shape \(B, 3, S, S\)"):
        AdaptiveAugment()(torch.zeros(1, 3, 4, 5))
