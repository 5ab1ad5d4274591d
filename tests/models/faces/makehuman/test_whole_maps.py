"""Maps of a whole head beyond what pictures show: no lines at seams, a back in the colours of the sides."""

from __future__ import annotations

import pytest
import torch

from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake, sample_map
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.part_texels import part_texels
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.seam_texels import SeamTexels
from faceuv.models.faces.whole_maps import WholeMaps
from faceuv.renderers import TorchRenderer
from faceuv.structures import Coefficients, UVMaps

SIZE = 128


@pytest.fixture(scope="module")
def whole(makehuman):
    return WholeMaps(makehuman, SIZE)


@pytest.fixture(scope="module")
def copies(makehuman):
    """The skin's vertices that a seam splits, and the first copies of their points."""
    skin = torch.zeros(len(makehuman.mean), dtype=torch.bool)
    skin[makehuman.faces[makehuman.faces_of("skin")]] = True
    here = ((makehuman.weld != torch.arange(len(skin))) & skin).nonzero()[:, 0]
    return here, makehuman.weld[here]


def blotches(batch=1, seed=0):
    """Smooth random maps ``(B, 3, SIZE, SIZE)`` in [0, 1]."""
    small = torch.rand(batch, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, SIZE, mode="bicubic", align_corners=False).clamp(0, 1)


def step(maps, model, copies):
    """The mean difference between the two sides of the seams."""
    there, here = (sample_map(maps, model.uv)[:, index] for index in copies)
    return float((there - here).abs().mean())


def test_both_sides_of_a_seam_have_one_colour(makehuman, whole, copies):
    maps = blotches()
    assert step(maps, makehuman, copies) > 0.1
    assert step(whole(maps), makehuman, copies) < 0.03


def test_the_back_has_the_colours_of_its_surroundings(makehuman, whole):
    """A face of 0.3 and accidental colours behind: they are gone at the back of the neck and of the head."""
    back = makehuman.mean[:, 2] < makehuman.mean[:, 2].quantile(0.1)
    normals = vertex_normals(makehuman.mean[None], makehuman.faces, makehuman.weld)[0]
    seen = bake((normals[None, :, 2:] > -0.7).float(), makehuman.chart(SIZE, SIZE)) > 0.5
    maps = torch.where(seen, 0.3, blotches())
    before, after = (sample_map(m, makehuman.uv)[0, back] for m in (maps, whole(maps)))
    assert float((before - 0.3).abs().mean()) > 0.1
    assert float((after - 0.3).abs().mean()) < 0.05


def test_what_pictures_show_stays(makehuman, whole):
    """Texels of the front and of all parts but the skin, away from seams."""
    maps = blotches()
    chart = makehuman.chart(SIZE, SIZE)
    normals = vertex_normals(makehuman.mean[None], makehuman.faces, makehuman.weld)[0]
    front = bake((normals[None, :, 2:] > 0.6).float(), chart)[0, 0] > 0.99
    skin = part_texels(makehuman, chart, "skin")[0]
    changed = (whole(maps) - maps).abs().amax((0, 1))
    assert float((changed[front & skin] < 1e-5).float().mean()) > 0.99
    assert int((front & skin).sum()) > 3000
    eyes = part_texels(makehuman, chart, "iris_left", "iris_right")[0]
    assert float(changed[eyes].max()) < 1e-5 and bool(eyes.any())


def test_one_colour_stays_one_colour(whole):
    assert torch.allclose(whole(torch.full((1, 2, SIZE, SIZE), 0.4)), torch.tensor(0.4), atol=1e-5)


def test_faces_do_not_depend_on_the_batch(whole):
    maps = blotches(3)
    assert torch.allclose(whole(maps)[1:2], whole(maps[1:2]), atol=1e-6)


def test_normals_of_small_maps_meet_at_the_seams(makehuman, copies):
    """The normals per pixel of a head without displacement are those of its vertices, on both sides."""
    renderer = FaceRenderer(makehuman, TorchRenderer(), normals="map")
    person = Coefficients.zeros(1, makehuman.layout)
    flat = UVMaps(displacement=torch.zeros(1, 3, SIZE, SIZE))
    found = renderer.surface(person, flat).normal_map
    plain = bake(vertex_normals(makehuman.mean[None], makehuman.faces, makehuman.weld), makehuman.chart(SIZE, SIZE))
    assert step(found, makehuman, copies) < 0.4 * step(plain, makehuman, copies)


def test_seams_pass_gradients(makehuman):
    seams = SeamTexels.of(makehuman, 64, 64)
    values = torch.rand(1, len(makehuman.mean), 1, requires_grad=True)
    maps = torch.rand(1, 1, 64, 64, requires_grad=True)
    seams(maps, values).square().sum().backward()
    assert float(values.grad[0, seams.first].abs().sum()) > 0 and bool((maps.grad != 0).any())


def test_large_maps_and_charts_in_one_piece_have_nothing_to_do(makehuman):
    assert SeamTexels.of(makehuman, 512, 512) is None
    assert SeamTexels.of(ProceduralFace(rows=49, columns=41, verbose=False), 64, 64) is None
    assert SeamTexels.of(makehuman, 64, 64) is SeamTexels.of(makehuman, 64, 64)
