"""Scan conversion against a brute-force oracle that tests every face at every pixel."""

from __future__ import annotations

import importlib.util
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry.scan import scan_triangles

NUMBA = importlib.util.find_spec("numba") is not None
ROUTES = [
    "blocks",
    "batched",
    pytest.param("numba", marks=pytest.mark.skipif(not NUMBA, reason="numba is not installed")),
]


def scan(route: str, pixels: Tensor, faces: Tensor, height: int, width: int, **options: object) -> Tensor:
    if route == "numba":
        from faceuv.geometry.scan_numba import scan_triangles_numba

        options.pop("chunk", None)
        return scan_triangles_numba(pixels, faces, height, width, **options)
    return scan_triangles(pixels, faces, height, width, schedule=route, **options)


def brute_force(
    pixels: Tensor, faces: Tensor, height: int, width: int, *, near: float = 1e-4, cull: str = "none"
) -> Tensor:
    """The contract, written as plainly as it reads: every face at every pixel centre."""
    result = torch.full((pixels.shape[0], height, width), -1)
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    for b in range(pixels.shape[0]):
        nearest = torch.full((height, width), torch.inf)
        for f, face in enumerate(faces.tolist()):
            p = pixels[b, face]
            if not (torch.isfinite(p).all() and (p[:, 2] > near).all()):
                continue
            x, y, r = [v - columns for v in p[:, 0]], [v - rows for v in p[:, 1]], 1 / p[:, 2]
            e = [x[j] * y[k] - x[k] * y[j] for j, k in ((1, 2), (2, 0), (0, 1))]
            area = e[0] + e[1] + e[2]
            depth = area / (e[0] * r[0] + e[1] * r[1] + e[2] * r[2])
            back = (e[0] >= 0) & (e[1] >= 0) & (e[2] >= 0)
            front = (e[0] <= 0) & (e[1] <= 0) & (e[2] <= 0)
            inside = {"none": back | front, "back": front, "front": back}[cull] & (area != 0)
            wins = inside & (depth > 0) & (depth < nearest)
            nearest = torch.where(wins, depth, nearest)
            result[b] = torch.where(wins, f, result[b])
    return result


def random_triangles(seed: int, kind: str, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    size = {"tiny": 1.5, "medium": 8.0, "large": 60.0, "huge": 4000.0, "sliver": 30.0, "grid": 8.0}[kind]
    centre = torch.rand(2, count, 1, 2, generator=g) * torch.tensor([width, height])
    offset = (torch.rand(2, count, 3, 2, generator=g) - 0.5) * size
    if kind == "sliver":
        offset[..., 1] = offset[..., 0] * 0.3 + offset[..., 1] * 0.002
    depth = torch.rand(2, count, 3, 1, generator=g) * 6 + 1
    points = torch.cat([centre + offset, depth], -1)
    if kind == "grid":  # vertices exactly on pixel centres and corners, equal depths: every tie there is
        points = (points * 2).round() / 2
    behind = torch.rand(2, count, generator=g) < 0.1
    points[..., 0, 2] = torch.where(behind, -points[..., 0, 2], points[..., 0, 2])
    return points.reshape(2, -1, 3), torch.arange(3 * count).view(-1, 3)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", ["tiny", "medium", "large", "huge", "sliver", "grid"])
@pytest.mark.parametrize("cull", ["none", "back", "front"])
def test_equals_brute_force(route: str, kind: str, cull: str) -> None:
    pixels, faces = random_triangles(3, kind, 40, 23, 37)
    expected = brute_force(pixels, faces, 23, 37, cull=cull)
    assert (expected >= 0).any()
    assert torch.equal(scan(route, pixels, faces, 23, 37, cull=cull), expected)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["tiny", "medium", "large", "huge", "sliver", "grid"]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    chunk=st.integers(1, 300),
)
def test_fuzz_against_brute_force(seed: int, kind: str, size: tuple[int, int], chunk: int) -> None:
    pixels, faces = random_triangles(seed, kind, 12, *size)
    expected = brute_force(pixels, faces, *size)
    for route in ("blocks", "batched", *(["numba"] if NUMBA else [])):
        assert torch.equal(scan(route, pixels, faces, *size, chunk=chunk), expected), route


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("step", "offset"), [(2.0, 0.5), (2.0, 0.0), (0.25, 0.5), (1.0, 0.5), (1.37, 0.11)])
def test_grids_are_watertight(route: str, step: float, offset: float) -> None:
    """No pixel inside a triangulated sheet is missed, wherever its vertices fall, jittered or not."""
    size = 40
    for jitter in (0.0, 0.3):
        line = torch.arange(math.ceil(size / step) + 3) * step + offset - step
        y, x = torch.meshgrid(line, line, indexing="ij")
        noise = (torch.rand(2, *x.shape, generator=torch.Generator().manual_seed(0)) - 0.5) * jitter * step
        pixels = torch.stack([x + noise[0], y + noise[1], torch.full_like(x, 5.0)], -1).view(1, -1, 3)
        n = line.shape[0]
        r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
        a = (r * n + c).reshape(-1)
        faces = torch.cat([torch.stack([a, a + 1, a + n + 1], 1), torch.stack([a, a + n + 1, a + n], 1)])
        covered = scan(route, pixels, faces, size, size) >= 0
        assert covered[:, 2:-2, 2:-2].all()


@pytest.mark.parametrize("route", ROUTES)
def test_ties_go_to_the_lower_face_id(route: str) -> None:
    square = torch.tensor([[0.0, 0, 2], [8, 0, 2], [0, 8, 2]])[None]
    faces = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    ids = scan(route, square, faces, 8, 8)
    assert set(ids.unique().tolist()) == {-1, 0}


@pytest.mark.parametrize("route", ROUTES)
def test_faces_that_cannot_be_drawn_cover_nothing(route: str) -> None:
    good = [[0.0, 0, 2], [9, 0, 2], [0, 9, 2]]
    faces = torch.tensor([[0, 1, 2]])
    for bad in (math.nan, math.inf, -math.inf):
        for axis in range(3):
            pixels = torch.tensor([good])
            pixels[0, 1, axis] = bad
            assert (scan(route, pixels, faces, 8, 8) < 0).all(), (bad, axis)
    pixels = torch.tensor([good])
    pixels[0, 0, 2] = 0.5
    assert (scan(route, pixels, faces, 8, 8, near=0.5) < 0).all()
    assert (scan(route, pixels, faces, 8, 8, near=0.49) >= 0).any()
    assert (scan(route, torch.tensor([good]), torch.tensor([[0, 0, 1], [2, 2, 2]]), 8, 8) < 0).all()
    line = torch.tensor([[[0.5, 0.5, 2], [4.5, 4.5, 2], [7.5, 7.5, 2]]])
    assert (scan(route, line, faces, 8, 8) < 0).all()


@pytest.mark.parametrize("route", ROUTES)
def test_batch_equals_single_images(route: str) -> None:
    pixels, faces = random_triangles(5, "medium", 60, 32, 24)
    batch = pixels.repeat(6, 1, 1) + torch.linspace(0, 5, 12)[:, None, None] * torch.tensor([1.0, 0.5, 0])
    together = scan(route, batch, faces, 32, 24)
    alone = torch.cat([scan(route, batch[b : b + 1], faces, 32, 24) for b in range(12)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("schedule", ["blocks", "batched"])
def test_chunks_do_not_change_the_result(schedule: str) -> None:
    pixels, faces = random_triangles(7, "large", 80, 64, 64)
    results = [scan_triangles(pixels, faces, 64, 64, schedule=schedule, chunk=c) for c in (17, 1000, 1 << 20)]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("schedule", ["blocks", "batched"])
def test_images_beyond_the_exact_range_of_float32(schedule: str) -> None:
    """Positions within a box are counted in float64 once an image has more than 2²² pixels."""
    size = 2100
    pixels = torch.tensor([[[-1.0, -1, 2], [2 * size + 3, -1, 2], [-1, 2 * size + 3, 2]]])
    assert (scan_triangles(pixels, torch.tensor([[0, 1, 2]]), size, size, schedule=schedule) == 0).all()


def test_many_image_sized_triangles() -> None:
    pixels, faces = random_triangles(11, "large", 400, 48, 48)
    a = scan_triangles(pixels, faces, 48, 48, schedule="blocks", chunk=1 << 12)
    assert torch.equal(a, scan_triangles(pixels, faces, 48, 48, schedule="batched", chunk=1 << 12))
    assert (a >= 0).float().mean() > 0.9


def test_no_faces_and_no_images() -> None:
    assert (scan_triangles(torch.zeros(2, 0, 3), torch.zeros(0, 3, dtype=torch.int64), 4, 5) == -1).all()
    assert scan_triangles(torch.zeros(0, 3, 3), torch.tensor([[0, 1, 2]]), 4, 5).shape == (0, 4, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(pixels=torch.zeros(1, 3, 2)), r"pixels must have shape \(B, V, 3\), got \(1, 3, 2\)"),
        (dict(pixels=torch.zeros(1, 3, 3, dtype=torch.int64)), "pixels must be floating point"),
        (dict(faces=torch.zeros(1, 3)), "faces must be int64, got torch.float32"),
        (dict(faces=torch.zeros(1, 4, dtype=torch.int64)), r"faces must have shape \(F, 3\)"),
        (dict(height=0), "height ≥ 1"),
        (dict(cull="both"), "cull must be 'none', 'back' or 'front', got 'both'"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    good = dict(pixels=torch.zeros(1, 3, 3), faces=torch.tensor([[0, 1, 2]]), height=4, width=4, cull="none")
    with pytest.raises(InputError, match=message):
        scan_triangles(**{**good, **change})
