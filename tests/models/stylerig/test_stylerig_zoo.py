"""The zoo's rigs: they load, are small, and do what their cards say, as the regressor of their pictures sees it."""

from __future__ import annotations

import pytest
import torch
from installed import needs_heads

import faceuv
from faceuv.files import zoo
from faceuv.files.locate import locate
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor
from faceuv.models.stylerig import StyleRigGenerator
from faceuv.models.stylerig.errors import GroupErrors

REGRESSORS = {
    "stylerig_64": "zoo:regressor/weights.safetensors",
    "stylerig_heads_64": "zoo:regressor_heads_64/weights.safetensors",
}
ENTRIES = [pytest.param(name, marks=needs_heads if "heads" in name else ()) for name in REGRESSORS]


@pytest.fixture(scope="module", params=ENTRIES)
def rig(request: pytest.FixtureRequest) -> StyleRigGenerator:
    found = faceuv.load(request.param)
    assert isinstance(found, StyleRigGenerator)
    return found


@pytest.fixture(scope="module")
def regressor(rig: StyleRigGenerator) -> CoefficientRegressor:
    return load_regressor(locate(REGRESSORS[rig.name]))


def test_it_is_small_and_edits_all_three(rig: StyleRigGenerator) -> None:
    files = zoo.folders()[rig.name].glob("*.safetensors")
    assert sum(file.stat().st_size for file in files) < 6e6
    assert rig.controls == ("pose", "expression", "light")
    assert rig.name in faceuv.list_models()


def test_pictures_follow_the_pose_and_the_light(rig: StyleRigGenerator, regressor: CoefficientRegressor) -> None:
    codes, sources = rig.codes(range(100, 112)), rig.codes(range(200, 212))
    with torch.no_grad():
        wanted, before = regressor(rig.image(sources)), regressor(rig.image(codes))
        pose = regressor(rig.image(rig.transfer(codes, sources, "pose"))).rotation
        light = regressor(rig.image(rig.transfer(codes, sources, "light"))).lighting
    away, unedited = ((x - wanted.rotation)[:, 1].abs().mean() for x in (pose, before.rotation))
    assert float(away) < 0.6 * float(unedited)
    away, unedited = ((x - wanted.lighting).abs().mean() for x in (light, before.lighting))
    assert float(away) < 0.9 * float(unedited)


def test_a_slider_turns_to_both_sides(rig: StyleRigGenerator, regressor: CoefficientRegressor) -> None:
    codes = rig.codes(range(100, 108))
    with torch.no_grad():
        yaws = [regressor(rig.generate(codes, yaw_deg=angle)).rotation[:, 1].rad2deg() for angle in (-20.0, 20.0)]
        pitches = [regressor(rig.generate(codes, pitch_deg=angle)).rotation[:, 0].rad2deg() for angle in (-8.0, 8.0)]
    assert float((yaws[1] - yaws[0]).mean()) > 25
    assert float((pitches[1] - pitches[0]).mean()) > 5


def test_conditional_faces_look_the_same_way(rig: StyleRigGenerator, regressor: CoefficientRegressor) -> None:
    like = rig.codes([103])
    faces = rig.conditional(like, 8, seed=3)
    free = rig.codes([3000 + k for k in range(8)])
    with torch.no_grad():
        spread = [regressor(rig.image(codes)).rotation[:, 1].std() for codes in (faces, free)]
    assert float(spread[0]) < 0.6 * float(spread[1])


@needs_heads
@pytest.mark.parametrize("reader", sorted(REGRESSORS))
def test_a_smile_widens_mouths(reader: str) -> None:
    """By the regressor that taught the mapper, and by that of the procedural face, which taught nothing here; a rig
    without the loss of the expression reaches a few tenths."""
    rig, read = faceuv.load("stylerig_heads_64"), load_regressor(locate(REGRESSORS[reader]))
    errors = GroupErrors(rig.face_model if "heads" in reader else ProceduralFace(49, 41, verbose=False))
    codes = rig.codes(range(100, 124))
    with torch.no_grad():
        shown = [errors.mouth(read(rig.generate(codes, expression={"smile": amount}))) for amount in (0.0, 0.6)]
    assert float((shown[1]["mouth_width"] - shown[0]["mouth_width"]).mean()) > 2  # % of the eye distance


@needs_heads
def test_a_movement_that_the_teacher_lacks_leaves_a_face() -> None:
    """Its people never open the mouth so far: without a reach the picture is noise."""
    rig = faceuv.load("stylerig_heads_64")
    codes = rig.codes(range(100, 106))
    with torch.no_grad():
        own, opened = rig.image(codes), rig.generate(codes, expression={"jawOpen": 1.0})
        rig.rig.network.reach = None
        torn = rig.generate(codes, expression={"jawOpen": 1.0})
    assert float((opened - own).abs().mean()) < 0.05 < 0.12 < float((torn - own).abs().mean())


@needs_heads
def test_faces_of_a_rig_are_whole_heads(tmp_path) -> None:
    """A face has the mesh of the mapper's coefficients, and is a file; saved and loaded it is the same."""
    rig = faceuv.load("stylerig_heads_64")
    face = rig.sample(seed=3)
    assert type(face.face_model).__name__ == "MakeHuman" and len(face.face_model.mean) > 20_000
    assert face.save(tmp_path / "head.glb").stat().st_size > 100_000
    again = faceuv.load(rig.save(tmp_path / "again"))
    code = rig.codes([3])
    assert torch.equal(again.generate(code, yaw_deg=15), rig.generate(code, yaw_deg=15))
