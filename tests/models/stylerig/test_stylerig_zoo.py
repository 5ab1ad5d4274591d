"""The zoo's rig: it loads, is small, and does what its card says, as the regressor sees it."""

from __future__ import annotations

import pytest
import torch

import faceuv
from faceuv.files import zoo
from faceuv.files.locate import locate
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylerig import StyleRigGenerator


@pytest.fixture(scope="module")
def rig() -> StyleRigGenerator:
    found = faceuv.load("stylerig_64")
    assert isinstance(found, StyleRigGenerator)
    return found


def test_it_is_small_and_edits_all_three(rig: StyleRigGenerator) -> None:
    files = zoo.folders()["stylerig_64"].glob("*.safetensors")
    assert sum(file.stat().st_size for file in files) < 6e6
    assert rig.controls == ("pose", "expression", "light")
    assert "stylerig_64" in faceuv.list_models()


def test_pictures_follow_the_pose_and_the_light(rig: StyleRigGenerator) -> None:
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    codes, sources = rig.codes(range(100, 112)), rig.codes(range(200, 212))
    wanted, before = regressor(rig.image(sources)), regressor(rig.image(codes))
    with torch.no_grad():
        pose = regressor(rig.image(rig.transfer(codes, sources, "pose"))).rotation
        light = regressor(rig.image(rig.transfer(codes, sources, "light"))).lighting
    away, unedited = ((x - wanted.rotation)[:, 1].abs().mean() for x in (pose, before.rotation))
    assert float(away) < 0.6 * float(unedited)
    away, unedited = ((x - wanted.lighting).abs().mean() for x in (light, before.lighting))
    assert float(away) < 0.9 * float(unedited)


def test_a_slider_turns_to_both_sides(rig: StyleRigGenerator) -> None:
    regressor, codes = load_regressor(locate("zoo:regressor/weights.safetensors")), rig.codes(range(100, 108))
    with torch.no_grad():
        yaws = [regressor(rig.generate(codes, yaw_deg=angle)).rotation[:, 1].rad2deg() for angle in (-20.0, 20.0)]
        pitches = [regressor(rig.generate(codes, pitch_deg=angle)).rotation[:, 0].rad2deg() for angle in (-8.0, 8.0)]
    assert float((yaws[1] - yaws[0]).mean()) > 25
    assert float((pitches[1] - pitches[0]).mean()) > 5


def test_conditional_faces_look_the_same_way(rig: StyleRigGenerator) -> None:
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    like = rig.codes([103])
    faces = rig.conditional(like, 8, seed=3)
    free = rig.codes([3000 + k for k in range(8)])
    with torch.no_grad():
        spread = [regressor(rig.image(codes)).rotation[:, 1].std() for codes in (faces, free)]
    assert float(spread[0]) < 0.6 * float(spread[1])
