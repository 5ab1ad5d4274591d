"""Textures from pictures, against synthetic truth."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.window import Window
from faceuv.errors import InputError
from faceuv.face import Face
from faceuv.geometry.lighting import named_light
from faceuv.models.faces import FaceModel
from faceuv.models.faces.charts import inner_face
from faceuv.models.faces.spreading import spread_over
from faceuv.photo import texture as textures
from faceuv.photo.blending import mirror_grid, sampled, spread
from faceuv.photo.eyes import iris_colour, light_tint, white_of
from faceuv.photo.inside import with_eyes_and_mouth
from faceuv.photo.light import Samples, delit, fit_colours, irradiance_of, light_doubt, usual_light
from faceuv.photo.projection import project_picture
from faceuv.photo.reading import View
from faceuv.photo.texture import head_texture
from faceuv.structures import Coefficients

SIZE = 256


@pytest.fixture(scope="module")
def person() -> Face:
    """A procedural person, turned, under a light from the side."""
    face = Face.random(5, face_model={"type": "ProceduralFace", "rows": 97, "columns": 81}, renderer="torch")
    return face.with_pose(yaw_deg=25).with_lighting("left")


@pytest.fixture(scope="module")
def shot(person: Face) -> tuple[FaceModel, Coefficients, torch.Tensor, Window]:
    assert person.face_model is not None and person.coefficients is not None
    picture = person.render_full(SIZE, background=(0.1, 0.9, 0.1)).image[0].clamp(0, 1)
    return person.face_model, person.coefficients, picture, Window.whole(SIZE, SIZE)


def test_the_projected_colours_are_those_of_the_surface(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    shown = project_picture(model, coefficients, person.renderer, picture, window, 128)
    albedo = model.albedo_map(coefficients.albedo, 128, 128)[0]
    light = irradiance_of(shown.normal.flatten(1).T, coefficients.lighting[0]).T.view_as(albedo)
    sure = shown.weight[0] > 0.9
    assert sure.float().mean() > 0.15
    error = (shown.colour - (albedo * light).clamp(0, 1)).abs().mean(0)[sure]
    assert error.mean() < 0.012
    green = (shown.colour[1] - shown.colour[0] > 0.4) & (shown.weight[0] > 0.05)
    assert not bool(green.any()), "background on the face"


def test_what_is_turned_away_has_no_weight(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    shown = project_picture(model, coefficients, person.renderer, picture, window, 128)
    far = model.mean[:, 0] * coefficients.rotation[0, 1].sign() > 0.4  # turned to +x: that cheek is hidden
    at = (model.uv * 2 - 1)[None, None]
    weight = torch.nn.functional.grid_sample(shown.weight[None], at, align_corners=False)[0, 0, 0]
    assert weight[far].mean() < 0.5 * weight[model.mirror[far]].mean()


def test_the_texture_comes_near_the_albedo_where_the_baselines_do_not(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    start = coefficients.replace(albedo=torch.zeros_like(coefficients.albedo), lighting=named_light("studio"))
    truth = model.albedo_map(coefficients.albedo, 128, 128)[0]
    skin = _skin(model)

    def error(**options: bool) -> float:
        made = head_texture(model, [View(start, picture, window)], person.renderer, size=128, **options)
        return float((made.diffuse - truth).abs().mean(0)[skin].mean())

    guess = model.albedo_map(start.albedo, 128, 128)[0]
    mean = float((guess - truth).abs().mean(0)[skin].mean())
    ours = error()
    assert ours < 0.5 * mean
    assert ours < 0.5 * error(delight=False)
    # up to one colour, which light and skin share: what is left is the unevenness of skin and light
    made, lit = (
        head_texture(model, [View(start, picture, window)], person.renderer, size=128, delight=delight).diffuse
        for delight in (True, False)
    )

    def uneven(maps: torch.Tensor) -> float:
        factor = truth[:, skin].mean(1) / maps[:, skin].mean(1)
        return float((maps * factor[:, None, None] - truth).abs().mean(0)[skin].mean())

    assert uneven(made) < 0.1 * uneven(lit)


def test_the_colours_of_skin_are_told_from_others(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    stripes = (torch.arange(SIZE)[:, None] + torch.arange(SIZE)) // 40 % 2 > 0
    paint = torch.where(
        stripes, torch.tensor([0.1, 0.8, 0.2])[:, None, None], torch.tensor([0.2, 0.1, 0.9])[:, None, None]
    )

    def likely(shown: torch.Tensor) -> float:
        return head_texture(model, [View(coefficients, shown, window)], person.renderer, size=64).likely[0]

    assert likely(picture) > 0.9
    assert likely(0.5 * picture + 0.5 * paint) < 0.4


def test_a_lit_texture_keeps_the_light(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    plain = head_texture(model, [View(coefficients, picture, window)], person.renderer, size=128)
    lit = head_texture(model, [View(coefficients, picture, window)], person.renderer, size=128, lit=True)
    left = _skin(model) & (torch.arange(128) < 64)
    right = _skin(model) & (torch.arange(128) >= 64)

    def lean(texture) -> float:
        grey = texture.diffuse.mean(0)
        return abs(float(grey[left].mean() - grey[right].mean()))

    assert lean(lit) > 2 * lean(plain)


def test_a_texture_has_a_size(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    with pytest.raises(InputError, match="2048"):
        head_texture(model, [View(coefficients, picture, window)], person.renderer, size=4096)


def test_light_and_albedo_are_found_again() -> None:
    generator = torch.Generator().manual_seed(1)
    count = 3000
    normal = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    normal[:, 2] = normal[:, 2].abs()
    mean = torch.full((count, 3), 0.5)
    basis = 0.05 * torch.randn(count, 3, 4, generator=generator)
    albedo, lighting = torch.tensor([1.0, -0.5, 0.3, 0.8]), named_light("left")[0]
    colour = (mean + basis @ albedo) * irradiance_of(normal, lighting)
    colour[:300] = torch.tensor([0.0, 1.0, 0.0])  # a tenth is no skin
    (found,) = fit_colours([Samples(colour, normal, torch.ones(count), mean, basis)], lighting=named_light("studio")[0])
    assert (found.albedo - albedo).abs().max() < 0.15
    there = irradiance_of(normal, lighting)
    assert (irradiance_of(normal, found.lighting) / there.clamp_min(0.2) - 1)[300:].abs().mean() < 0.08
    assert found.weight[:300].max() < 0.2 < found.weight[300:].mean()
    bare = delit(colour, irradiance_of(normal, found.lighting))
    assert (bare - (mean + basis @ albedo))[300:].abs().mean() < 0.04


def test_bright_skin_is_pale_and_dark_skin_is_not_made_darker() -> None:
    generator = torch.Generator().manual_seed(3)
    normal = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=1)
    normal[:, 2] = normal[:, 2].abs()
    mean, basis = torch.full((2000, 3), 0.55), torch.full((2000, 3, 1), 0.05)

    def exposed(level: float) -> tuple[float, float]:
        """The mean light and the albedo that are found for a face of one colour."""
        colour = torch.full((2000, 3), level)
        (found,) = fit_colours([Samples(colour, normal, torch.ones(2000), mean, basis)], lighting=usual_light())
        return float(irradiance_of(normal, found.lighting).mean()), 0.55 + 0.05 * float(found.albedo)

    light, albedo = exposed(0.85)
    assert 0.95 < light < 1.2 and albedo > 0.71
    light, albedo = exposed(0.35)
    assert light == pytest.approx(0.64, abs=0.02) and albedo > 0.53


def test_the_tint_of_the_light_is_known_and_not_the_skins() -> None:
    generator = torch.Generator().manual_seed(5)
    normal = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=1)
    normal[:, 2] = normal[:, 2].abs()
    mean = torch.tensor([0.7, 0.55, 0.45]).expand(2000, 3)
    basis = (mean * torch.tensor([-0.1, -0.145, -0.185]))[:, :, None]  # darker and redder
    tint = torch.tensor([1.25, 1.0, 0.8])
    light = irradiance_of(normal, usual_light()) * tint

    def found(known: torch.Tensor | None) -> tuple[float, torch.Tensor]:
        samples = Samples(mean * light, normal, torch.ones(2000), mean, basis, known)
        (made,) = fit_colours([samples], lighting=usual_light())
        return float(made.albedo), irradiance_of(normal, made.lighting) / light

    albedo, share = found(tint)
    assert abs(albedo) < 0.05 and (share - 1).abs().max() < 0.02
    assert found(None)[0] > 1.0


def test_light_is_doubtful_where_it_changes_fast_and_where_it_is_not_divided_out() -> None:
    generator = torch.Generator().manual_seed(6)
    normal = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=1)
    weight, lighting = torch.ones(500), named_light("left")[0]
    doubt = light_doubt(normal, lighting, 1.0, weight)
    aside = torch.nn.functional.normalize(torch.linalg.cross(normal, torch.tensor([[0.3, 0.9, 0.2]])), dim=1)
    other = torch.linalg.cross(normal, aside)
    grey = [irradiance_of(normal + 1e-3 * step, lighting).mean(1) for step in (aside, -aside, other, -other)]
    light = irradiance_of(normal, lighting).mean(1)
    steep = ((grey[0] - grey[1]).square() + (grey[2] - grey[3]).square()).sqrt() / 2e-3 / light
    plain = light > 0.4 * light.mean()  # where it is darker, no more is divided out
    assert ((doubt[:, 0] / steep)[plain] - 0.25).abs().max() < 0.02
    assert light_doubt(normal, torch.zeros(3, 9), 0.3, weight).max() < 1e-6
    part = light_doubt(normal, lighting, 0.6, weight)
    left = 0.4 * torch.log(light / light.mean())
    assert ((part.square() - doubt.square()).sqrt()[:, 0] - left.abs())[plain].abs().max() < 1e-3


def test_a_wrong_shape_leaves_less_shade_in_the_map(person: Face, shot, monkeypatch) -> None:
    """The head of another shape under a hard light from the side: on forehead, cheeks and jaw."""
    model, coefficients, picture, window = shot
    generator = torch.Generator().manual_seed(7)
    wrong = coefficients.replace(identity=0.5 * torch.randn(coefficients.identity.shape, generator=generator))
    truth = model.albedo_map(coefficients.albedo, 128, 128)[0]
    view = View(coefficients.replace(identity=coefficients.identity + wrong.identity), picture, window)

    def uneven() -> float:
        made = head_texture(model, [view], person.renderer, size=128)
        skin = _skin(model) & (made.seen[0] > 0.5) & (inner_face(model, 128)[0] < 0.3)
        factor = truth[:, skin].median(1).values / made.diffuse[:, skin].median(1).values
        return float((made.diffuse * factor[:, None, None] - truth).abs().mean(0)[skin].mean())

    ours = uneven()
    monkeypatch.setattr(textures, "without_shade", lambda model, ratio, *others: ratio)
    assert ours < 0.75 * uneven()


def test_light_that_is_not_understood_is_divided_out_in_part() -> None:
    generator = torch.Generator().manual_seed(2)
    normal = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=1)
    normal[:, 2] = normal[:, 2].abs()
    mean, basis = torch.full((2000, 3), 0.5), torch.zeros(2000, 3, 1)
    smooth = mean * irradiance_of(normal, named_light("left")[0])
    cast = smooth * (0.25 + 0.75 * (torch.sin(9 * normal[:, :1]) > 0))  # hard shadows, which nine bands cannot follow

    def divisible(colour: torch.Tensor) -> float:
        start = named_light("studio")[0]
        (found,) = fit_colours([Samples(colour, normal, torch.ones(2000), mean, basis)], lighting=start)
        return found.divisible

    assert divisible(smooth) == 1.0
    assert divisible(cast) < 0.9
    light = torch.tensor([[1.5] * 3, [0.5] * 3])
    colour = torch.full((2, 3), 0.4)
    assert delit(colour, light, 0.0).std() < 1e-6  # only the mean light is taken off
    assert delit(colour, light, 0.5)[0, 0] > delit(colour, light)[0, 0]
    shown = torch.tensor([1.0, 0.0])  # the light on what the picture does not show is no part of the mean
    assert delit(colour, light, 0.5, shown)[0, 0] == pytest.approx(0.4 / 1.5)


def test_between_brows_and_chin_the_picture_is_used_at_steep_angles(person: Face, shot) -> None:
    model, coefficients, picture, window = shot
    plain = project_picture(model, coefficients, person.renderer, picture, window, 128)
    inner = project_picture(model, coefficients, person.renderer, picture, window, 128, torch.ones(1, 128, 128))
    assert bool((inner.weight >= plain.weight - 1e-6).all())
    assert inner.weight.sum() > 1.02 * plain.weight.sum()


class Bands:
    """A head whose chart is four bands: skin, the right eye's white and iris, teeth."""

    part_names = ("skin", "sclera_right", "iris_right", "teeth")
    part = torch.arange(4)
    faces = torch.zeros(4, 3)

    def chart(self, height: int, width: int) -> Bands:
        self.face_id = torch.arange(4).repeat_interleave(height * width // 4).view(height, width)
        return self

    def faces_of(self, name: str) -> torch.Tensor:
        return self.part == self.part_names.index(name)


def test_eyes_are_drawn_as_the_picture_shows_them() -> None:
    base, bare = torch.full((3, 16, 16), 0.8), torch.full((3, 16, 16), 0.6)
    weight = torch.zeros(1, 16, 16)
    weight[:, :10] = 1.0  # skin, the sclera and half of the iris are seen; teeth are not
    made = with_eyes_and_mouth(Bands(), weight, bare, base)
    assert torch.equal(made[:, :4], base[:, :4])  # skin is not its business
    assert torch.allclose(made[:, 4:10], bare[:, 4:10])
    hidden = made[:, 10:12]  # the model's, in the tone of the seen
    assert bool(((hidden > 0.55) & (hidden < 0.7)).all())
    assert torch.equal(made[:, 12:], base[:, 12:])


def test_the_hidden_white_is_as_dark_as_the_seen_white() -> None:
    """Irises of the model's own colour say nothing of it: under a lid that opens wider, the white would gleam."""
    base = torch.full((3, 64, 64), 0.8)
    bare = base.clone()
    bare[:, 16:32] = 0.6
    weight = torch.zeros(1, 64, 64)
    weight[:, 24:48] = 1.0  # half of the white, all of the iris
    hidden = with_eyes_and_mouth(Bands(), weight, bare, base)[:, 16:24]
    assert torch.allclose(hidden, torch.full_like(hidden, 0.6), atol=0.02)


def test_hidden_teeth_do_not_take_the_tone_of_lips() -> None:
    """Through parted lips a few texels of the teeth are seen, and they show lips."""
    base = torch.full((3, 192, 192), 0.8)
    lips = torch.tensor([0.7, 0.35, 0.35])[:, None, None].expand_as(base)
    weight = torch.zeros(1, 192, 192)
    weight[:, 144, :32] = 1.0  # of 9216 texels of teeth
    made = with_eyes_and_mouth(Bands(), weight, lips, base)
    assert torch.allclose(made[:, 144, :32], lips[:, 144, :32])
    hidden = made[:, 145:]
    assert (hidden - 0.8).abs().max() < 0.04
    assert (hidden[0] - hidden[1]).abs().max() < 0.04  # not pink
    weight[:, 144:180] = 1.0  # a mouth that shows most of its teeth
    assert (with_eyes_and_mouth(Bands(), weight, lips, base)[:, 181:] - 0.8).abs().max() > 0.2


def test_spread_keeps_what_is_known_and_goes_on_smoothly() -> None:
    values = torch.linspace(0, 1, 64).expand(1, 64, 64).contiguous()
    weight = torch.zeros(1, 64, 64)
    weight[:, :, :32] = 1
    found = spread(values, weight)
    assert torch.allclose(found[:, :, :32], values[:, :, :32], atol=1e-5)
    assert (found[:, :, 31] - found[:, :, 32]).abs().max() < 0.05
    assert found[:, :, 32:].max() < 0.7


def test_the_mirrored_texel_is_on_the_other_side(person: Face) -> None:
    model = person.face_model
    assert model is not None
    from faceuv.geometry.uv import bake

    where = bake(model.mean[None], model.chart(64, 64))[0]
    grid, there = mirror_grid(model, 64)
    other = sampled(where, grid)
    gap = (other - where * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]).norm(dim=0)[there[0]]
    assert there.float().mean() > 0.5
    assert gap.median() < 0.03


def test_values_go_on_over_the_surface(person: Face) -> None:
    model = person.face_model
    assert model is not None
    from faceuv.geometry.uv import bake

    side = bake((model.mean[None, :, :1] > 0).float(), model.chart(64, 64))[0]
    found = spread_over(model, torch.full((1, 64, 64), 0.3), side)
    assert (found - 0.3).abs().max() < 1e-3
    heights = model.mean[:, 1:2]  # what is beyond the border continues what is beside it, not the mean of all
    found = spread_over(model, bake(heights[None], model.chart(64, 64))[0], side)
    beyond = (model.mean[:, 0] < -0.02) & (model.mean[:, 0] > -0.2)
    pair = torch.stack([found[beyond, 0], heights[beyond, 0]])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.9


def test_an_iris_is_found_among_white_and_lashes() -> None:
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(40.0), indexing="ij")
    place = torch.stack([rows.flatten(), columns.flatten()], 1)
    away = (place - torch.tensor([9.0, 24.0])).norm(dim=1)
    colour = torch.full((800, 3), 0.8)
    colour[away < 7] = torch.tensor([0.2, 0.3, 0.5])
    colour[away < 2.5] = 0.02
    found = iris_colour(colour, place, 7.0, torch.ones(3))
    assert found is not None
    assert torch.tensor(found.outer).allclose(torch.tensor([0.2, 0.3, 0.5]), atol=0.03)
    assert iris_colour(colour[:5], place[:5], 7.0, torch.ones(3)) is None


def test_whites_lie_beside_the_iris_and_tell_only_clear_tints() -> None:
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(40.0), indexing="ij")
    place = torch.stack([rows.flatten(), columns.flatten()], 1)
    white = torch.tensor([0.72, 0.6, 0.5])
    colour = white.repeat(800, 1)
    colour[:, 2] += 0.04 * columns.flatten() / 40
    colour[(place - torch.tensor([9.0, 20.0])).norm(dim=1) < 7] = torch.tensor([0.2, 0.4, 0.9])  # bright, blue
    colour[:120] = colour[600:] = torch.tensor([0.5, 0.3, 0.25])  # lids
    found = white_of(colour, place, 8.0)
    assert found is not None and torch.allclose(found, white, atol=0.041)
    assert white_of(colour[:5], place[:5], 8.0) is None
    assert light_tint([]) is None
    usual = torch.tensor([0.65, 0.57, 0.53])
    plain, yellowish, warm = (
        light_tint([usual * torch.tensor(tint)]) for tint in ((1.0, 1.0, 1.0), (1.07, 1.0, 0.93), (1.4, 1.0, 0.7))
    )
    assert plain is not None and yellowish is not None and warm is not None
    assert (plain - 1).abs().max() < 0.01 and (yellowish - 1).abs().max() < 0.02
    assert warm[0] / warm[2] > 1.7 and float(warm.prod()) == pytest.approx(1.0, abs=1e-4)


def _skin(model: FaceModel) -> torch.Tensor:
    from faceuv.geometry.uv import bake

    return bake(model.skin_mask.float()[None, :, None], model.chart(128, 128))[0, 0] > 0.9
