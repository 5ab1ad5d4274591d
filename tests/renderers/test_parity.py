"""One picture, drawn in several ways: alone or in a batch, by either scan conversion, with more or fewer look-ups."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor

from faceuv.renderers import TorchRenderer
from faceuv.structures import Mesh, Render

ANTIALIAS = ("edges", "gradient", None)


def drawn_with_gradients(
    renderer: TorchRenderer, mesh: Mesh, texture: Tensor, lighting: Tensor
) -> tuple[Render, Tensor, Tensor]:
    """A render, and the gradients of a weighted sum of its image and mask, weights by pixel alone."""
    vertices, texture = mesh.vertices.clone().requires_grad_(), texture.clone().requires_grad_()
    out = renderer(Mesh(vertices, mesh.faces, mesh.uv), height=40, width=52, texture=texture, lighting=lighting)
    weight = torch.randn(1, 4, 40, 52, generator=torch.Generator().manual_seed(5))
    (torch.cat([out.image, out.mask], 1) * weight).sum().backward()
    return out, vertices.grad, texture.grad


@pytest.mark.parametrize("antialias", ANTIALIAS)
@pytest.mark.parametrize("texture_samples", [1, 3])
def test_a_head_is_the_same_alone_and_in_a_batch(
    head, texture, light, antialias: str | None, texture_samples: int
) -> None:
    """Heads that cover different numbers of pixels, one of them none."""
    renderer, mesh = TorchRenderer(antialias=antialias, texture_samples=texture_samples), head(3, 31)
    away = mesh.vertices.clone()
    away[2, :, 2] += 50.0  # behind the camera
    mesh, tex, lit = Mesh(away, mesh.faces, mesh.uv), texture(3), light(3)
    together = drawn_with_gradients(renderer, mesh, tex, lit)
    assert together[0].mask[2].max() == 0
    for k in range(3):
        alone = drawn_with_gradients(
            renderer, Mesh(away[k : k + 1], mesh.faces, mesh.uv), tex[k : k + 1], lit[k : k + 1]
        )
        for name in ("image", "mask", "depth", "normal", "uv"):
            a, b = (getattr(out, name) for out in (alone[0], together[0]))
            torch.testing.assert_close(a, b[k : k + 1], atol=1e-6, rtol=1e-5)
        for a, b in zip(alone[1:], together[1:]):
            torch.testing.assert_close(a, b[k : k + 1], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("antialias", ANTIALIAS)
@pytest.mark.parametrize("texture_samples", [1, 2])
def test_both_scan_conversions_draw_the_same(head, texture, light, antialias: str | None, texture_samples: int) -> None:
    if importlib.util.find_spec("numba") is None:
        pytest.skip("numba is not installed")
    options = dict(antialias=antialias, texture_samples=texture_samples)
    found = [
        drawn_with_gradients(TorchRenderer(accelerator=way, **options), head(2, 31), texture(2), light(2))
        for way in ("none", "numba")
    ]
    assert torch.equal(found[0][0].face_id, found[1][0].face_id)
    torch.testing.assert_close(found[0][0].image, found[1][0].image, atol=1e-6, rtol=0)
    for a, b in zip(found[0][1:], found[1][1:]):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("antialias", ANTIALIAS)
def test_more_look_ups_of_a_slope_give_its_middle(head, antialias: str | None) -> None:
    """The samples lie evenly around the pixel, so that a texture that grows evenly looks the same with any number."""
    mesh = head(1, 41)
    line = (torch.arange(64) + 0.5) / 64
    slope = torch.stack([line.expand(64, 64), line[:, None].expand(64, 64), torch.full((64, 64), 0.5)])[None]
    pictures = [
        TorchRenderer(antialias=antialias, texture_samples=count)(mesh, height=48, width=48, texture=slope).image
        for count in (1, 2, 3, 4)
    ]
    for picture in pictures[1:]:
        difference = (picture - pictures[0]).abs()
        assert difference.mean() < 1e-4
        assert (
            difference > 2e-3
        ).float().mean() < 0.005  # the footprints at the chart's border reach beyond its texels
