"""The linear albedo of our own, on the procedural head (and on ICT's where its numbers are at hand)."""

import pytest
import torch

from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.appearance import NAMES, albedo_arrays, mode_index
from faceuv.models.faces.appearance.frame import canonical, canonical_landmarks
from faceuv.models.faces.appearance.geometry import Head
from faceuv.models.faces.appearance.modes import Person
from faceuv.models.faces.appearance.paint import _BLOOD, _MELANIN, Points, over_skin
from faceuv.models.faces.appearance.regions import find_regions
from faceuv.models.faces.appearance.spectrum import skin_colour


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(97, 81, verbose=False)


@pytest.fixture(scope="module")
def albedo(model):
    return albedo_arrays(model)


def test_landmarks_of_any_head_fall_on_those_of_the_average(model):
    turned = model.mean * 1.1 + torch.tensor([0.3, -2.0, 0.1])
    found = canonical(turned, model.landmarks)[model.landmarks]
    assert (found - torch.from_numpy(canonical_landmarks())).norm(dim=1).max() < 0.2  # mm


def test_the_mean_is_symmetric_and_modes_are_even_or_odd(model, albedo):
    mean, basis, names = albedo
    assert torch.equal(mean, mean[model.mirror])
    for k, name in enumerate(names):
        sign = -1 if "uneven" in name else 1
        assert torch.equal(basis[..., k], sign * basis[model.mirror][..., k]), name


def test_names_are_unique_and_few_enough(albedo):
    mean, basis, names = albedo
    assert basis.shape == (*mean.shape, len(names))
    assert names == list(NAMES)
    assert len(set(names)) == len(names)
    assert 40 <= len(names) <= 80


def test_modes_do_what_their_names_say(model, albedo):
    _, basis, _ = albedo
    masks = Points.of_vertices(Head.of(model)).regions

    def change(name, zone):
        weight = masks[zone][:, None]
        return (basis[..., mode_index(name)] * weight).sum(0) / weight.sum()

    assert (change("melanin", "cheeks") < -0.05).all()
    lips, cheeks = change("lip_blood", "lips"), change("lip_blood", "cheeks")
    assert lips[1] < 1.8 * lips[0]  # green falls faster than red: redder
    assert cheeks.abs().max() < 0.1 * lips.abs().max()
    redness = change("cheek_redness", "cheeks")
    assert redness[1] < redness[0] - 0.004


@pytest.mark.parametrize("melanin", [0.01, 0.04, 0.12, 0.25])
def test_skin_is_warm_in_every_shade(melanin):
    log = torch.tensor([melanin]).log()
    pale, flushed = (skin_colour(log, torch.tensor([blood]).log())[0] for blood in (0.008, 0.04))
    assert pale[0] > pale[1] > pale[2] > 0.05
    assert flushed[0] - flushed[1] > pale[0] - pale[1]  # blood makes it redder
    assert 1 >= pale.max()


def hue_and_chroma(colour):
    """Degrees and size of a colour ``(3,)`` in CIELAB: 0° is red, 90° yellow."""
    linear = torch.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = (to_xyz @ linear / torch.tensor([0.9505, 1.0, 1.089])) ** (1 / 3)
    a, b = 500 * (x - y), 200 * (y - z)
    return float(torch.rad2deg(torch.atan2(b, a))), float(torch.hypot(a, b))


@pytest.mark.parametrize("melanin", [-1.5, 0.0, 1.0, 1.6, 2.2, 2.6])
def test_no_shade_of_skin_is_olive(melanin):
    """The hue of people's skin lies between 45 and 62 degrees, dark skin is the redder one."""
    values = torch.zeros(len(NAMES))
    values[mode_index("melanin")] = melanin
    log_melanin, log_blood = (
        middle + spread * Person(values)[name] for (middle, spread), name in ((_MELANIN, "melanin"), (_BLOOD, "blood"))
    )
    hue, chroma = hue_and_chroma(skin_colour(log_melanin[None], log_blood[None])[0])
    assert 44 < hue < 61
    assert 13 < chroma < 26


def test_brows_are_as_warm_as_the_hair():
    hair, skin = torch.tensor([0.25, 0.21, 0.18]), [torch.full((1,), value) for value in (0.85, 0.72, 0.64)]
    none = torch.zeros(1)
    brow = torch.cat(over_skin(skin, hair, torch.ones(1), none, none, none))
    assert (brow < hair + 1e-6).all()
    assert brow[0] / brow[2] > 1.2 * hair[0] / hair[2]


def test_nostrils_are_dark_on_both_sides_and_the_lip_below_is_not():
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([-14.0, -52.0, 88.0]) + points * torch.tensor([28.0, 24.0, 24.0])
    normals = torch.nn.functional.normalize(torch.randn(4000, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    here, there = (find_regions(points * m, torch.ones(4000), normals * m)["nostrils"] for m in (1.0, mirror))
    torch.testing.assert_close(here, there)
    assert here.max() > 0.9
    assert not here[points[:, 1] < -44].any()


def test_darker_with_melanin():
    shades = skin_colour(torch.linspace(-5, -1, 20), torch.full((20,), -4.4))
    luminance = shades @ torch.tensor([0.3, 0.59, 0.11])
    assert (luminance.diff() < 0).all()


def test_most_people_have_colours_in_gamut(albedo):
    mean, basis, names = albedo
    people = torch.randn(64, len(names), generator=torch.Generator().manual_seed(0))
    colours = mean + torch.einsum("vca,ba->bvc", basis, people)
    assert ((colours < -0.02) | (colours > 1.02)).float().mean() < 0.02


def test_eyes_of_one_surface_with_the_face_are_painted_too(model, albedo):
    mean = albedo[0]
    middles = model.landmarks[[36, 39]]
    middle = model.mean[middles].mean(0) + torch.tensor([0.0, 0.01, 0.05])
    pupil = (model.mean - middle).norm(dim=1).argmin()
    white = (model.mean - middle - torch.tensor([0.085, 0.0, 0.0])).norm(dim=1).argmin()
    assert mean[pupil].max() < 0.15
    assert mean[white].min() > 0.5


def test_the_lips_are_where_the_landmarks_say(model):
    masks = Points.of_vertices(Head.of(model)).regions
    lips = masks["lips"]
    assert lips[model.landmarks[[61, 63, 65, 67]]].min() > 0.9
    assert lips[model.landmarks[[30, 8, 19]]].max() < 1e-3
    assert masks["scalp"][model.landmarks[[30, 8, *range(36, 48)]]].max() < 1e-3


def test_an_unknown_mode_names_the_nearest():
    with pytest.raises(Exception, match="melanin"):
        mode_index("melanine")
