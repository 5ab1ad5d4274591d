"""Surfaces: posed, lit and drawn by their own camera, and as FaceRenderer draws them."""

from __future__ import annotations

import pytest
import torch
from plain_head import head_surface

from faceuv.geometry.projection import pose
from faceuv.models.faces import FaceRenderer, ProceduralFace
from faceuv.registry import RENDERERS
from faceuv.renderers import draw_surface
from faceuv.structures import Camera, Coefficients, Mesh, Surface, UVMaps


@pytest.fixture
def surface(texture, light):
    """Two heads in poses of their own, textured and lit."""
    vertices, faces, uv = head_surface(15)
    return Surface(
        Mesh(vertices.expand(2, -1, -1), faces, uv),
        rotation=torch.tensor([[0.1, 0.5, -0.1], [0.0, -0.3, 0.2]]),
        translation=torch.tensor([[0.1, -0.05, 0.2], [0.0, 0.1, -0.3]]),
        lighting=light(2),
        diffuse=texture(2),
    )


def test_it_is_drawn_in_its_pose_and_light(surface):
    renderer = RENDERERS.build("torch")
    drawn = draw_surface(renderer, surface, size=(24, 32), background=0.5)
    world = Mesh(
        pose(surface.mesh.vertices, surface.rotation, surface.translation), surface.mesh.faces, surface.mesh.uv
    )
    expected = renderer(world, height=24, width=32, texture=surface.diffuse, lighting=surface.lighting, background=0.5)
    assert torch.equal(drawn.image, expected.image)
    assert drawn.image.shape == (2, 3, 24, 32) and 0.1 < drawn.mask.mean() < 0.9
    unlit = draw_surface(renderer, surface.replace(lighting=None), size=(24, 32), background=0.5)
    assert not torch.equal(unlit.image, drawn.image) and torch.equal(unlit.mask, drawn.mask)
    grey = torch.full_like(surface.mesh.vertices, 0.25)
    plain = draw_surface(renderer, surface.replace(diffuse=None, vertex_colours=grey, lighting=None), size=32)
    seen = plain.mask.expand_as(plain.image) == 1
    torch.testing.assert_close(plain.image[seen], torch.full((int(seen.sum()),), 0.25))


def test_the_surfaces_camera_goes_before_the_renderers(surface):
    near, far = Camera(focal=3.0, distance=6.0), Camera(focal=3.0, distance=14.0)
    renderer = RENDERERS.build({"type": "torch", "camera": {"focal": 3.0, "distance": 14.0}})
    own = draw_surface(renderer, surface.replace(camera=near), size=32)
    assert torch.equal(
        own.image, draw_surface(RENDERERS.build({"type": "torch", "camera": near}), surface, size=32).image
    )
    none = draw_surface(renderer, surface, size=32)
    assert torch.equal(none.image, draw_surface(renderer, surface.replace(camera=far), size=32).image)
    assert own.mask.sum() > 2 * none.mask.sum()
    assert own.depth.amax() < 7 < none.depth.amax()


def test_the_normal_map_turns_with_the_surface():
    """A flat sheet whose map says that it leans to +x: after a quarter turn about y, that points away (−z)."""
    line = torch.linspace(-0.5, 0.5, 3)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    vertices = torch.stack([x, y, 0 * x], -1).reshape(1, -1, 3)
    faces = torch.tensor([[0, 3, 4], [0, 4, 1], [1, 4, 5], [1, 5, 2], [3, 6, 7], [3, 7, 4], [4, 7, 8], [4, 8, 5]])
    uv = torch.stack([x + 0.5, 0.5 - y], -1).reshape(-1, 2)
    leaning = torch.tensor([0.6, 0.0, 0.8])[None, :, None, None].expand(1, 3, 4, 4)
    still = torch.zeros(1, 3)
    surface = Surface(Mesh(vertices, faces, uv), still, still, diffuse=torch.ones(1, 3, 4, 4), normal_map=leaning)
    angle = torch.tensor(0.5)
    turned = surface.replace(rotation=torch.stack([0 * angle, angle, 0 * angle])[None])
    renderer = RENDERERS.build("torch")
    for posed, expected in (
        (surface, torch.tensor([0.6, 0.0, 0.8])),
        (
            turned,
            torch.stack([0.6 * angle.cos() + 0.8 * angle.sin(), 0 * angle, 0.8 * angle.cos() - 0.6 * angle.sin()]),
        ),
    ):
        drawn = draw_surface(renderer, posed, size=17)
        torch.testing.assert_close(drawn.normal[0, :, 8, 8], expected, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def face_model():
    return ProceduralFace(rows=97, columns=81)


@pytest.mark.parametrize("normals", ["vertex", "map"])
@pytest.mark.parametrize("textured", [True, False])
def test_a_surface_of_coefficients_is_what_the_face_renderer_draws(face_model, normals, textured, light):
    layout = face_model.layout
    data = 0.5 * torch.randn(2, layout.size, generator=torch.Generator().manual_seed(0))
    rotation = torch.tensor([[0.0, 0.4, 0.1], [0.2, -0.3, 0.0]])
    coefficients = Coefficients(data, layout).replace(
        rotation=rotation, translation=torch.zeros(2, 3), lighting=light(2)
    )
    waves = torch.linspace(0, 12, 16).sin().expand(2, 3, 16, 16)
    maps = UVMaps(0.5 + 0.3 * waves if textured else None, 0.02 * waves)
    renderer = FaceRenderer(face_model, "torch", normals=normals)
    surface = renderer.surface(coefficients, maps)
    assert (surface.normal_map is not None) == (normals == "map")
    assert (surface.diffuse is not None) == textured
    drawn = draw_surface(renderer.renderer, surface, size=32, background=0.3)
    expected = renderer(coefficients, maps, size=32, background=0.3)
    for name in ("image", "mask", "depth", "normal", "uv", "face_id"):
        assert torch.equal(getattr(drawn, name), getattr(expected, name)), name


def test_gradients_of_vertices_pose_and_light(texture, light):
    """Inside the surface: silhouettes are no function that finite differences know."""
    line = torch.linspace(-1.7, 1.7, 4, dtype=torch.float64)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    base = torch.stack([x, y, 0.2 * torch.sin(2 * x + y)], -1).reshape(1, -1, 3)
    r, c = torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij")
    a = (r * 4 + c).flatten()
    faces = torch.cat([torch.stack([a, a + 4, a + 5], 1), torch.stack([a, a + 5, a + 1], 1)])
    uv = torch.stack([x / 4 + 0.5, 0.5 - y / 4], -1).reshape(-1, 2)
    renderer = RENDERERS.build({"type": "torch", "antialias": None, "texture_samples": 1})

    def image(vertices, rotation, translation, lighting, colours):
        surface = Surface(
            Mesh(vertices, faces, uv), rotation, translation, lighting=lighting, vertex_colours=colours,
            camera=Camera(focal=4.0, distance=10.0),
        )  # fmt: skip
        drawn = draw_surface(renderer, surface, size=4)
        assert (drawn.face_id >= 0).all()
        return drawn.image

    rng = torch.Generator().manual_seed(1)
    inputs = (
        base,
        torch.tensor([[0.05, -0.1, 0.08]], dtype=torch.float64),
        torch.tensor([[0.03, 0.02, 0.1]], dtype=torch.float64),
        light(1, torch.float64),
        torch.rand(1, 16, 3, generator=rng, dtype=torch.float64),
    )
    inputs = tuple(value.clone().requires_grad_() for value in inputs)
    assert torch.autograd.gradcheck(image, inputs, eps=1e-7, atol=1e-5)
    gradients = torch.autograd.grad(image(*inputs).square().sum(), inputs)
    assert all(gradient.abs().max() > 1e-4 for gradient in gradients)
