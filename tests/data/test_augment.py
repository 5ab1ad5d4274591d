from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.augment import AdaptiveAugment, move, recolour
from faceuv.errors import InputError

EYE = torch.eye(2, 3)[None]


@pytest.fixture
def image(generator) -> torch.Tensor:
    return torch.rand(4, 3, 16, 16, generator=generator)


def full(**settings) -> AdaptiveAugment:
    return AdaptiveAugment(limit=1.0, strength=1.0, **settings)


def test_strength_0_is_the_identity_to_the_bit(image):
    assert torch.equal(AdaptiveAugment()(image), image)


def test_strength_1_changes_every_image_and_keeps_the_shape(image):
    torch.manual_seed(0)
    changed = full()(image)
    assert changed.shape == image.shape and changed.isfinite().all()
    assert ((changed - image).abs().mean((1, 2, 3)) > 0.01).all()


def test_strength_is_how_often_a_transform_happens():
    torch.manual_seed(0)
    many = torch.rand(2000, 3, 2, 2)
    augment = AdaptiveAugment(strength=0.3)
    matrix, offset = augment.colour_change(many)
    assert (offset[:, 0] != 0).float().mean().item() == pytest.approx(0.3, abs=0.05)
    still = (matrix == torch.eye(3)).flatten(1).all(1)  # contrast, saturation and hue
    assert still.float().mean().item() == pytest.approx(0.7**3, abs=0.05)
    affine = augment.movement(many)
    assert (torch.linalg.det(affine[:, :, :2]) < 0).float().mean().item() == pytest.approx(0.15, abs=0.03)  # flips


def test_no_turn_leaves_the_axes_where_they_are():
    torch.manual_seed(0)
    affine = full(turn=0.0).movement(torch.rand(50, 3, 8, 8))
    assert (affine[:, 0, 1] == 0).all() and (affine[:, 1, 0] == 0).all()
    assert (full().movement(torch.rand(50, 3, 8, 8))[:, 0, 1] != 0).all()


def test_the_seed_decides(image):
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return full()(image)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_the_rows_of_a_batch_do_not_mix(image):
    """Another picture in one row changes that row only."""
    other = image.clone()
    other[2] = 0
    torch.manual_seed(3)
    first = full()(image)
    torch.manual_seed(3)
    second = full()(other)
    rows = [0, 1, 3]
    torch.testing.assert_close(first[rows], second[rows])
    assert not torch.allclose(first[2], second[2])


def test_the_gradient_is_the_slope(image):
    """The forward pass is in single precision and linear in the image: one finite step is exact up to rounding."""
    augment = full()
    weight = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    step = torch.randn(image.shape, generator=torch.Generator().manual_seed(2))

    def value(image: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(5)
        return (augment(image) * weight).double().sum()

    image.requires_grad_()
    (gradient,) = torch.autograd.grad(value(image), image)
    assert (gradient != 0).flatten(1).any(1).all()
    slope = value(image.detach() + step) - value(image.detach())
    torch.testing.assert_close((gradient.double() * step).sum(), slope, rtol=1e-4, atol=1e-3)


def test_recolour_passes_gradcheck(generator):
    matrix = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    offset = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    small = torch.rand(2, 3, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda image: recolour(image, matrix, offset), (small,))


def test_move_by_a_mirror_is_a_flip(image):
    mirror = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(4, 2, 3)
    torch.testing.assert_close(move(image, mirror), image.flip(3))


def test_move_by_whole_pixels_shifts_and_mirrors_at_the_border(image):
    affine = EYE.repeat(4, 1, 1)
    affine[:, 0, 2] = 3 * 2 / 16  # what lies three pixels to the right comes here
    moved = move(image, affine)
    torch.testing.assert_close(moved[..., :13], image[..., 3:])
    torch.testing.assert_close(moved[..., 13:], image[..., 13:].flip(3))


def test_move_by_a_quarter_turn(image):
    """Output (x, y) is read at (−y, x): the picture turns by a quarter."""
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0]]).expand(4, 2, 3)
    torch.testing.assert_close(move(image, turn), image.transpose(2, 3).flip(2))


def test_move_treats_each_row_by_its_own_map(image):
    affine = EYE.repeat(4, 1, 1)
    affine[1, 0, 0] = -1
    moved = move(image, affine)
    assert torch.equal(moved[[0, 2, 3]], image[[0, 2, 3]])  # to the bit
    torch.testing.assert_close(moved[1], image[1].flip(2))


def test_recolour_swaps_channels_and_brightens(image):
    swap = torch.tensor([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]]).repeat(4, 1, 1)
    torch.testing.assert_close(recolour(image, swap, torch.zeros(4, 3)), image.flip(1))
    offset = torch.tensor([0.1, 0, -0.2]).repeat(4, 1)
    expected = image + offset[:, :, None, None]
    torch.testing.assert_close(recolour(image, torch.eye(3).repeat(4, 1, 1), offset), expected)


def test_recolour_turns_about_mid_grey(image):
    half = torch.eye(3).repeat(4, 1, 1) * 0.5
    half[0] = torch.eye(3)
    changed = recolour(image, half, torch.zeros(4, 3))
    assert torch.equal(changed[0], image[0])
    torch.testing.assert_close(changed[1:], image[1:] * 0.5 + 0.25)


def test_hue_and_saturation_keep_grey_grey():
    torch.manual_seed(0)
    grey = torch.rand(20, 1, 4, 4).expand(20, 3, 4, 4)
    changed = recolour(grey, *full().colour_change(grey))
    torch.testing.assert_close(changed, changed[:, :1].expand_as(changed), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(changed, grey, atol=0.01)  # brightness and contrast


def test_adapt_goes_up_and_down_and_stays_within_its_limits():
    augment = AdaptiveAugment(target=0.6, images=1000, limit=0.25)
    augment.adapt(torch.tensor(0.5), 100)
    assert augment.strength.item() == 0  # not below
    for expected in (0.1, 0.2, 0.25, 0.25):
        augment.adapt(torch.tensor(0.9), 100)
        assert augment.strength.item() == pytest.approx(expected)
    augment.adapt(torch.tensor(-1.0, dtype=torch.float64), 50)
    assert augment.strength.item() == pytest.approx(0.2)
    augment.adapt(augment.strength.new_tensor(0.6), 50)  # on target
    assert augment.strength.item() == pytest.approx(0.2)


def test_without_a_target_the_strength_stays():
    augment = AdaptiveAugment(target=None, strength=0.4)
    augment.adapt(torch.tensor(1.0), 10**6)
    assert augment.strength.item() == pytest.approx(0.4)


def test_a_checkpoint_keeps_the_strength():
    augment = AdaptiveAugment()
    augment.load_state_dict(AdaptiveAugment(strength=0.4).state_dict())
    assert augment.strength.item() == pytest.approx(0.4)


@pytest.mark.parametrize(
    "settings",
    [
        dict(strength=-0.1),
        dict(strength=0.9),  # above the limit
        dict(limit=1.5),
        dict(images=0),
        dict(turn=1.1),
        dict(strength=math.nan),
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(InputError, match="expected 0 ≤ strength ≤ limit ≤ 1, images > 0 and turn in"):
        AdaptiveAugment(**settings)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 3, 8, 9)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match="images to augment must have shape"):
        AdaptiveAugment()(torch.zeros(shape))
