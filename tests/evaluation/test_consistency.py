from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from faceuv.errors import InputError
from faceuv.evaluation import texel_difference, texel_view, unproject, view_difference
from faceuv.geometry import ambient_light
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients, UVMaps

SIZE, TEXELS = 64, 48


@pytest.fixture(scope="module")
def renderer():
    face = FACE_MODELS.build({"type": "ProceduralFace", "rows": 97, "columns": 81, "verbose": False})
    return FaceRenderer(face, {"type": "torch", "samples": 2}, normals="map")


@pytest.fixture(scope="module")
def world(renderer):
    """Two faces, each from the front and turned, under ambient light, with soft colours of their own."""
    generator = torch.Generator().manual_seed(0)
    colours = 0.3 + 0.4 * torch.rand(2, 3, 6, 6, generator=generator)
    maps = UVMaps(F.interpolate(colours, (96, 96), mode="bicubic", align_corners=False).clamp(0, 1))
    plain = Coefficients.zeros(2, renderer.face_model.layout)
    plain = plain.replace(
        identity=torch.randn(2, plain.layout.identity, generator=generator),
        lighting=ambient_light(torch.ones(2, 3)),
    )

    def turned(*degrees):
        yaw = torch.tensor(degrees) * (math.pi / 180)
        return plain.replace(rotation=torch.stack([torch.zeros(2), yaw, torch.zeros(2)], 1))

    def shot(coefficients, shown=maps, **changes):
        picture = renderer(coefficients, shown, size=SIZE, **changes).image
        return picture, texel_view(renderer, coefficients, shown, size=SIZE, map_size=TEXELS)

    return {"maps": maps, "turned": turned, "shot": shot}


def test_one_surface_from_two_sides(world):
    first, second = world["shot"](world["turned"](0, 0)), world["shot"](world["turned"](30, -40))
    found = view_difference(*first, *second)
    assert bool((found < 0.01).all())  # sampling: the pixels are 4 mm wide
    shared = (first[1].seen * second[1].seen).sum((1, 2, 3)) / first[1].seen.sum((1, 2, 3))
    assert bool((shared > 0.5).all())  # and it is no small matter


def test_the_colours_are_those_of_the_map(renderer, world):
    picture, view = world["shot"](world["turned"](20, -20), lighting=False)
    wanted = F.interpolate(world["maps"].diffuse, (TEXELS, TEXELS), mode="bilinear", antialias=True)
    assert texel_difference(unproject(picture, view), view.seen, wanted, view.seen).max() < 0.012


def test_paint_that_changes_with_the_view(world):
    """0.1 brighter from the other side: a difference of 0.1, and no more than sampling adds."""
    painted = UVMaps(world["maps"].diffuse + 0.1)
    first = world["shot"](world["turned"](0, 0), lighting=False)
    second = world["shot"](world["turned"](25, 25), painted, lighting=False)
    assert view_difference(*first, *second) == pytest.approx([0.1, 0.1], abs=0.004)


def test_a_picture_that_did_not_turn(world):
    """The surface turned by 30°, as its coefficients say; the picture shows it from the front."""
    front = world["shot"](world["turned"](0, 0))
    _, view = world["shot"](world["turned"](30, 30))
    found = view_difference(*front, front[0], view)
    assert bool((found > 0.06).all())


def test_a_mesh_is_enough(world):
    """Without maps the linear surface tells where texels lie, as for a picture whose code was turned in 2D."""
    maps = world["maps"]
    first, second = world["turned"](0, 0), world["turned"](25, -25)
    pictures = [world["shot"](c, maps)[0] for c in (first, second)]
    views = [world["shot"](c, None)[1] for c in (first, second)]
    assert bool((view_difference(pictures[0], views[0], pictures[1], views[1]) < 0.01).all())


def test_light_can_be_divided_out(renderer, world):
    """Under light from one side a turning head changes; the surface's own colours do not."""
    side = ambient_light(torch.full((2, 3), 0.9)).clone()
    side[:, :, 3] = -0.25  # ±0.44 from one side to the other
    first, second = (world["turned"](*d).replace(lighting=side) for d in ((0, 0), (35, -35)))
    shots = [*world["shot"](first), *world["shot"](second)]
    lit, unlit = view_difference(*shots), view_difference(*shots, delight=True)
    assert bool((lit > 0.05).all())
    assert bool((unlit < lit / 4).all())


def test_what_is_hidden_is_not_seen(renderer, world):
    """Against the exact test of each texel's own point."""
    coefficients = world["turned"](45, -45)
    exact = renderer.view_mask(coefficients, world["maps"], size=SIZE, map_size=TEXELS)
    seen = world["shot"](coefficients)[1].seen
    assert float((seen * (1 - exact)).sum() / exact.sum()) < 0.02
    assert float((seen * exact).sum() / exact.sum()) > 0.6
    first, second = seen
    assert float((first - second).abs().mean()) > 0.2  # the two look from different sides


def test_nothing_shared():
    colours, none = torch.rand(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    assert math.isnan(float(texel_difference(colours, none, colours, none + 1)))


def test_pictures_and_masks_must_fit(world):
    colours, mask = torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    with pytest.raises(InputError, match="seen_b must have shape"):
        texel_difference(colours, mask, colours, torch.ones(1, 1, 8, 8))
    _, view = world["shot"](world["turned"](0, 0))
    with pytest.raises(InputError, match=r"picture must have shape \(2, 3"):
        unproject(torch.rand(1, 3, 8, 8), view)
