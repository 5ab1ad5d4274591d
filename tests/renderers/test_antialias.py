"""Silhouettes: smooth like supersampling, and with its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from faceuv.geometry.projection import project
from faceuv.geometry.scan import scan_triangles
from faceuv.registry import RENDERERS
from faceuv.renderers.antialias import Topology, blend_edges, find_crossings, silhouette_edges
from faceuv.renderers.interpolation import fragments, spread
from faceuv.structures import Camera, Mesh


def build(**options: object):
    return RENDERERS.build(dict(type="torch", **options))


def test_topology_of_a_square() -> None:
    topology = Topology.build(torch.tensor([[0, 1, 2], [0, 2, 3]]), 4)
    edges = {tuple(e): tuple(f) for e, f in zip(topology.vertices.tolist(), topology.faces.tolist())}
    assert edges == {(0, 1): (0, -1), (0, 2): (0, 1), (0, 3): (1, -1), (1, 2): (0, -1), (2, 3): (1, -1)}
    for edge, opposite in zip(topology.vertices.tolist(), topology.opposite.tolist()):
        assert opposite not in edge


def test_silhouettes_of_a_tetrahedron() -> None:
    """Seen along an axis, a tetrahedron shows one face and hides three: its outline is that face's border."""
    pixels = torch.tensor([[[0.0, 0, 5], [9, 0, 5], [4, 8, 5], [4, 3, 6]]])
    faces = torch.tensor([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    topology = Topology.build(faces, 4)
    outline = topology.vertices[silhouette_edges(pixels, faces, topology)[0]]
    assert sorted(map(tuple, outline.tolist())) == [(0, 1), (0, 2), (1, 2)]


def test_coverage_of_a_half_plane() -> None:
    """A vertical border through a column of pixels covers exactly its share of them."""
    for x in (3.1, 3.5, 3.9, 4.2):
        pixels = torch.tensor([[[x, -50.0, 5], [-90, 4.5, 5], [x, 60, 5]]])
        faces = torch.tensor([[0, 1, 2]])
        face_id = scan_triangles(pixels, faces, 9, 9)
        at = fragments(pixels, faces, face_id)
        depth = spread(at.depth[:, None], at)[..., 0]
        crossings = find_crossings(pixels, faces, Topology.build(faces, 3), face_id, depth)
        mask = blend_edges((face_id >= 0)[:, None].float(), crossings)
        expected = (x - torch.arange(9.0)).clamp(0, 1).expand(1, 1, 9, 9)
        torch.testing.assert_close(mask, expected, atol=1e-5, rtol=0)


def blended_mask(pixels: Tensor, faces: Tensor, size: int) -> Tensor:
    face_id = scan_triangles(pixels.detach(), faces, size, size)
    at = fragments(pixels, faces, face_id)
    depth = spread(at.depth[:, None], at)[..., 0].detach()
    crossings = find_crossings(pixels, faces, Topology.build(faces, pixels.shape[1]), face_id, depth)
    return blend_edges((face_id >= 0)[:, None].float(), crossings)


def square(half: float, centre: float = 4.5) -> Tensor:
    """Corners (4, 3) of an upright square around a pixel centre."""
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * half + centre
    return torch.cat([corners, torch.full((4, 1), 5.0)], 1)


def test_a_surface_smaller_than_a_pixel_takes_no_more_than_the_pixel() -> None:
    """All four sides cross the same pixel and each takes its share: without a bound, 1 − 4 · 0.4 of it is left."""
    pixels = square(0.1)[None].requires_grad_()
    mask = blended_mask(pixels, torch.tensor([[0, 1, 2], [0, 2, 3]]), 9)
    assert mask.detach().min() >= -1e-6
    assert mask.detach().sum() < 0.1  # its area is 0.04
    mask.sum().backward()
    assert torch.isfinite(pixels.grad).all()


def test_a_hole_smaller_than_a_pixel_is_filled_no_more_than_once() -> None:
    """A square ring whose hole lies around a pixel centre: each of its sides gives 0.4 of that pixel to the surface."""
    pixels = torch.cat([square(3.3), square(0.1)])[None]
    ring = [[k, (k + 1) % 4, 4 + (k + 1) % 4] for k in range(4)] + [[k, 4 + (k + 1) % 4, 4 + k] for k in range(4)]
    mask = blended_mask(pixels, torch.tensor(ring), 9)
    assert mask.max() <= 1 + 1e-6
    assert mask[0, 0, 4, 4] > 0.9


@pytest.mark.parametrize("half", [0.1, 0.3])
def test_gradients_where_outlines_crowd_one_pixel(half: float) -> None:
    """With four crossings of one pixel each share depends on all of them: 0.1 is bounded, 0.3 (4 · 0.2 < 1) is not."""
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    topology = Topology.build(faces, 4)
    pixels = (
        square(half).double()[None] + 0.01 * torch.rand(1, 4, 3, generator=torch.Generator().manual_seed(1)).double()
    )
    face_id = scan_triangles(pixels.float(), faces, 9, 9)
    depth = torch.where(face_id >= 0, 5.0, 0.0).double()
    image = torch.rand(1, 2, 9, 9, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def blended(points: Tensor, picture: Tensor) -> Tensor:
        return blend_edges(picture, find_crossings(points, faces, topology, face_id, depth))

    assert gradcheck(blended, (pixels.requires_grad_(), image.requires_grad_()), eps=1e-7, atol=1e-5)
    (moved,) = torch.autograd.grad(blended(pixels, image)[0, 0, 4, 4], pixels)
    assert moved.abs().max() > 0.02


def test_a_thin_stripe_covers_its_width() -> None:
    """Two sides that take from one pixel less than all of it are not scaled."""
    pixels = torch.tensor([[[4.2, -50.0, 5], [4.7, -50, 5], [4.7, 50, 5], [4.2, 50, 5]]])
    mask = blended_mask(pixels, torch.tensor([[0, 1, 2], [0, 2, 3]]), 9)
    torch.testing.assert_close(mask[0, 0, 2:7, 4], torch.full((5,), 0.5), atol=1e-5, rtol=0)


def test_mask_is_close_to_supersampling(head) -> None:
    mesh = head(2, 61)
    colours = torch.ones_like(mesh.vertices)
    reference = build(samples=8, antialias=None)(mesh, height=96, width=96, vertex_colours=colours).mask
    error = {
        mode: (build(antialias=mode)(mesh, height=96, width=96, vertex_colours=colours).mask - reference)
        .square()
        .mean()
        for mode in (None, "edges")
    }
    assert error["edges"] < error[None] / 20


def silhouette_gradient(head, antialias: str) -> tuple[Tensor, Tensor]:
    """Gradient of a smooth functional of the mask by eight parameters of an affine motion: ours, and by central
    differences of an 8 × 8 supersampled picture."""
    size = 80
    mesh = head(1, 45)
    rows, columns = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    weight = torch.sin(columns / 9) * torch.cos(rows / 11) + 0.3 * torch.sin(rows / 5)

    def total(renderer, motion: Tensor) -> Tensor:
        moved = mesh.vertices @ (torch.eye(3) + motion[:, :3]).T + motion[:, 3]
        view = renderer(
            Mesh(moved, mesh.faces, mesh.uv), height=size, width=size, vertex_colours=torch.ones_like(moved)
        )
        return (view.mask.double() * weight.double()).sum()

    motion = torch.zeros(3, 4, requires_grad=True)
    (ours,) = torch.autograd.grad(total(build(antialias=antialias), motion), motion)

    def supersampled(motion: Tensor) -> Tensor:
        moved = mesh.vertices @ (torch.eye(3) + motion[:, :3]).T + motion[:, 3]
        pixels = project(moved, Camera(), 8 * size, 8 * size)
        covered = (scan_triangles(pixels, mesh.faces, 8 * size, 8 * size) >= 0)[:, None].double()
        return (torch.nn.functional.avg_pool2d(covered, 8) * weight.double()).sum()

    step = 4e-3
    tried = [(i, j) for i in range(2) for j in range(4)]  # toward and away from the camera little happens
    truth = torch.zeros(len(tried))
    for k, (i, j) in enumerate(tried):
        shift = torch.zeros(3, 4)
        shift[i, j] = step
        truth[k] = (supersampled(shift) - supersampled(-shift)) / (2 * step)
    return torch.stack([ours[i, j] for i, j in tried]), truth


@pytest.mark.parametrize(("antialias", "cosine", "relative"), [("edges", 0.995, 0.1), ("gradient", 0.98, 0.2)])
def test_silhouette_gradients_match_supersampled_differences(
    head, antialias: str, cosine: float, relative: float
) -> None:
    ours, truth = silhouette_gradient(head, antialias)
    assert torch.cosine_similarity(ours, truth, dim=0) > cosine
    assert (ours - truth).norm() / truth.norm() < relative


def test_gradient_mode_leaves_the_picture_alone(head, texture, light) -> None:
    mesh = head(2)
    arguments = dict(height=48, width=40, texture=texture(2), lighting=light(2), background=(0.2, 0.3, 0.4))
    plain, other = (build(antialias=mode)(mesh, **arguments) for mode in (None, "gradient"))
    assert torch.equal(plain.image, other.image)
    assert torch.equal(plain.mask, other.mask)


def test_blending_gradcheck(head) -> None:
    mesh = head(1, 8, torch.float64)
    pixels = project(mesh.vertices, Camera(), 12, 12).requires_grad_()
    topology = Topology.build(mesh.faces, mesh.vertices.shape[1])
    face_id = scan_triangles(pixels, mesh.faces, 12, 12)
    at = fragments(pixels, mesh.faces, face_id)
    depth = spread(at.depth.detach()[:, None], at)[..., 0]
    image = torch.rand(1, 2, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def run(p: Tensor, picture: Tensor) -> Tensor:
        return blend_edges(picture, find_crossings(p, mesh.faces, topology, face_id, depth))

    assert find_crossings(pixels, mesh.faces, topology, face_id, depth).blend.shape[0] > 10
    assert gradcheck(run, (pixels, image), eps=1e-7, atol=1e-5, fast_mode=True)
