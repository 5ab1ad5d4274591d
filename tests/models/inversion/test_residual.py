"""The residual in UV: exact visibility, light taken out, no background, mirrored maps."""

from __future__ import annotations

import pytest
import torch

from faceuv.geometry import named_light
from faceuv.models.faces import FaceRenderer
from faceuv.models.inversion.local import Detailer
from faceuv.models.inversion.residual import CHANNELS, Mirror, feathered, sight, unlit_residual
from faceuv.structures import Coefficients, UVMaps

SIZE, MAP = 128, 64


@pytest.fixture(scope="module")
def renderer(coarse):
    return FaceRenderer(coarse, {"type": "torch", "samples": 2}, normals="map")


@pytest.fixture(scope="module")
def faces(coarse):
    rotation = torch.tensor([[0.0, 0.5, 0.0], [0.1, -0.3, 0.0]])
    return Coefficients.zeros(2, coarse.layout).replace(rotation=rotation, lighting=named_light("left"))


@pytest.fixture(scope="module")
def maps():
    return UVMaps(torch.full((2, 3, MAP, MAP), 0.5), torch.zeros(2, 3, MAP, MAP))


def test_visibility_is_that_of_each_texels_own_point(renderer, faces, maps):
    view = sight(renderer, faces, maps, size=SIZE, map_size=MAP)
    wanted = renderer.view_mask(faces, maps, size=SIZE, map_size=MAP, rule="visibility")
    assert bool((view.seen <= wanted).all())
    assert float((view.seen != wanted).float().mean()) < 0.01, "but for faces that look away"
    assert bool((view.cosine[view.seen == 0] == 0).all())
    assert float(view.cosine.max()) > 0.95
    right, left = view.seen[..., : MAP // 2].mean((1, 2, 3)), view.seen[..., MAP // 2 :].mean((1, 2, 3))
    assert (right[0] > left[0]) != (right[1] > left[1]), "the two faces look to different sides"


def test_a_render_has_no_residual_whatever_lies_behind_it(renderer, faces, maps):
    drawn = renderer(faces, maps, size=SIZE)
    view = sight(renderer, faces, maps, size=SIZE, map_size=MAP)
    residual, known = unlit_residual(drawn.image, drawn, view)
    assert float(residual.abs().max()) < 1e-6
    before = renderer(faces, maps, size=SIZE, background=(1.0, 0.0, 0.5)).image
    other, _ = unlit_residual(before, drawn, view)
    assert float(other.abs().max()) < 0.01, "the background is no residual"
    assert float(known.sum()) > 0.5 * float(view.seen.sum())
    assert bool((known <= view.seen).all())


def test_the_residual_is_the_difference_of_the_unlit_colours(renderer, faces, maps):
    painted = maps.diffuse.clone()
    painted[:, 0] += 0.2  # redder all over: blur does not matter, light does
    picture = renderer(faces, UVMaps(painted, maps.displacement), size=SIZE).image
    drawn = renderer(faces, maps, size=SIZE)
    view = sight(renderer, faces, maps, size=SIZE, map_size=MAP)
    residual, known = unlit_residual(picture, drawn, view)
    core = (known > 0) & (view.cosine > 0.4) & (view.shading.amin(1, keepdim=True) > 0.3)
    red = residual[:, :1][core]
    assert float((red - 0.2).abs().median()) < 0.01
    assert float((red - 0.2).abs().quantile(0.9)) < 0.04
    assert float(residual[:, 1:].abs().max()) < 1e-5
    lit = (picture - drawn.image)[:, 0][drawn.mask[:, 0] > 0.99]
    assert float(lit.std()) > 5 * float(red.std()), "in the picture it varies with the light"


def test_pixels_outside_a_given_mask_are_not_known(renderer, faces, maps):
    drawn = renderer(faces, maps, size=SIZE)
    view = sight(renderer, faces, maps, size=SIZE, map_size=MAP)
    mask = torch.ones(2, 1, SIZE, SIZE)
    mask[..., : SIZE // 2, :] = 0
    residual, known = unlit_residual(drawn.image * 0.5, drawn, view, mask)
    hidden = view.grid[..., 1] < -0.05
    assert float(known[:, 0][hidden].max()) == 0
    assert float(residual.abs().amax(1)[hidden].max()) == 0
    assert float(known.sum()) > 0


def test_mirrored_maps_exchange_left_and_right(coarse):
    mirror = Mirror(coarse, MAP)
    maps = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    maps = torch.nn.functional.interpolate(maps, (MAP, MAP), mode="bicubic")
    chart = coarse.uv_mask(MAP, MAP) > 0
    inner = (feathered(chart.float()) == 1).expand_as(maps)
    assert float((mirror(maps) - maps.flip(3)).abs()[inner].max()) < 0.02, "this model's chart is symmetric"
    assert float((mirror(mirror(maps)) - maps).abs()[inner].max()) < 0.05


def test_the_channels_are_the_eighteen_of_the_branch(renderer, faces, maps):
    picture = renderer(faces, UVMaps(maps.diffuse + 0.1), size=SIZE).image
    given, known, view = Detailer(renderer, MAP).look(picture, faces, maps)
    assert given.shape == (2, CHANNELS, MAP, MAP)
    assert torch.equal(given[:, 3:4], known)
    assert bool((given[:, 4:5] <= view.cosine + 1e-6).all())
    assert torch.equal(given[:, 15:18], view.positions)
    assert float(given[:, 5:8].abs().max()) > 0.05, "the mirrored residual"
    assert torch.isfinite(given).all()
