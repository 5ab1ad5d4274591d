"""ARKit's 52 shapes on face models: names, tables, the way there and back."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.face import Face
from faceuv.models.faces.arkit import GAZE, NAMES, amounts_row, arkit_name, check_amounts, gaze_amounts, mirrored_name
from faceuv.models.faces.base import FaceModel


@pytest.fixture(scope="module")
def model():
    return Face.mean(face_model={"type": "ProceduralFace", "rows": 97, "columns": 81}).face_model


def named(model: FaceModel, expression: list[str], **metadata) -> FaceModel:
    """The model with other names for its expressions."""
    return FaceModel(model.arrays(), names={"expression": expression}, metadata=metadata)


def test_the_52_names_and_their_sides():
    assert len(NAMES) == len(set(NAMES)) == 52
    assert sum(name.endswith("Left") for name in NAMES) == sum(name.endswith("Right") for name in NAMES) == 20
    assert NAMES[0] == "eyeBlinkLeft" and NAMES[-1] == "tongueOut" and len(GAZE) == 8
    assert all(mirrored_name(mirrored_name(name)) == name for name in NAMES)
    assert mirrored_name("jawLeft") == "jawRight" and mirrored_name("jawOpen") == "jawOpen"


@pytest.mark.parametrize("given", ["EyeBlinkLeft", "eyeBlink_L", "eye_blink_left", "EYEBLINKLEFT"])
def test_other_spellings(given):
    assert arkit_name(given) == "eyeBlinkLeft"


def test_an_unknown_name_says_the_closest():
    with pytest.raises(InputError, match=r"'jawOpne' is not one of ARKit's 52 blend shapes; did you mean 'jawOpen'"):
        amounts_row({"jawOpne": 1.0})


@pytest.mark.parametrize("amount", [1.2, -0.1, float("nan"), "wide", True])
def test_bad_amounts_are_one_line(model, amount):
    with pytest.raises(InputError, match="jawOpen") as caught:
        model.arkit_coefficients({"jawOpen": amount})
    assert "\n" not in str(caught.value)


def test_an_overshoot_only_if_asked_for(model):
    with pytest.raises(InputError, match="most=2 allows an overshoot"):
        model.arkit_coefficients({"jawOpen": 1.3})
    more = model.arkit_coefficients({"jawOpen": 1.3}, most=1.5)
    assert torch.allclose(more, 1.3 * model.arkit_coefficients({"jawOpen": 1.0}))
    with pytest.raises(InputError, match="most"):
        check_amounts(torch.zeros(52), most=5)


def test_one_shape_by_two_spellings_is_refused(model):
    with pytest.raises(InputError, match="same blend shape"):
        model.arkit_coefficients({"jawOpen": 0.1, "JawOpen": 0.2})


def test_what_the_procedural_face_expresses(model):
    table = model.arkit_table()
    assert table.source == "procedural"
    assert set(table.missing) == {*GAZE, "tongueOut"}
    with pytest.raises(InputError, match="cannot express tongueOut; it expresses 43 of the 52"):
        model.arkit_coefficients({"tongueOut": 0.5})
    assert not model.arkit_coefficients({"tongueOut": 0.5}, strict=False).any()


def _motion(model, **amounts):
    expression = model.arkit_coefficients(amounts)
    rest = torch.zeros_like(expression)
    identity = torch.zeros(1, model.layout.identity)
    return (model.shape(identity, expression) - model.shape(identity, rest))[0]


def test_left_is_the_subjects_left(model):
    """Left shapes move vertices at x > 0; jawLeft moves the chin toward +x."""
    for name in model.arkit_table().expressible:
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            size = _motion(model, **{name: 1.0}).norm(dim=1)
            assert (size * model.mean[:, 0]).sum() / size.sum() > 0.02, name
    assert _motion(model, jawLeft=1.0)[model.landmarks[8], 0] > 0.03
    assert _motion(model, mouthLeft=1.0)[model.landmarks[57], 0] > 0.03


def test_every_pair_is_a_mirror_image(model):
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for name in model.arkit_table().expressible:
        left, right = _motion(model, **{name: 1.0}), _motion(model, **{mirrored_name(name): 1.0})
        assert torch.allclose(left[model.mirror] * flip, right, atol=2e-3), name


DIRECTIONS = {  # landmark, axis, sign
    "jawOpen": (8, 1, -1), "jawForward": (8, 2, 1), "mouthSmileLeft": (54, 1, 1), "mouthFrownLeft": (54, 1, -1),
    "mouthSmileRight": (48, 1, 1), "mouthPucker": (57, 2, 1), "browInnerUp": (21, 1, 1), "browDownLeft": (23, 1, -1),
    "browOuterUpRight": (18, 1, 1), "eyeBlinkLeft": (43, 1, -1), "eyeWideRight": (37, 1, 1),
    "mouthUpperUpLeft": (63, 1, 1), "mouthLowerDownRight": (67, 1, -1), "mouthClose": (66, 1, 1),
    "mouthStretchLeft": (54, 0, 1), "mouthRollLower": (57, 2, -1),
}  # fmt: skip


@pytest.mark.parametrize("name", DIRECTIONS)
def test_shapes_move_landmarks_the_right_way(model, name):
    landmark, axis, sign = DIRECTIONS[name]
    assert sign * _motion(model, **{name: 1.0})[model.landmarks[landmark], axis] > 0.005


def test_there_and_back(model):
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 52, generator=generator) * (torch.rand(3, 52, generator=generator) < 0.2)
    expression = model.arkit_coefficients(weights, strict=False)
    found = model.arkit_weights(expression)
    assert found.weights.shape == (3, 52) and (found.weights >= 0).all() and (found.weights <= 1).all()
    assert (found.residual < 0.02).all()  # mm: the same motion, whichever of several mixtures is found
    again = model.arkit_coefficients(found.weights)
    assert torch.allclose(again, expression, atol=0.05)


def test_what_no_amounts_can_reach_is_a_residual(model):
    expression = torch.zeros(1, model.layout.expression)
    expression[0, model.mode_index("expression", "jaw_open")] = -3.0  # closes the jaw beyond the teeth
    found = model.arkit_weights(expression)
    size = (expression @ model.expression_basis.flatten(0, 1).T).view(-1, 3).square().sum(1).mean().sqrt() * 100
    assert 0.3 < float(found.residual / size) <= 1.0


def test_names_of_arkit_are_an_identity_and_split_ones_are_joined(model):
    names = [f"mode_{k}" for k in range(model.layout.expression)]
    names[3], names[5], names[6] = "jawOpen", "browInnerUpLeft", "browInnerUpRight"
    table = named(model, names, full_expression=dict.fromkeys(names, 1.0)).arkit_table()
    assert table.source == "names" and table.expressible == ("jawOpen", "browInnerUp")
    assert table.matrix[NAMES.index("jawOpen")].nonzero().flatten().tolist() == [3]
    assert table.matrix[NAMES.index("browInnerUp")].nonzero().flatten().tolist() == [5, 6]
    assert table.matrix.max() == 1.0


def test_a_model_brings_its_own_table(model):
    own = {"mouthLeft": {"mouth_left": 0.5}, "mouthRight": {"mouth_left": -0.5}}
    table = named(model, model.mode_names["expression"], **{**model.metadata, "arkit": own}).arkit_table()
    full = model.metadata["full_expression"]["mouth_left"]
    column = model.mode_index("expression", "mouth_left")
    assert table.source == "metadata" and table.expressible == ("mouthLeft", "mouthRight")
    assert table.matrix[NAMES.index("mouthRight"), column] == -0.5 * full
    for bad in ({"jawOpen": 1.0}, {"jawOpen": {"no_such": 1.0}}, {"jawOpne": {"jaw_open": 1.0}}, ["jawOpen"]):
        with pytest.raises(InputError):
            named(model, model.mode_names["expression"], **{**model.metadata, "arkit": bad}).arkit_table()


def test_modes_without_names_are_solved_by_motion(model):
    """The same head with its modes mixed and nameless: the solved shapes move it as the named ones do."""
    turn = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(1))).Q
    arrays = model.arrays() | {"expression_basis": model.expression_basis @ turn}
    nameless = FaceModel(arrays)
    table = nameless.arkit_table()
    assert table.source == "solved" and set(table.missing) >= {*GAZE, "tongueOut"}
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "mouthPucker"):
        assert table.explained[name] > 0.9, name
        assert torch.allclose(_motion(nameless, **{name: 1.0}), _motion(model, **{name: 1.0}), atol=0.05), name


def test_faces(model):
    face = Face.random(3, face_model=model)
    moved = face.with_arkit(jawOpen=0.4, eyeBlinkLeft=1)
    names = model.mode_names["expression"]
    full = model.metadata["full_expression"]
    column = names.index("jaw_open")
    assert moved.coefficients.expression[0, column] == pytest.approx(0.4 * full["jaw_open"])
    other = names.index("frown_right")
    assert moved.coefficients.expression[0, other] == face.coefficients.expression[0, other]
    closed = moved.with_arkit(jawOpen=0)
    assert closed.coefficients.expression[0, column] == 0
    assert closed.coefficients.expression[0, names.index("blink_left")] == pytest.approx(full["blink_left"])
    weights = Face.mean(face_model=model).with_arkit(jawOpen=0.4).arkit_weights().weights
    assert weights[0, NAMES.index("jawOpen")] == pytest.approx(0.4, abs=0.02)
    with pytest.raises(InputError, match="not both"):
        face.with_arkit(torch.zeros(52), jawOpen=1)
    with pytest.raises(InputError, match=r"\(B, 52\)"):
        face.with_arkit(torch.zeros(51))


def test_gaze_as_amounts():
    right = gaze_amounts(35, 0)  # the viewer's right: the subject's left eye looks out
    assert right["eyeLookOutLeft"] == right["eyeLookInRight"] == 1.0
    assert right["eyeLookInLeft"] == right["eyeLookOutRight"] == right["eyeLookUpLeft"] == 0.0
    down = gaze_amounts(0, 15)
    assert down["eyeLookDownLeft"] == down["eyeLookDownRight"] == 0.5 and down["eyeLookUpLeft"] == 0
    for angles in ((50, 0), (0, 40), (0, -30), (float("nan"), 0)):
        with pytest.raises(InputError):
            gaze_amounts(*angles)


def test_a_head_without_eyes_that_turn_cannot_look(model):
    with pytest.raises(InputError, match="no eyes that turn"):
        Face.mean(face_model=model).with_gaze(10, 0)


def test_a_head_with_eyes_looks(model):
    names = [f"mode_{k}" for k in range(model.layout.expression)]
    names[:8] = GAZE
    head = named(model, names, full_expression=dict.fromkeys(names, 1.0))
    looking = Face.mean(face_model=head).with_gaze(17.5, 0)
    assert looking.coefficients.expression[0, names.index("eyeLookOutLeft")] == pytest.approx(0.5)
    assert looking.coefficients.expression[0, names.index("eyeLookInLeft")] == 0
