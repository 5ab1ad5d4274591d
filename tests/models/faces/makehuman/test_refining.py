"""Detail on a generator's maps: the tones stay, the smears of brows and ears do not, the fine structure comes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from faceuv.errors import InputError
from faceuv.face import Face
from faceuv.geometry.uv import bake, sample_map
from faceuv.models.faces.appearance import appearance_maps
from faceuv.models.faces.charts import near_landmarks, on_parts
from faceuv.models.faces.refining import refined_maps, with_pictured_hair
from faceuv.structures import Coefficients, UVMaps

SMALL, LARGE = 64, 256
SKIN = torch.tensor([0.62, 0.45, 0.36])
BROWS = range(17, 27)


def flat(colour=SKIN):
    return colour[None, :, None, None].expand(1, 3, SMALL, SMALL).clone()


def at_cheeks(model, diffuse):
    """``(2, 3)``: to the viewer's left and right of the nose, over a patch that is wider than pores and spots."""
    uv = model.uv[model.landmarks[[2, 14]]].lerp(model.uv[model.landmarks[[30, 30]]], 0.5)
    return sample_map(F.avg_pool2d(diffuse, diffuse.shape[-1] // 32), uv)[0]


@pytest.fixture(scope="module")
def refined(makehuman):
    """Diffuse map of a generator → refined maps of the mean person."""

    def refine(diffuse, displacement=None, **more):
        maps = UVMaps(diffuse, displacement)
        albedo = with_pictured_hair(makehuman, makehuman.mean.new_zeros(1, makehuman.layout.albedo), maps)
        return refined_maps(makehuman, albedo, maps, appearance_maps(makehuman, albedo, 3, LARGE, **more))

    return refine


def test_each_cheek_keeps_its_tone(makehuman, refined):
    """Channel by channel, also where the sides differ."""
    left = bake((makehuman.mean[None, :, :1] < 0).float(), makehuman.chart(SMALL, SMALL))
    maps = torch.where(left > 0.5, flat(), flat(SKIN.flip(0) * 0.5))
    found = at_cheeks(makehuman, refined(maps).diffuse)
    goal = torch.stack([SKIN, SKIN.flip(0) * 0.5])
    assert makehuman.mean[makehuman.landmarks[2], 0] < 0
    assert torch.allclose(found, goal, rtol=0.15), found


def test_seams_of_the_chart_are_no_lines(makehuman, refined):
    """There texels beside the chart take part: they have the tone of the skin, too."""
    split = makehuman.weld[(makehuman.weld != torch.arange(len(makehuman.weld))) & makehuman.vertices_of("skin")]
    low = makehuman.mean[split, 1] < makehuman.mean[makehuman.landmarks[8], 1]  # the neck: above are brows and scalp
    found = sample_map(refined(flat(SKIN * 0.4)).diffuse, makehuman.uv)[0, split[low]].mean(0)
    assert int(low.sum()) > 20
    assert torch.allclose(found, SKIN * 0.4, rtol=0.2), found


def test_dark_brows_of_a_small_map_are_no_shadow_on_the_skin_around(makehuman, refined):
    """Brows that lie half a centimetre too high: the drawn ones have their own place, and the forehead stays light."""
    smear = near_landmarks(makehuman, SMALL, BROWS, (0.06, 0.1))
    clean, smeared = (refined(m).diffuse for m in (flat(), torch.lerp(flat(), flat() * 0.2, smear)))
    ring = near_landmarks(makehuman, LARGE, BROWS, (0.06, 0.1)) - near_landmarks(makehuman, LARGE, BROWS, (0.0, 0.03))
    where = (ring > 0.9).expand(1, 3, LARGE, LARGE)
    assert int(where.sum()) > 300
    assert float((smeared[where] / clean[where]).mean()) > 0.93


def test_detail_is_finer_than_the_maps_texels(makehuman, refined):
    """Enlarged, the flat map has no structure; refined it has, and nothing but skin, eyes and mouth of the model."""
    made = refined(flat())
    cheeks = (near_landmarks(makehuman, LARGE, [2, 14, 30], (0.2, 0.21)) > 0.9)[None]
    fine = made.diffuse - F.avg_pool2d(made.diffuse, 5, 1, 2)
    assert float(fine[cheeks.expand_as(fine)].std()) > 0.004
    assert made.diffuse.shape == made.displacement.shape == (1, 3, LARGE, LARGE)
    assert made.roughness.shape == (1, 1, LARGE, LARGE)
    eyes = on_parts(makehuman, LARGE, "iris_left", "iris_right")[None]
    other = refined(flat(SKIN * 0.5)).diffuse
    assert torch.equal(made.diffuse[eyes.expand_as(other)], other[eyes.expand_as(other)])


def test_the_generators_displacement_stays_under_the_relief(refined):
    bumps = torch.rand(1, 3, SMALL, SMALL, generator=torch.Generator().manual_seed(0)) * 0.02
    plain, bumped = (refined(flat(), moved).displacement for moved in (None, bumps))
    wide = F.interpolate(bumps, size=(LARGE, LARGE), mode="bicubic", align_corners=False)
    assert torch.allclose(bumped - plain, wide, atol=1e-6)
    assert torch.allclose(refined(flat(), bumps, relief=False).displacement, wide)
    assert refined(flat(), relief=False).displacement is None


def test_brows_have_the_colour_of_the_hair_on_the_map(makehuman, refined):
    above = bake((makehuman.mean[None, :, 1:2] > makehuman.mean[makehuman.landmarks[19], 1] + 0.5).float(),
                 makehuman.chart(SMALL, SMALL))  # fmt: skip
    brow = (near_landmarks(makehuman, LARGE, [18, 19, 24, 25], (0.03, 0.04)) > 0.9)[None]
    fair, dark = (
        refined(torch.lerp(flat(), flat(torch.tensor(hair)), above)).diffuse
        for hair in ([0.80, 0.66, 0.42], [0.05, 0.04, 0.03])
    )
    assert float(dark[brow.expand_as(dark)].mean()) < 0.85 * float(fair[brow.expand_as(fair)].mean())


def test_a_generated_face_is_refined_once_and_any_other_drawn_anew(makehuman):
    person = Coefficients.zeros(1, makehuman.layout)
    renderer = Face.mean().renderer
    generated = Face(person, makehuman, renderer, UVMaps(flat()), {"generator": "a test"})
    fine = generated.with_detail(3, LARGE)
    assert fine.metadata["detail"] == {"size": LARGE, "seed": 3}
    assert torch.allclose(at_cheeks(makehuman, fine.diffuse()[None]), SKIN.expand(2, 3), rtol=0.15)
    assert torch.equal(fine.with_hair("short").maps.diffuse, fine.maps.diffuse)  # its ears are bare, and stay drawn
    with pytest.raises(InputError, match="has its detail already"):
        fine.with_detail(3, LARGE)
    plain = Face(person, makehuman, renderer, UVMaps(flat())).with_detail(3, LARGE)
    assert not torch.allclose(at_cheeks(makehuman, plain.diffuse()[None]), SKIN.expand(2, 3), rtol=0.15)
