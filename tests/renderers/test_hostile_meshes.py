"""Meshes that no one would draw on purpose: coverage stays in [0, 1], pictures and gradients stay finite."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceuv.renderers import TorchRenderer
from faceuv.structures import Mesh

KINDS = (
    "plain",
    "lattice",
    "coincident",
    "flat",
    "sliver",
    "small",
    "opposite",
    "opposite on a lattice",
    "crumpled grid",
)


def soup(kind: str, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """A few random triangles of one kind: vertices (1, V, 3) in the camera's view, faces (F, 3)."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    def whole(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=rng)

    if kind == "crumpled grid":
        line = torch.linspace(-1, 1, 6)
        y, x = torch.meshgrid(line, line, indexing="ij")
        flat = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(1, -1, 3)
        a = (torch.arange(5)[:, None] * 6 + torch.arange(5)).reshape(-1)
        faces = torch.cat([torch.stack([a, a + 1, a + 7], 1), torch.stack([a, a + 7, a + 6], 1)])
        return flat + 0.6 * uniform() * (uniform(1, 36, 3) - 0.5), faces
    count = int(whole(3, 12))
    vertices = (uniform(1, count, 3) * 2 - 1) * torch.tensor([1.3, 1.3, 1.0])
    faces = whole(0, count, int(whole(1, 16)), 3)  # some name a vertex twice
    if "lattice" in kind:
        vertices = (vertices * 4).round() / 4
    if kind == "coincident":
        vertices[:, whole(0, count, count // 2)] = vertices[:, :1].clone()
    if kind == "flat":
        vertices[..., 2] = 0
    if kind == "sliver":
        vertices[..., 0] = vertices[..., 1] * 0.3 + vertices[..., 0] * 10 ** (-6 * uniform())
    if kind == "small":
        vertices = vertices * 10 ** (-3 * uniform())
    if "opposite" in kind:
        faces = torch.cat([faces, faces[:, [0, 2, 1]]])
    return vertices, faces


@pytest.mark.parametrize("antialias", ["edges", "gradient", None])
@pytest.mark.parametrize("kind", KINDS)
def test_coverage_and_gradients_of_hostile_meshes(kind: str, antialias: str | None) -> None:
    renderer = TorchRenderer(antialias=antialias, accelerator="none")
    for seed in range(40 if antialias == "edges" else 10):
        rng = torch.Generator().manual_seed(seed)
        vertices, faces = soup(kind, rng)
        size = int(torch.randint(2, 24, (), generator=rng))
        vertices.requires_grad_()
        drawn = renderer(
            Mesh(vertices, faces),
            height=size,
            width=size + 1,
            vertex_colours=torch.rand(1, vertices.shape[1], 3, generator=rng),
            lighting=0.3 * torch.randn(1, 3, 9, generator=rng),
            background=0.3,
        )
        white = renderer(
            Mesh(vertices.detach(), faces),
            height=size,
            width=size + 1,
            vertex_colours=torch.ones_like(vertices.detach()),
        )
        assert (white.image - white.mask).abs().max() < 1e-5, seed
        mask = drawn.mask.detach()
        assert 0 <= float(mask.min()) and float(mask.max()) <= 1, seed
        weight = torch.randn(drawn.image.shape, generator=rng)
        seen = (drawn.image + drawn.mask + drawn.normal + drawn.depth) * weight
        assert torch.isfinite(seen).all(), seed
        seen.sum().backward()
        assert torch.isfinite(vertices.grad).all(), seed
        assert vertices.grad.abs().max() < 1e12, seed
