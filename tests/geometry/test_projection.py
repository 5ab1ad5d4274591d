from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.geometry import pose, project, view_depth
from faceuv.structures import Camera


def test_the_papers_camera():
    # One decimetre at the origin is 101.5 pixels at 256², right is right and up is up (row 0 on top).
    points = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    pixels = project(points, Camera(), 256, 256)[0]
    torch.testing.assert_close(pixels[0], torch.tensor([128.0, 128, 10]))
    torch.testing.assert_close(pixels[1], torch.tensor([229.5, 128, 10]))
    torch.testing.assert_close(pixels[2], torch.tensor([128.0, 26.5, 10]))
    assert float(pixels[3, 2]) == 9


@given(st.integers(16, 2048), st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
def test_the_picture_keeps_its_content_at_any_resolution(size, x, y):
    point = torch.tensor([[[x, y, 0.2]]], dtype=torch.float64)
    small, large = project(point, Camera(), 64, 64), project(point, Camera(), size, size)
    torch.testing.assert_close(small[..., :2] / 64, large[..., :2] / size)


@given(st.integers(16, 300), st.integers(16, 300))
def test_non_square_pictures_show_the_square_one_with_more_around(height, width):
    side = min(height, width)
    point = torch.tensor([[[0.3, -0.4, 0.1]]], dtype=torch.float64)
    square, wide = project(point, Camera(), side, side)[0, 0], project(point, Camera(), height, width)[0, 0]
    torch.testing.assert_close(wide[0] - width / 2, square[0] - side / 2)
    torch.testing.assert_close(wide[1] - height / 2, square[1] - side / 2)


def test_behind_the_camera_stays_finite_and_keeps_its_depth():
    points = torch.tensor([[[0.1, 0.2, 10.0], [0.1, 0.2, 12.0]]], requires_grad=True)
    pixels = project(points, Camera(), 64, 64)
    assert bool(torch.isfinite(pixels).all())
    torch.testing.assert_close(pixels[0, :, 2], torch.tensor([0.0, -2.0]))
    pixels.sum().backward()
    assert bool(torch.isfinite(points.grad).all())


def test_pose_rotates_then_translates():
    nose = torch.tensor([[[0.0, 0, 1]]])
    moved = pose(nose, torch.tensor([[0.0, torch.pi / 2, 0]]), torch.tensor([[0.0, 0.5, -1]]))
    torch.testing.assert_close(moved[0, 0], torch.tensor([1.0, 0.5, -1]), atol=1e-6, rtol=0)
    assert float(view_depth(moved, Camera())) == pytest.approx(11)


def test_gradients():
    vertices = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    angles = torch.tensor([[0.1, 0.5, -0.2], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    function = lambda v, a, t: project(pose(v, a, t), Camera(), 32, 48)  # noqa: E731
    assert torch.autograd.gradcheck(function, (vertices, angles, shift))
