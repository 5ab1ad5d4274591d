from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.data.window import Window
from faceuv.errors import InputError
from faceuv.geometry import project
from faceuv.structures import Camera

# eyes, mouth corners and the rest of a face, dm
MEAN_FACE = torch.zeros(68, 3, dtype=torch.float64)
MEAN_FACE[36:42] = torch.tensor([-0.32, 0.3, 0.5])
MEAN_FACE[42:48] = torch.tensor([0.32, 0.3, 0.5])
MEAN_FACE[48:68, 1] = -0.35
MEAN_FACE[48, 0], MEAN_FACE[54, 0] = -0.25, 0.25
coordinates = st.tuples(st.floats(-300, 300), st.floats(-300, 300))


@given(coordinates, st.floats(5, 200), st.floats(-3, 3), st.integers(32, 512))
def test_points_find_their_way_back(centre, half, angle, size):
    window = Window(centre, (half * torch.tensor(angle).cos().item(), half * torch.tensor(angle).sin().item()))
    points = torch.rand(9, 2, dtype=torch.float64) * 300
    torch.testing.assert_close(window.to_picture(window.to_window(points, size), size), points, atol=1e-6, rtol=1e-6)


def test_corners_of_a_window():
    window = Window((10.0, 20.0), (4.0, 3.0))  # side 10; its right points down to the right
    corners = window.to_picture(torch.tensor([[0.0, 0.0], [8.0, 0.0], [8.0, 8.0]]).double(), 8)
    expected = torch.tensor([[9.0, 13.0], [17.0, 19.0], [11.0, 27.0]]).double()
    torch.testing.assert_close(corners, expected)
    assert window.side == 10


def test_a_square_picture_of_the_right_size_is_kept():
    picture = torch.rand(3, 64, 64)
    for rule in ("pad", "crop"):
        cut, mask = Window.whole(64, 64, rule).cut(picture, 64)
        torch.testing.assert_close(cut, picture, atol=1e-5, rtol=0)
        assert bool((mask == 1).all())


def test_pad_keeps_everything_and_says_what_it_repeated():
    picture = torch.rand(3, 40, 80)
    cut, mask = Window.whole(40, 80, "pad").cut(picture, 80)
    torch.testing.assert_close(cut[:, 20:60], picture, atol=1e-5, rtol=0)
    assert bool((mask[:, 20:60] == 1).all())
    assert float(mask.sum()) == 40 * 80
    torch.testing.assert_close(cut[:, 5], picture[:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("centre", [(150.0, 90.0), (20.0, 170.0), (-30.0, 60.0), (310.0, 230.0), (900.0, -800.0)])
@pytest.mark.parametrize("half_axis", [(40.0, 9.0), (-25.0, 70.0), (160.0, 0.0), (220.0, 90.0)])
def test_only_what_a_square_shows_is_averaged_and_it_shows_the_same(centre, half_axis, monkeypatch):
    picture = torch.rand(3, 203, 311, generator=torch.Generator().manual_seed(0))
    window, size = Window(centre, half_axis), 16
    cut, mask = window.cut(picture, size)
    averaged = Window._around
    monkeypatch.setattr(Window, "_around", lambda self, whole, shrink: (whole, 0, 0))
    expected, expected_mask = window.cut(picture, size)
    torch.testing.assert_close(cut, expected, atol=2e-5, rtol=0)
    assert torch.equal(mask, expected_mask)
    part, _, top = averaged(window, picture, 4)
    assert part.shape[1] % 4 == 0 or top + part.shape[1] == 203
    if centre == (150.0, 90.0) and half_axis == (40.0, 9.0):
        assert part[0].numel() < picture[0].numel() / 3


@pytest.mark.parametrize("half_axis", [(20.0, 5.0), (-25.0, 70.0), (160.0, 0.0)])
def test_some_pixels_are_those_of_the_whole_cut(half_axis):
    picture = torch.rand(3, 203, 311, generator=torch.Generator().manual_seed(0))
    window, size = Window((140.0, 90.0), half_axis), 48
    rows, columns = torch.tensor([0, 7, 30, 47]), torch.tensor([47, 0, 11, 20])
    cut, _ = window.cut(picture, size)
    torch.testing.assert_close(window.pixels(picture, rows, columns, size), cut[:, rows, columns], atol=1e-5, rtol=0)
    assert window.pixels(picture, rows[:0], columns[:0], size).shape == (3, 0)


def test_crop_takes_the_middle():
    picture = torch.rand(3, 40, 80)
    cut, mask = Window.whole(40, 80, "crop").cut(picture, 40)
    torch.testing.assert_close(cut, picture[:, :, 20:60], atol=1e-5, rtol=0)
    assert bool((mask == 1).all())


def test_shrinking_averages():
    fine = torch.rand(3, 512, 512, generator=torch.Generator().manual_seed(0))
    cut, _ = Window.whole(512, 512).cut(fine, 64)
    torch.testing.assert_close(cut, torch.nn.functional.avg_pool2d(fine, 8), atol=0.08, rtol=0)
    assert float(cut.std()) < 0.06  # picking single pixels would leave 0.29


def test_a_turned_window_shows_what_its_points_say():
    picture = torch.zeros(3, 200, 300)
    picture[:, 78:83, 198:203] = 1
    window = Window((180.0, 100.0), (40.0, 25.0))
    cut, _ = window.cut(picture, 128)
    weight = cut[0] / cut[0].sum()
    at = torch.arange(128) + 0.5
    found = torch.stack([(weight.sum(0) * at).sum(), (weight.sum(1) * at).sum()])
    torch.testing.assert_close(found, window.to_window(torch.tensor([200.5, 80.5]), 128), atol=0.1, rtol=0)


def test_aligned_squares_do_not_depend_on_how_the_picture_lies():
    points = project(MEAN_FACE[None], Camera(), 96, 96)[0, :, :2]
    one = Window.aligned(points)
    turn = 0.4
    spin = 2.5 * torch.tensor([[torch.tensor(turn).cos(), -torch.tensor(turn).sin()],
                               [torch.tensor(turn).sin(), torch.tensor(turn).cos()]]).double()  # fmt: skip
    moved = points @ spin.T + torch.tensor([300.0, 50.0])
    other = Window.aligned(moved)
    torch.testing.assert_close(other.to_window(moved, 96), one.to_window(points, 96), atol=1e-6, rtol=0)
    eyes = one.to_window(points[36:48], 96).mean(0)
    assert float(eyes[0]) == pytest.approx(48, abs=1)  # upright, in the middle
    assert 0.4 < float(eyes[1]) / 96 < 0.5


def test_landmarks_without_a_face():
    with pytest.raises(InputError, match="do not span a face"):
        Window.aligned(torch.zeros(68, 2))
    with pytest.raises(InputError, match="framed by 'pad' or 'crop', got 'align'"):
        Window.whole(10, 10, "align")
