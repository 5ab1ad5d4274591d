"""View masks: the three rules against each other and against plain truths."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry.projection import pose
from faceuv.geometry.uv import UVCorrespondence
from faceuv.renderers import TorchRenderer
from faceuv.renderers.interpolation import interpolate
from faceuv.renderers.masks import combine_view_masks, gradient_mask, mask_in_view, splat_mask, visibility_mask
from faceuv.renderers.occlusion import visible_points
from faceuv.structures import Mesh


def iou(a: Tensor, b: Tensor) -> float:
    return float(((a > 0) & (b > 0)).sum() / ((a > 0) | (b > 0)).sum())


@pytest.mark.parametrize("map_size", [(48, 48), (40, 64)])
def test_splat_is_the_gradient_rule(head, light, map_size: tuple[int, int]) -> None:
    renderer, front = TorchRenderer(), head(1, 41)
    mesh = Mesh(front.vertices.expand(3, -1, -1), front.faces, front.uv)
    rotation = torch.tensor([[0.0, 0, 0], [0.1, 0.7, 0], [-0.2, -0.5, 0.1]])
    shift = torch.zeros(3, 3)
    by_gradient = gradient_mask(renderer, mesh, rotation, shift, light(3), map_size=map_size, height=72, width=72)
    world = Mesh(pose(mesh.vertices, rotation, shift), mesh.faces, mesh.uv)
    face_id = renderer.look(world, height=72, width=72).face_id
    by_splat = splat_mask(face_id, mesh.faces, mesh.uv, map_size=map_size)
    assert by_gradient.shape == (3, 1, *map_size)
    assert iou(by_gradient, by_splat) == 1.0
    assert 0.3 < by_splat.mean() < 0.9
    assert iou(by_splat, splat_mask(face_id, mesh.faces, mesh.uv, map_size=map_size, rings=0)) < 1.0


def test_gradient_mask_works_without_autograd_around_it(head, light) -> None:
    mesh = head(1)
    with torch.no_grad():
        mask = gradient_mask(
            TorchRenderer(),
            mesh,
            torch.zeros(1, 3),
            torch.zeros(1, 3),
            light(1),
            map_size=(16, 16),
            height=32,
            width=32,
        )
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert mask.mean() > 0.3


def test_visibility_agrees_with_a_dense_picture(head) -> None:
    """Texels near whose centre some pixel of a dense picture looks."""
    mesh, renderer = head(2, 31), TorchRenderer()
    chart = UVCorrespondence.build(mesh.uv, mesh.faces, 32, 32)
    mask = visibility_mask(renderer, mesh, chart, height=64, width=64)
    view = renderer.look(mesh, height=768, width=768)
    texel = interpolate(mesh.uv, view.at) * 32
    central = ((texel - texel.floor() - 0.5).abs() < 0.15).all(1)
    image = torch.div(view.at.flat, 768 * 768, rounding_mode="floor")[central]
    column, row = texel[central].long().unbind(1)
    hit = torch.zeros(2, 1, 32, 32)
    hit[image, 0, row, column] = 1
    assert iou(mask, hit) > 0.95  # at grazing angles even this picture misses some
    inner = -torch.nn.functional.max_pool2d(-(chart.face_id >= 0).float()[None, None], 3, 1, 1)
    assert ((hit > mask).float() * inner).sum() <= 0.01 * hit.sum()


def test_visibility_does_not_depend_on_the_image_size(head) -> None:
    mesh, renderer = head(2, 31), TorchRenderer()
    chart = UVCorrespondence.build(mesh.uv, mesh.faces, 24, 24)
    small, large = (visibility_mask(renderer, mesh, chart, height=s, width=s) for s in (16, 256))
    assert iou(small, large) > 0.995


def test_one_plate_hides_another() -> None:
    """Two parallel squares, the far one half covered by the near one; points exactly on both."""
    square = torch.tensor([[2.0, 2], [14, 2], [14, 14], [2, 14]])
    far = torch.cat([square, torch.full((4, 1), 6.0)], 1)
    near = torch.cat([square * torch.tensor([0.5, 1]), torch.full((4, 1), 3.0)], 1)  # x from 1 to 7
    pixels = torch.cat([far, near])[None]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    x = torch.tensor([3.0, 6.9, 7.1, 13.0, 3.0, 20.0, 3.0])
    z = torch.tensor([6.0, 6, 6, 6, 3, 6, -1])
    points = torch.stack([x, torch.full_like(x, 8.0), z], 1)[None]
    seen = visible_points(pixels, faces, points, 16, 16)
    assert seen.tolist() == [[False, False, True, True, True, False, False]]


def test_visibility_against_brute_force(head) -> None:
    mesh = head(1, 13)
    g = torch.Generator().manual_seed(0)
    pixels = torch.rand(1, 60, 3, generator=g) * torch.tensor([20.0, 20, 3]) + torch.tensor([0, 0, 2.0])
    faces = torch.arange(60).view(-1, 3)
    points = torch.rand(1, 300, 3, generator=g) * torch.tensor([20.0, 20, 3]) + torch.tensor([0, 0, 2.0])
    seen = visible_points(pixels, faces, points, 20, 20)
    p, t = points[0].double(), pixels[0].double()[faces]
    hidden = torch.zeros(300, dtype=torch.bool)
    for a, b, c in t:
        matrix = torch.stack([b[:2] - a[:2], c[:2] - a[:2]], 1)
        w = torch.linalg.solve(matrix, (p[:, :2] - a[:2]).T).T
        w = torch.cat([1 - w.sum(1, keepdim=True), w], 1)
        depth = 1 / (w / torch.stack([a[2], b[2], c[2]])).sum(1)
        hidden |= (w >= 0).all(1) & (depth < p[:, 2])
    assert torch.equal(seen[0], ~hidden)
    assert mesh.vertices.shape[0] == 1


def test_view_masks_combine() -> None:
    original = torch.tensor([1.0, 1, 0, 0]).view(1, 1, 2, 2)
    symmetric = torch.tensor([1.0, 0, 1, 0]).view(1, 1, 2, 2)
    first, second = combine_view_masks(original, symmetric)
    assert first.flatten().tolist() == [1, 1, 0, 0]
    assert second.flatten().tolist() == [0.5, 0, 1, 0]
    assert combine_view_masks(original, symmetric, override=0.0)[1].flatten().tolist() == [0, 0, 1, 0]
    with pytest.raises(InputError, match="one shape"):
        combine_view_masks(original, symmetric[..., :1])


def test_mask_in_view_shows_the_texels(head) -> None:
    out = TorchRenderer(antialias=None)(head(1), height=40, width=40, texture=torch.ones(1, 3, 8, 8))
    left = torch.zeros(1, 1, 64, 64)
    left[..., :32] = 1
    shown = mask_in_view(left, out.uv)
    seen = out.face_id[0] >= 0
    u = out.uv[0, 0]
    assert shown[0, 0][seen & (u < 0.49)].min() > 0.999
    assert shown[0, 0][seen & (u > 0.51)].max() < 0.001


def test_masks_need_uv(head, light) -> None:
    mesh = Mesh(head(1).vertices, head(1).faces)
    with pytest.raises(InputError, match="needs mesh.uv"):
        gradient_mask(
            TorchRenderer(), mesh, torch.zeros(1, 3), torch.zeros(1, 3), light(1), map_size=(8, 8), height=8, width=8
        )
