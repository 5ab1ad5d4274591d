"""Small surfaces by formula that the export tests share."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

Surface = tuple[Tensor, Tensor, Tensor]


def patch(rows: int, columns: int, radius: float = 1.0, span: float = 100.0) -> Surface:
    """The front of a sphere, ``span`` degrees wide and high: vertices (1, V, 3), faces, uv; u right, v down."""
    v, u = torch.meshgrid(
        torch.linspace(0, 1, rows, dtype=torch.float64),
        torch.linspace(0, 1, columns, dtype=torch.float64),
        indexing="ij",
    )
    uv = torch.stack([u, v], -1).reshape(-1, 2)
    index = torch.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = torch.cat([torch.stack([a, c, b], -1).reshape(-1, 3), torch.stack([b, c, d], -1).reshape(-1, 3)])
    longitude, latitude = (uv[:, 0] - 0.5) * math.radians(span), (0.5 - uv[:, 1]) * math.radians(span)
    unit = torch.stack([latitude.cos() * longitude.sin(), latitude.sin(), latitude.cos() * longitude.cos()], -1)
    return radius * unit[None], faces, uv


@pytest.fixture
def sphere() -> Callable[..., Surface]:
    return patch


@pytest.fixture
def small() -> dict[str, Tensor]:
    """Arguments of ``MeshFile.build`` for a textured little patch: red left, green right, blue in the upper half."""
    vertices, faces, uv = patch(5, 6)
    diffuse = torch.zeros(3, 8, 12)
    diffuse[0, :, :6], diffuse[1, :, 6:], diffuse[2, :4] = 1.0, 1.0, 1.0
    return {"vertices": vertices[0].float(), "faces": faces, "uv": uv.float(), "diffuse": diffuse}
