"""Renders in pictures: where the seam is, what it may not do, and its gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.renderers.pasting import SEAMS, fade, fill, paste


def disc(size: int, radius: float, batch: int = 1) -> torch.Tensor:
    """An antialiased disc in the middle ``(B, 1, S, S)``."""
    line = torch.arange(size) + 0.5 - size / 2
    distance = (line[:, None] ** 2 + line**2).sqrt()
    return (radius - distance + 0.5).clamp(0, 1).expand(batch, 1, -1, -1)


def stripes(size: int) -> torch.Tensor:
    """A picture with detail at every scale ``(1, 3, S, S)``."""
    x = torch.linspace(0, 1, size)
    waves = sum(torch.sin(6.28 * f * x) for f in (1, 3, 9)) / 6 + 0.5
    return torch.stack([waves.expand(size, -1), waves[:, None].expand(-1, size), 0.3 + 0.2 * waves.expand(size, -1)])[
        None
    ]


@pytest.mark.parametrize("seam", SEAMS)
class TestEverySeam:
    def test_a_render_like_the_picture_changes_nothing(self, seam):
        picture, mask = stripes(64), disc(64, 20)
        assert torch.allclose(paste(picture * mask, mask, picture, seam=seam, width=6), picture, atol=1e-6)

    def test_a_full_mask_shows_the_render_and_an_empty_one_the_picture(self, seam):
        render, picture = stripes(48), torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
        full, none = torch.ones(1, 1, 48, 48), torch.zeros(1, 1, 48, 48)
        assert torch.allclose(paste(render, full, picture, seam=seam), render, atol=1e-6)
        assert torch.allclose(paste(render * 0, none, picture, seam=seam), picture, atol=1e-6)

    def test_deep_inside_is_the_render_and_far_outside_the_picture(self, seam):
        mask, render, picture = disc(96, 36), stripes(96), 1 - stripes(96).flip(2)
        pasted = paste(render * mask, mask, picture, seam=seam, width=8)
        inside, outside = disc(96, 12) > 0, disc(96, 44) == 0
        assert torch.allclose(pasted[inside.expand_as(pasted)], render[inside.expand_as(pasted)], atol=2e-3)
        assert torch.allclose(pasted[outside.expand_as(pasted)], picture[outside.expand_as(pasted)], atol=2e-3)

    def test_no_dark_line_and_no_halo_between_two_tones(self, seam):
        """White on light grey, and grey on white: nothing is darker, or lighter, than both."""
        mask = disc(64, 20)
        for inner, outer in ((1.0, 0.8), (0.5, 1.0)):
            pasted = paste(torch.full((1, 3, 64, 64), inner) * mask, mask, torch.full((1, 3, 64, 64), outer), seam=seam)
            assert float(pasted.min()) >= min(inner, outer) - 1e-5
            assert float(pasted.max()) <= max(inner, outer) + 1e-5

    @settings(max_examples=8)
    @given(size=st.tuples(st.integers(1, 23), st.integers(1, 23)), batch=st.integers(1, 2), width=st.floats(0.5, 30))
    def test_any_size_and_width(self, seam, size, batch, width):
        rng = torch.Generator().manual_seed(0)
        mask = torch.rand(batch, 1, *size, generator=rng).round()
        picture = torch.rand(1, 3, *size, generator=rng)
        pasted = paste(picture * mask, mask, picture, seam=seam, width=width)
        assert pasted.shape == (batch, 3, *size)
        assert torch.allclose(pasted, picture.expand_as(pasted), atol=1e-5)

    def test_rows_of_a_batch_are_independent(self, seam):
        rng = torch.Generator().manual_seed(1)
        mask = torch.cat([disc(32, 9), disc(32, 13)])
        render, picture = torch.rand(2, 3, 32, 32, generator=rng) * mask, torch.rand(2, 3, 32, 32, generator=rng)
        both = paste(render, mask, picture, seam=seam, width=4)
        alone = paste(render[1:], mask[1:], picture[1:], seam=seam, width=4)
        assert torch.allclose(both[1:], alone, atol=1e-6)

    def test_gradients(self, seam):
        rng = torch.Generator().manual_seed(2)
        picture = torch.rand(1, 3, 9, 8, generator=rng, dtype=torch.float64, requires_grad=True)
        render = torch.rand(1, 3, 9, 8, generator=rng, dtype=torch.float64, requires_grad=True)
        mask = (0.2 + 0.6 * torch.rand(1, 1, 9, 8, generator=rng, dtype=torch.float64)).requires_grad_()

        def run(r, m, b):
            return paste(r, m, b, seam=seam, width=2)

        assert torch.autograd.gradcheck(run, (render, mask, picture))

    def test_gradients_are_finite_where_nothing_is_drawn(self, seam):
        mask, render = torch.zeros(1, 1, 16, 16, requires_grad=True), torch.zeros(1, 3, 16, 16, requires_grad=True)
        paste(render, mask, torch.rand(1, 3, 16, 16), seam=seam).square().sum().backward()
        assert bool(torch.isfinite(mask.grad).all()) and bool(torch.isfinite(render.grad).all())


def test_a_hard_seam_is_plain_compositing():
    mask, render, picture = disc(16, 5), stripes(16), 1 - stripes(16)
    pasted = paste(render * mask, mask, picture, seam="hard")
    assert torch.allclose(pasted, render * mask + (1 - mask) * picture)


def test_a_feather_over_a_straight_edge_is_known():
    """A mask whose edge lies between columns 8 and 9: nothing at it, half way in between, all from ``width`` on."""
    mask = (torch.arange(24) > 8).float().expand(1, 1, 24, -1)
    ramp = fade(mask, 6)[0, 0, 12]
    assert torch.equal(ramp[:9], torch.zeros(9))
    assert torch.allclose(ramp[14:], torch.ones(10), atol=1e-6)
    assert bool((ramp[8:15].diff() > 0).all())
    assert 0.3 < float(ramp[11]) < 0.9


def test_the_pictures_border_is_no_silhouette():
    assert torch.allclose(fade(torch.ones(1, 1, 12, 20), 5), torch.ones(1, 1, 12, 20))


def test_scales_fade_each_over_its_own_width():
    """A difference of tone fades slowly, detail of the same strength quickly."""
    mask = (torch.arange(128) >= 64).float().expand(1, 1, 128, -1)
    picture = torch.full((1, 3, 128, 128), 0.5)
    tone = torch.full_like(picture, 0.3)
    checks = 0.3 * (((torch.arange(128)[:, None] + torch.arange(128)) % 2) * 2.0 - 1).expand(1, 3, -1, -1)

    def strength(added):
        pasted = paste((picture + added) * mask, mask, picture, seam="laplacian", width=32) - picture
        return (pasted / added)[0, 0].mean(0)  # per column, 1 where all of it is there

    slow, fast = strength(tone), strength(checks)

    def distance(profile):
        return int((profile > 0.9).nonzero().min() - (profile > 0.1).nonzero().min())

    assert distance(slow) > distance(fast)
    assert float(slow[:56].max()) < 0.05  # it hardly leaves the mask


class TestFill:
    def test_what_is_known_stays(self):
        rng = torch.Generator().manual_seed(0)
        picture, known = (
            torch.rand(2, 3, 21, 34, generator=rng),
            (torch.rand(2, 1, 21, 34, generator=rng) > 0.5).float(),
        )
        filled = fill(picture, known)
        assert torch.equal(filled * known, picture * known)
        inside = filled.amax((2, 3)) <= (picture * known).amax((2, 3)) + 1e-5  # a membrane has no peaks of its own
        assert bool(inside.all()) and float(filled.min()) >= 0

    @pytest.mark.parametrize("radius", [3, 12, 24])
    def test_a_slope_goes_on_across_a_hole(self, radius):
        """A plane is a membrane at rest, whatever is cut out of it."""
        slope = 0.1 + 0.8 * torch.arange(64.0)[:, None].expand(64, 64) / 64
        picture, known = slope.expand(1, 3, -1, -1), 1 - (disc(64, radius) > 0).float()
        assert float((fill(picture * known, known) - picture).abs().max()) < 0.016

    def test_a_membrane_is_the_mean_of_its_neighbours(self):
        """Between a dark half and a light one, too: nothing jumps where the known part ends."""
        picture = torch.where(torch.arange(64) < 32, 0.2, 0.8).expand(1, 3, 64, 64)
        known = 1 - disc(64, 20).round()
        filled = fill(picture, known)
        up, down, left, right = (
            filled[..., :-2, 1:-1],
            filled[..., 2:, 1:-1],
            filled[..., 1:-1, :-2],
            filled[..., 1:-1, 2:],
        )
        strain = (filled[..., 1:-1, 1:-1] - (up + down + left + right) / 4).abs()
        assert float((strain * (1 - known[..., 1:-1, 1:-1])).max()) < 3e-3

    def test_gradients(self):
        rng = torch.Generator().manual_seed(4)
        picture = torch.rand(1, 3, 7, 6, generator=rng, dtype=torch.float64, requires_grad=True)
        known = torch.rand(1, 1, 7, 6, generator=rng, dtype=torch.float64).round()
        assert torch.autograd.gradcheck(lambda p: fill(p, known), (picture,))

    def test_nothing_known(self):
        assert torch.equal(fill(torch.ones(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)), torch.zeros(1, 3, 8, 8))

    def test_rows_are_independent(self):
        rng = torch.Generator().manual_seed(1)
        picture, known = torch.rand(2, 3, 16, 16, generator=rng), torch.cat([1 - disc(16, 5), 1 - disc(16, 3)]).round()
        assert torch.allclose(fill(picture, known)[1:], fill(picture[1:], known[1:]), atol=1e-6)


def test_bad_input_is_named():
    image, mask = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    with pytest.raises(InputError, match="seam must be one of 'hard', 'feather', 'laplacian', got 'soft'"):
        paste(image, mask, image, seam="soft")
    with pytest.raises(InputError, match="mask must have shape"):
        paste(image, torch.zeros(1, 1, 8, 9), image)
    with pytest.raises(InputError, match="background must have batch 1"):
        paste(image, mask, torch.zeros(2, 3, 8, 8))
    for wrong in (0, -1, float("nan")):
        with pytest.raises(InputError, match="width must be a positive number of pixels"):
            paste(image, mask, image, width=wrong)
