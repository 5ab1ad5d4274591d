"""View masks: the three rules against each other and against plain truths."""

from __future__ import annotations

import importlib.util

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


POSES = torch.tensor([[0.0, 0, 0], [0.1, 0.7, 0], [-0.2, -0.5, 0.1]])


@pytest.mark.parametrize("map_size", [(48, 48), (40, 64), (160, 160)])
def test_splat_is_the_gradient_rule(head, light, map_size: tuple[int, int]) -> None:
    renderer, front = TorchRenderer(), head(1, 41)
    mesh = Mesh(front.vertices.expand(3, -1, -1), front.faces, front.uv)
    chart = UVCorrespondence.build(mesh.uv, mesh.faces, *map_size)
    shift = torch.zeros(3, 3)
    by_gradient = gradient_mask(renderer, mesh, POSES, shift, light(3), chart, height=72, width=72)
    world = Mesh(pose(mesh.vertices, POSES, shift), mesh.faces, mesh.uv)
    face_id = renderer.look(world, height=72, width=72).face_id
    by_splat = splat_mask(face_id, mesh.faces, mesh.uv, chart)
    assert by_gradient.shape == (3, 1, *map_size)
    assert iou(by_gradient, by_splat) == 1.0
    assert 0.3 < by_splat.mean() < 0.9
    assert iou(by_splat, splat_mask(face_id, mesh.faces, mesh.uv, chart, rings=0)) < 1.0


def test_pixels_whose_face_lies_behind_a_depth_are_left_out(head) -> None:
    """Exactly those that are no nearer with any corner; what is kept is what there was."""
    renderer, front = TorchRenderer(), head(1, 41)
    mesh = Mesh(pose(front.vertices.expand(3, -1, -1), POSES, torch.zeros(3, 3)), front.faces)
    whole = renderer.look(mesh, height=40, width=56)
    depth = torch.full((3, 40, 56), torch.inf).flatten().index_copy(0, whole.at.flat, whole.at.depth).view(3, 40, 56)
    before = torch.full((3, 40, 56), float(whole.at.depth.median()))
    part = renderer.look(mesh, height=40, width=56, before=before)
    corners = whole.pixels[..., 2].gather(1, mesh.faces[whole.face_id.clamp_min(0)].flatten(1)).view(3, 40, 56, 3)
    kept = (whole.face_id >= 0) & (corners.amin(-1) <= before)
    assert 0.2 < float(kept.sum() / (whole.face_id >= 0).sum()) < 0.8
    assert torch.equal(part.face_id, torch.where(kept, whole.face_id, -1))
    assert torch.equal(part.at.depth, depth[kept])
    assert bool(kept[depth < before].all())


@pytest.mark.parametrize("finer", [1, 2, 4])
@pytest.mark.parametrize("n", [21, 41])
@pytest.mark.parametrize("rule", ["splat", "gradient", "visibility"])
def test_a_view_weighs_what_it_sees_on_maps_finer_than_the_mesh(head, light, n: int, finer: int, rule: str) -> None:
    """Pixels that a view sees weigh 1, with as many texels as vertices along a side, twice and four times that."""
    renderer, front = TorchRenderer(), head(1, n)
    mesh = Mesh(front.vertices.expand(3, -1, -1), front.faces, front.uv)
    chart = UVCorrespondence.build(mesh.uv, mesh.faces, finer * n, finer * n)
    shift = torch.zeros(3, 3)
    world = Mesh(pose(mesh.vertices, POSES, shift), mesh.faces, mesh.uv)
    drawn = renderer(world, height=96, width=96, vertex_colours=torch.ones_like(world.vertices))
    if rule == "splat":
        mask = splat_mask(drawn.face_id, mesh.faces, mesh.uv, chart)
    elif rule == "gradient":
        mask = gradient_mask(renderer, mesh, POSES, shift, light(3), chart, height=96, width=96)
    else:
        mask = visibility_mask(renderer, world, chart, height=96, width=96)
    weights = mask_in_view(mask, drawn.uv)[drawn.face_id[:, None] >= 0]
    assert weights.mean() > (0.999 if rule != "visibility" else 0.97)
    assert (weights < 0.9).float().mean() < (0.001 if rule != "visibility" else 0.05)


def test_a_finer_map_shows_the_same_region(head) -> None:
    """The filled faces do not depend on the map's resolution, and stay close to what the camera sees."""
    renderer, front = TorchRenderer(), head(1, 41)
    world = Mesh(pose(front.vertices, POSES[1:2], torch.zeros(1, 3)), front.faces, front.uv)
    face_id = renderer.look(world, height=96, width=96).face_id
    charts = {side: UVCorrespondence.build(front.uv, front.faces, side, side) for side in (164, 328)}
    coarse, fine = (splat_mask(face_id, front.faces, front.uv, chart) for chart in charts.values())
    assert iou(torch.nn.functional.interpolate(coarse, scale_factor=2), fine) > 0.97
    seen = visibility_mask(renderer, world, charts[328], height=96, width=96)
    assert (seen > fine).float().sum() < 0.01 * seen.sum()
    assert fine.sum() < 1.25 * seen.sum()  # a ring of faces more, half of those at the border


def test_a_face_fills_the_texels_that_its_points_read() -> None:
    """One triangle of two is seen: all texels that bilinear sampling reads on it, and none beyond."""
    uv = torch.tensor([[0.11, 0.12], [0.88, 0.14], [0.13, 0.91], [0.9, 0.89]])
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    chart = UVCorrespondence.build(uv, faces, 20, 20)
    mask = splat_mask(torch.tensor([[[0, -1], [0, 0]]]), faces, uv, chart, rings=0)
    g = torch.Generator().manual_seed(0)
    weights = torch.rand(20000, 3, generator=g) ** 3  # corners are reached as well
    points = (weights / weights.sum(1, keepdim=True)) @ uv[faces[0]]
    texels = torch.zeros(1, 1, 20, 20, requires_grad=True)
    torch.nn.functional.grid_sample(texels, (points * 2 - 1)[None, None], align_corners=False).sum().backward()
    read = texels.grad > 0
    assert read.sum() > 100
    assert torch.equal(mask > 0, read)


def test_gradient_mask_works_without_autograd_around_it(head, light) -> None:
    mesh, zero = head(1), torch.zeros(1, 3)
    chart = UVCorrespondence.build(mesh.uv, mesh.faces, 16, 16)
    with torch.no_grad():
        mask = gradient_mask(TorchRenderer(), mesh, zero, zero, light(1), chart, height=32, width=32)
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


@pytest.mark.parametrize("numba", [True, False])
def test_visibility_against_brute_force(head, monkeypatch, numba) -> None:
    if not numba:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    elif importlib.util.find_spec("numba") is None:
        pytest.skip("numba is not installed")
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
    mesh, zero = Mesh(head(1).vertices, head(1).faces), torch.zeros(1, 3)
    chart = UVCorrespondence.build(head(1).uv, mesh.faces, 8, 8)
    with pytest.raises(InputError, match="needs mesh.uv"):
        gradient_mask(TorchRenderer(), mesh, zero, zero, light(1), chart, height=8, width=8)
