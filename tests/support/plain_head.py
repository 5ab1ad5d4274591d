"""A head-like surface by formula, and helpers around it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from faceuv.geometry.projection import pose
from faceuv.structures import Mesh


def head_surface(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """An open front of a head on an n × n grid: vertices (V, 3) in decimetres, faces (F, 3), uv (V, 2)."""
    line = torch.linspace(-1, 1, n, dtype=torch.float64)
    v, u = torch.meshgrid(line, line, indexing="ij")  # v from chin to crown
    longitude = u * torch.sqrt(1 - v * v / 2) * math.radians(95)
    latitude = v * torch.sqrt(1 - u * u / 2) * math.radians(75)
    ring = torch.cos(latitude).sqrt()
    x, y, z = 0.82 * torch.sin(longitude) * ring, 1.1 * torch.sin(latitude), 0.85 * torch.cos(longitude) * ring - 0.35
    for cx, cy, sx, sy, height in (
        (0, -0.05, 0.1, 0.22, 0.32),
        (-0.32, 0.22, 0.18, 0.1, -0.1),
        (0.32, 0.22, 0.18, 0.1, -0.1),
    ):
        z = z + height * torch.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)
    # A small fixed ripple keeps vertices off pixel centres and edges off rows.
    ripple = 1e-3 * torch.stack([torch.sin(37 * x + 11 * y), torch.cos(29 * y + 7 * x), torch.sin(31 * z + 5 * x)], -1)
    vertices = (torch.stack([x, y, z], -1) + ripple).reshape(-1, 3)
    r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (r * n + c).reshape(-1)
    faces = torch.cat([torch.stack([a, a + 1, a + n + 1], 1), torch.stack([a, a + n + 1, a + n], 1)])
    uv = torch.stack([0.02 + 0.48 * (u + 1), 0.98 - 0.48 * (v + 1)], -1).reshape(-1, 2)
    return vertices.float(), faces, uv.float()


@pytest.fixture(scope="session")
def head() -> Callable[..., Mesh]:
    """``head(batch, n, dtype)``: heads in the world frame, each in its own pose, the first one frontal."""

    def build(batch: int = 1, n: int = 25, dtype: torch.dtype = torch.float32) -> Mesh:
        vertices, faces, uv = head_surface(n)
        k = torch.arange(batch, dtype=torch.float32)
        angles = torch.stack([0.1 * torch.sin(k), 0.5 * torch.sin(1.7 * k), 0.1 * torch.sin(2.3 * k)], 1)
        shift = torch.stack([0.05 * torch.sin(0.7 * k), 0.04 * torch.sin(k), 0.2 * torch.sin(1.3 * k)], 1)
        return Mesh(pose(vertices.expand(batch, -1, -1), angles, shift).to(dtype), faces, uv.to(dtype))

    return build


@pytest.fixture(scope="session")
def texture() -> Callable[..., Tensor]:
    """``texture(batch, size, dtype)``: smooth coloured waves, (batch, 3, size, size) in [0, 1]."""

    def build(batch: int = 1, size: int = 32, dtype: torch.dtype = torch.float32) -> Tensor:
        line = torch.arange(size, dtype=torch.float64) / size
        v, u = torch.meshgrid(line, line, indexing="ij")
        waves = [0.5 + 0.4 * torch.sin(9 * u + 3 * c) * torch.cos(7 * v + c) for c in range(3)]
        return torch.stack(waves)[None].expand(batch, -1, -1, -1).to(dtype).contiguous()

    return build


@pytest.fixture(scope="session")
def light() -> Callable[..., Tensor]:
    """``light(batch, dtype)``: an uneven light, (batch, 3, 9)."""

    def build(batch: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
        bands = torch.tensor([0.1, -0.2, -0.2, -0.15, 0.05, -0.04, 0.03, 0.06, 0.02], dtype=dtype)
        return (bands * torch.tensor([1.0, 0.9, 0.8], dtype=dtype)[:, None]).expand(batch, 3, 9).contiguous()

    return build
