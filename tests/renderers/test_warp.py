"""The renderer ``warp`` draws what the built-in one draws; on CUDA where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from faceuv.geometry.projection import project
from faceuv.geometry.scan import scan_triangles
from faceuv.registry import RENDERERS
from faceuv.structures import Camera

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
