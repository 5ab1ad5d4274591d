"""Barycentric weights and interpolation: exact on planes, right gradients."""

from __future__ import annotations

import torch
from torch.autograd import gradcheck

from faceuv.geometry.projection import project
from faceuv.geometry.scan import scan_triangles
from faceuv.renderers.interpolation import barycentrics, fragments, interpolate, per_pixel, spread, unit
from faceuv.structures import Camera


def some_triangles() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels (2, 5, 3), rows of 4 points' corners, and the points, all in float64."""
    g = torch.Generator().manual_seed(1)
    pixels = torch.rand(2, 5, 3, generator=g, dtype=torch.float64) * torch.tensor([20.0, 20, 3]) + torch.tensor(
        [0, 0, 4.0]
    )
    corners = torch.tensor([[0, 1, 2], [2, 3, 4], [5, 6, 8], [7, 8, 9]])
    points = pixels.reshape(-1, 3)[corners][..., :2].mean(1)
    return pixels, corners.t().reshape(-1), points[:, 0], points[:, 1]


class TestBarycentrics:
    def test_weights_reproduce_the_point_and_its_depth(self) -> None:
        pixels, rows, x, y = some_triangles()
        weights, depth = barycentrics(pixels, rows, x, y)
        corners = pixels.reshape(-1, 3)[rows].view(3, -1, 3)
        # In space the point is Σ w·(x z, y z, z): project it back.
        space = torch.cat([corners[..., :2] * corners[..., 2:], corners[..., 2:]], -1)
        point = (weights[..., None] * space).sum(0)
        torch.testing.assert_close(weights.sum(0), torch.ones_like(x))
        torch.testing.assert_close(point[:, 2], depth)
        torch.testing.assert_close(point[:, 0] / point[:, 2], x)
        torch.testing.assert_close(point[:, 1] / point[:, 2], y)

    def test_gradients(self) -> None:
        pixels, rows, x, y = some_triangles()
        pixels.requires_grad_()
        assert gradcheck(lambda p: barycentrics(p, rows, x, y), pixels)
        assert gradcheck(lambda p: barycentrics(p, rows, x, y)[0], pixels)
        assert gradcheck(lambda p: barycentrics(p, rows, x, y)[1], pixels)


def test_interpolation_is_perspective_correct(head) -> None:
    """Interpolated world positions project back to the pixel centres."""
    mesh, camera = head(2, 15), Camera()
    pixels = project(mesh.vertices, camera, 40, 56)
    face_id = scan_triangles(pixels, mesh.faces, 40, 56)
    at = fragments(pixels, mesh.faces, face_id)
    world = spread(interpolate(mesh.vertices, at), at).view(2, -1, 3)
    back = project(world, camera, 40, 56).view(2, 40, 56, 3)
    seen = face_id >= 0
    rows, columns = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(56) + 0.5, indexing="ij")
    centres = torch.stack([columns, rows], -1).expand(2, -1, -1, -1)
    assert (back[..., :2][seen] - centres[seen]).abs().max() < 1e-4
    assert (back[..., 2][seen] - at.depth).abs().max() < 1e-5


def test_per_pixel_derivatives(head) -> None:
    """Against differences of the attribute at points a little to the right and below, in the same faces."""
    mesh = head(1, 9, torch.float64)
    pixels = project(mesh.vertices, Camera(), 24, 24)
    at = fragments(pixels, mesh.faces, scan_triangles(pixels, mesh.faces, 24, 24))
    value = interpolate(mesh.uv, at)
    row = torch.div(at.flat, 24, rounding_mode="floor")
    x, y = (at.flat - row * 24).double() + 0.5, row.double() + 0.5
    corners = mesh.uv[at.corners].view(3, -1, 2)
    step = 1e-6
    for derivative, (dx, dy) in zip(per_pixel(mesh.uv, value, at), ((step, 0.0), (0.0, step))):
        weights, _ = barycentrics(pixels, at.rows, x + dx, y + dy)
        moved = (weights[..., None] * corners).sum(0)
        torch.testing.assert_close((moved - value) / step, derivative, atol=1e-5, rtol=1e-4)


def test_gradients_of_interpolation(head) -> None:
    mesh = head(2, 6, torch.float64)
    pixels = project(mesh.vertices, Camera(), 8, 8).requires_grad_()
    face_id = scan_triangles(pixels, mesh.faces, 8, 8)
    shared = torch.rand(mesh.vertices.shape[1], 2, dtype=torch.float64, requires_grad=True)
    own = torch.rand(2, mesh.vertices.shape[1], 3, dtype=torch.float64, requires_grad=True)

    def run(p: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
        at = fragments(p, mesh.faces, face_id)
        return interpolate(a, at), interpolate(b, at), spread(unit(interpolate(b, at)), at), at.depth

    assert gradcheck(run, (pixels, shared, own))


def test_unit_keeps_zero_rows() -> None:
    rows = torch.tensor([[3.0, 4, 0], [0, 0, 0]], requires_grad=True)
    out = unit(rows)
    torch.testing.assert_close(out, torch.tensor([[0.6, 0.8, 0], [0, 0, 0]]))
    out[0].sum().backward()
    assert torch.isfinite(rows.grad).all()


def test_nothing_covered() -> None:
    pixels = torch.full((1, 3, 3), -1.0, requires_grad=True)
    at = fragments(pixels, torch.tensor([[0, 1, 2]]), torch.full((1, 4, 4), -1))
    image = spread(interpolate(pixels, at), at)
    assert image.shape == (1, 4, 4, 3)
    image.sum().backward()
    assert (pixels.grad == 0).all()


def test_directions_that_cancel_are_zero_and_pass_no_gradient() -> None:
    rows = torch.tensor([[0.0, 0, 0], [3e-8, 0, -6e-8], [0.0, 0.5, 0], [1e-4, 0, 0]]).requires_grad_()
    found = unit(rows)
    assert found.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]]
    (found * torch.tensor([0.3, -0.7, 2.0])).sum().backward()
    assert torch.equal(rows.grad[:2], torch.zeros(2, 3))
    torch.testing.assert_close(rows.grad[2], torch.tensor([0.6, 0.0, 4.0]))
