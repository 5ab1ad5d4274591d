"""The renderer ``warp`` draws what the built-in one draws on a CPU; on CUDA, too, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from faceuv.geometry.projection import project
from faceuv.geometry.scan import scan_triangles
from faceuv.registry import RENDERERS
from faceuv.structures import Camera, Mesh, Render

pytest.importorskip("warp")
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


def triangles(seed: int, count: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Triangles of all sizes that cross each other and leave the picture, some behind the camera or not finite."""
    g = torch.Generator().manual_seed(seed)
    centre = torch.rand(2, count, 1, 3, generator=g) * torch.tensor([260.0, 200.0, 3.0]) + torch.tensor(
        [-30.0, -20.0, 0.5]
    )
    size = torch.rand(2, count, 1, 1, generator=g) ** 4 * 150
    offset = (torch.rand(2, count, 3, 3, generator=g) - 0.5) * size * torch.tensor([2.0, 2.0, 0.01])
    points = (centre + offset).view(2, -1, 3)
    points[:, ::50, 2] = -1.0
    points[0, 7], points[1, 100, 0] = torch.nan, torch.inf
    points[:, 30:33] = points[:, 30:31]  # no area
    points[:, 60:63] = points[:, 63:66]  # of equal depths the lower face id wins
    return points, torch.arange(3 * count).view(-1, 3)


@pytest.mark.parametrize("cull", ["none", "back", "front"])
@pytest.mark.parametrize("small", [None, 0, 20, 2000])
def test_face_ids_are_those_of_the_built_in_renderer(device: str, cull: str, small: int | None) -> None:
    """Small triangles by one thread each, large ones in tiles; the border between them does not matter."""
    from faceuv.renderers.kernels.scan import scan_triangles_warp

    points, faces = triangles(0)
    expected = scan_triangles(points, faces, 150, 210, cull=cull)
    found = scan_triangles_warp(points.to(device), faces.to(device), 150, 210, cull=cull, small=small)
    assert (expected >= 0).float().mean() > 0.2
    assert found.dtype == torch.int64
    assert torch.equal(found.cpu(), expected)


def test_the_same_ids_every_time_alone_and_in_a_batch(device: str) -> None:
    renderer = RENDERERS.build("warp")
    points, faces = triangles(1)
    points, faces = points.to(device), faces.to(device)
    first = renderer.rasterize(points, faces, 150, 210)
    for _ in range(3):
        assert torch.equal(renderer.rasterize(points, faces, 150, 210), first)
    assert torch.equal(renderer.rasterize(points[1:], faces, 150, 210), first[1:])


def test_nothing_to_draw(device: str) -> None:
    renderer = RENDERERS.build("warp")
    points, faces = (t.to(device) for t in triangles(2))
    assert (renderer.rasterize(points, faces[:0], 8, 9) == -1).all()
    assert renderer.rasterize(points[:0], faces, 8, 9).shape == (0, 8, 9)


@pytest.mark.parametrize("turned", [False, True])
def test_shared_edges_leave_no_holes(device: str, turned: bool) -> None:
    """A grid whose corners and edges pass through pixel centres, seen from both sides."""
    for step in (1.0, 0.37, 7.3):
        line = torch.arange(0, 64, step)
        y, x = torch.meshgrid(line, line, indexing="ij")
        points = torch.stack([x, y, torch.full_like(x, 2.0)], -1).view(1, -1, 3)
        n = len(line)
        a = (torch.arange(n - 1)[:, None] * n + torch.arange(n - 1)).view(-1)
        faces = torch.cat([torch.stack([a, a + 1, a + n], 1), torch.stack([a + 1, a + n + 1, a + n], 1)])
        faces = faces.flip(1) if turned else faces
        inside = int(float(line[-1]) - 0.5)
        ids = RENDERERS.build("warp").rasterize(points.to(device), faces.to(device), 64, 64)
        assert (ids[0, :inside, :inside] >= 0).all()


def test_a_head_through_a_camera(device: str, head) -> None:
    mesh = head(2, 41)
    pixels = project(mesh.vertices, Camera(), 96, 80)
    found = RENDERERS.build("warp").rasterize(pixels.to(device), mesh.faces.to(device), 96, 80)
    assert torch.equal(found.cpu(), scan_triangles(pixels, mesh.faces, 96, 80))


def test_warp_is_silent_and_compiles_into_our_cache_and_is_loaded_late(tmp_path: Path) -> None:
    code = """
import sys, torch
from faceuv.registry import RENDERERS
renderer = RENDERERS.build("warp")
assert "warp" not in sys.modules
points = torch.tensor([[[0.0, 0, 1], [9, 0, 1], [0, 9, 1]]])
print(int(renderer.rasterize(points, torch.tensor([[0, 1, 2]]), 4, 4).sum()))
"""
    environment = {**os.environ, "FACEUV_CACHE": str(tmp_path)}
    environment.pop("WARP_CACHE_PATH", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert any((tmp_path / "warp").rglob("*kernels.scan*"))


FORMS = {
    "texture": {},
    "no antialiasing": dict(antialias=None),
    "gradient": dict(antialias="gradient"),
    "one look-up": dict(texture_samples=1),
    "normal map": dict(texture_samples=3, mapped=True),
    "colours": dict(coloured=True),
    "colours and normal map, unlit": dict(coloured=True, mapped=True, lit=False),
    "supersampled": dict(samples=2, mapped=True),
    "front faces culled": dict(cull="front"),
}


def picture_and_gradients(
    name: str, mesh: Mesh, device: str, *, coloured: bool = False, mapped: bool = False, lit: bool = True,
    dtype: torch.dtype = torch.float32, **options: object,
) -> tuple[Render, dict[str, torch.Tensor]]:  # fmt: skip
    """A picture of a smooth look, and the gradients of a weighted sum of all its layers."""
    g = torch.Generator().manual_seed(1)
    count = mesh.vertices.shape[0]

    def smooth(size: tuple[int, int], low: float, high: float) -> torch.Tensor:
        few = low + (high - low) * torch.rand(count, 3, 5, 5, generator=g)
        return F.interpolate(few, size=size, mode="bicubic", align_corners=False)

    leaves = {"vertices": mesh.vertices.clone()}
    if coloured:
        leaves["vertex_colours"] = torch.rand(mesh.vertices.shape, generator=g)
    else:
        leaves["texture"] = smooth((64, 48), 0, 1)
    if mapped:
        leaves["normal_map"] = smooth((32, 40), -1, 1) + torch.tensor([0.0, 0, 2])[:, None, None]
    if lit:
        leaves["lighting"] = 0.2 * torch.randn(count, 3, 9, generator=g)
    leaves = {key: value.to(device, dtype).requires_grad_() for key, value in leaves.items()}
    there = mesh.to(device)
    renderer = RENDERERS.build(dict(type=name, **options))
    others = {key: value for key, value in leaves.items() if key != "vertices"}
    drawn = renderer(
        Mesh(leaves["vertices"], there.faces, there.uv), height=56, width=72, background=(0.2, 0.3, 0.4), **others
    )
    total = torch.zeros((), device=device, dtype=dtype)
    for layer in ("image", "mask", "depth", "normal", "uv"):
        values = getattr(drawn, layer)
        total = total + (values * torch.randn(values.shape, generator=g).to(device, dtype)).sum()
    total.backward()
    return drawn, {key: value.grad for key, value in leaves.items()}


@pytest.mark.parametrize("form", FORMS)
def test_pictures_and_gradients_are_those_of_the_built_in_renderer(device: str, form: str, head) -> None:
    """All layers, also of a head that is partly behind the camera and of one with holes."""
    mesh = head(3, 31)
    away = mesh.vertices.clone()
    away[1, :, 2] += torch.linspace(-1, 12, away.shape[1])
    mesh = Mesh(away, mesh.faces[torch.arange(len(mesh.faces)) % 17 != 0], mesh.uv)
    expected, wanted = picture_and_gradients("torch", mesh, "cpu", **FORMS[form])
    found, gradients = picture_and_gradients("warp", mesh, device, **FORMS[form])
    assert (found.face_id.cpu() == expected.face_id).float().mean() >= 0.9999
    assert (expected.mask > 0).float().mean() > 0.02
    same = (found.face_id.cpu() == expected.face_id)[:, None]
    for layer in ("image", "mask", "normal", "uv"):
        assert ((getattr(found, layer).cpu() - getattr(expected, layer)) * same).abs().max() <= 1e-5, layer
    assert ((found.depth.cpu() - expected.depth) * same).abs().max() <= 2e-5  # of ten decimetres
    for name, gradient in wanted.items():
        assert (gradients[name].cpu() - gradient).norm() <= 1e-4 * gradient.norm(), name


def test_no_worse_than_the_built_in_renderer_by_float64(device: str, head) -> None:
    mesh = head(2, 41)
    double = Mesh(mesh.vertices.double(), mesh.faces, mesh.uv)
    _, truth = picture_and_gradients("torch", double, "cpu", dtype=torch.float64)
    errors = []
    for name, where in (("torch", "cpu"), ("warp", device)):
        _, found = picture_and_gradients(name, mesh, where)
        errors.append({key: float((found[key].cpu() - truth[key]).norm() / truth[key].norm()) for key in truth})
    for key, error in errors[1].items():
        assert error < max(3 * errors[0][key], 1e-5), (key, errors)


def test_float64_and_gradients_of_uv_take_the_shared_code(head, texture) -> None:
    mesh = head(1, 21)
    look = texture(1)
    double = Mesh(mesh.vertices.double(), mesh.faces, mesh.uv)
    pictures = [
        RENDERERS.build(name)(double, height=24, width=24, texture=look.double()).image for name in ("warp", "torch")
    ]
    assert pictures[0].dtype == torch.float64
    assert torch.equal(*pictures)
    uv = mesh.uv.clone().requires_grad_()
    RENDERERS.build("warp")(
        Mesh(mesh.vertices, mesh.faces, uv), height=24, width=24, texture=look
    ).image.sum().backward()
    assert uv.grad.abs().sum() > 0
