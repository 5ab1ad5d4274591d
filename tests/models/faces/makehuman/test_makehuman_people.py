"""Who MakeHuman's heads are and how they move: macros, random people, the 52 movements, all that takes a model."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv import Face
from faceuv.errors import InputError
from faceuv.fitting import Fitter, Landmarks
from faceuv.models.faces import FaceRenderer, MakeHuman
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.structures import Coefficients, UVMaps

SIDES = ("left", "right")


def shape(model: MakeHuman, **traits: object) -> torch.Tensor:
    return model.shape(model.identity_coefficients(**traits), torch.zeros(1, 52))[0]


def head_height(model: MakeHuman, vertices: torch.Tensor) -> float:
    return float(vertices[:, 1].max() - vertices[model.landmarks[8], 1])


def test_modes_have_names_and_a_measured_size(makehuman):
    names = makehuman.mode_names["identity"]
    assert names[:6] == ["age", "gender", "african", "asian", "weight", "muscle"]
    assert sum(name.startswith("detail_") for name in names) == 80
    weight = makehuman.metadata["identity_rms_mm"]
    assert weight.keys() == set(names)
    assert weight["detail_00"] > 1.5
    field = makehuman.identity_basis[..., names.index("detail_00")]
    skin = makehuman.faces[makehuman.faces_of("skin")]
    skin = skin[makehuman.mean[skin, 1].amin(1) > -0.6]  # without neck and shoulders
    a, b, c = makehuman.mean[skin].unbind(1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1)
    rms = 100 * float(((field[skin].pow(2).sum(-1).mean(1) * area).sum() / area.sum()).sqrt())
    assert rms == pytest.approx(weight["detail_00"], rel=0.25)


def test_the_linear_modes_hold_makehumans_own_mixture(makehuman):
    """The head of a Caucasian man of 90 against the exact sum of MakeHuman's targets, from its files."""
    from faceuv.models.faces.makehuman.build import _centre, _midpoint_weights
    from faceuv.models.faces.makehuman.identity import average
    from faceuv.models.faces.makehuman.source import MakeHumanData
    from faceuv.models.faces.makehuman.surface import build_surface

    data = MakeHumanData()
    person = average(data)
    surface = build_surface(data, person, 1)
    eyes = _midpoint_weights(data, person, {side: _centre(data, person, side) for side in SIDES})
    own = data.base.vertices.copy()
    own += data.macro("caucasian-male-old") + data.macro("universal-male-old-averagemuscle-averageweight")
    exact = torch.from_numpy(surface.rest @ own + surface.offset - eyes @ own).float()
    modelled = shape(makehuman, age=90, gender="male", ethnicity="caucasian")
    head = torch.from_numpy(surface.vertices_of("head"))
    difference = (modelled[: len(exact)] - exact)[head]  # the cap comes after
    difference = difference - difference.mean(0)  # of the frame
    assert 100 * float(difference.norm(dim=1).max()) < 0.3
    assert makehuman.metadata["macro_error_mm"]["median"] < 0.02
    assert makehuman.metadata["macro_error_mm"]["largest"] < 0.2


def test_children_are_small_and_men_are_larger_than_women(makehuman):
    adult = head_height(makehuman, shape(makehuman, age=25))
    assert 0.65 < head_height(makehuman, shape(makehuman, age=5)) / adult < 0.9
    woman, man = (shape(makehuman, age=25, gender=gender) for gender in ("female", "male"))
    assert head_height(makehuman, man) > 1.03 * head_height(makehuman, woman)
    african, caucasian = (shape(makehuman, age=25, ethnicity=who) for who in ("african", "caucasian"))

    def nose_width(vertices: torch.Tensor) -> float:
        return float((vertices[makehuman.landmarks[35]] - vertices[makehuman.landmarks[31]]).norm())

    assert nose_width(african) > 1.1 * nose_width(caucasian)
    thin, fat = (shape(makehuman, weight=weight) for weight in (0.0, 1.0))
    cheek = makehuman.landmarks[13]
    assert float(fat[cheek, 0] - thin[cheek, 0]) > 0.01


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"age": 200}, "age must be a number from 3 to 90, got 200"),
        ({"age": "old"}, "age must be a number"),
        ({"gender": "man"}, "gender must be 'female', 'male' or a number"),
        ({"ethnicity": "martian"}, "ethnicity must be one of african, asian, caucasian"),
        ({"ethnicity": {"asian": 0.0}}, "positive sum"),
        ({"weight": float("nan")}, "weight must be a number from 0 to 1"),
        ({"height": 1.0}, "does not know the trait 'height'; it knows: age, gender"),
    ],
)
def test_bad_traits(makehuman, traits, message):
    with pytest.raises(InputError, match=message):
        makehuman.identity_coefficients(**traits)
    with pytest.raises(InputError, match=message):
        Face.random(1, face_model=makehuman, **traits)


def test_random_people(makehuman):
    one, again, other = (Face.random(seed, face_model=makehuman) for seed in (7, 7, 8))
    assert torch.equal(one.coefficients.data, again.coefficients.data)
    assert not torch.equal(one.coefficients.identity, other.coefficients.identity)
    child = Face.random(7, face_model=makehuman, age=6)
    old = Face.random(7, face_model=makehuman, age=80)
    details = makehuman.mode_names["identity"].index("detail_00")
    assert torch.equal(child.coefficients.identity[:, details:], old.coefficients.identity[:, details:])
    heights = [head_height(makehuman, face.vertices()) for face in (child, old)]
    assert heights[0] < 0.92 * heights[1]
    dark, pale = (Face.random(3, face_model=makehuman, ethnicity=who) for who in ("african", "caucasian"))
    skin = makehuman.skin_mask
    tone = [float(makehuman.albedo(face.coefficients.albedo)[0, skin].mean()) for face in (dark, pale)]
    assert tone[0] < tone[1] - 0.1


def test_random_expressions_are_possible(makehuman):
    names = makehuman.mode_names["expression"]
    for seed in range(40):
        moved = Face.random(seed, face_model=makehuman, texture_size=None).coefficients.expression[0]
        value = dict(zip(names, moved.tolist()))
        assert float(moved.min()) >= 0
        assert float(moved.max()) <= 1
        assert value["tongueOut"] <= value["jawOpen"]
        assert value["mouthClose"] <= value["jawOpen"]
        assert value["eyeLookInLeft"] == value["eyeLookOutRight"]
        assert value["eyeLookUpLeft"] == value["eyeLookUpRight"]


def test_all_52_movements_by_their_arkit_names(makehuman):
    from faceuv.models.faces.arkit import NAMES

    names = makehuman.mode_names["expression"]
    assert set(names) == set(NAMES)
    assert makehuman.expression_limits.tolist() == [[0.0, 1.0]] * 52
    assert set(makehuman.metadata["full_expression"].values()) == {1.0}
    move = 100 * makehuman.expression_basis.norm(dim=1)  # (V, 52) mm
    assert float(move.amax(0).min()) > 1.0  # none is empty
    assert torch.equal(
        makehuman.expression_coefficients(jawOpen=0.4).nonzero()[:, 1], torch.tensor([names.index("jawOpen")])
    )


def test_the_jaw_takes_the_lower_teeth_and_the_tongue_along(makehuman):
    opened = makehuman.expression_basis[..., makehuman.mode_index("expression", "jawOpen")]
    teeth, tongue = makehuman.vertices_of("teeth"), makehuman.vertices_of("tongue")
    upper = teeth & (makehuman.mean[:, 1] > makehuman.mean[teeth, 1].mean())
    lower = teeth & ~upper
    assert float(opened[lower, 1].mean()) < -0.04
    assert float(opened[tongue, 1].mean()) < -0.01
    assert float(opened[upper].norm(dim=1).mean()) < 0.01
    out = makehuman.expression_basis[..., makehuman.mode_index("expression", "tongueOut")]
    assert float(out[tongue, 2].max()) > 0.2


def test_looking_turns_the_eyeballs_about_their_joints(makehuman):
    joints = makehuman.joints(makehuman.mean[None])[0]
    for number, side in enumerate(SIDES):
        ball = makehuman.vertices_of(f"sclera_{side}", f"iris_{side}")
        arms = makehuman.mean[ball] - joints[2 + number]
        pupil = arms[:, 2].argmax()
        for way, degrees in makehuman.metadata["eye_look_deg"].items():
            column = makehuman.mode_index("expression", f"eyeLook{way}{side.capitalize()}")
            turned = arms + makehuman.expression_basis[ball, :, column]
            assert torch.allclose(turned.norm(dim=1), arms.norm(dim=1), atol=1e-3)
            cosine = torch.cosine_similarity(turned[pupil], arms[pupil], dim=0)
            assert math.degrees(math.acos(float(cosine))) == pytest.approx(degrees, abs=0.3)
            goes = turned[pupil] - arms[pupil]
            outward = 1.0 if side == "left" else -1.0
            sign = {"In": goes[0] * -outward, "Out": goes[0] * outward, "Up": goes[1], "Down": -goes[1]}[way]
            assert float(sign) > 0.01


@pytest.mark.parametrize("age", [5, 30, 80])
def test_the_shape_tells_the_age_and_the_skin_follows(makehuman, age):
    people = [makehuman.random_coefficients(torch.Generator().manual_seed(seed), age=age) for seed in range(4)]
    assert [makehuman.likely_age(person) for person in people] == pytest.approx([age] * 4, abs=5.0)
    by_shape = Face(people[0], makehuman, Face.mean().renderer).with_detail(1, 64)
    told, other = (by_shape.with_detail(1, 64, age=years) for years in (makehuman.likely_age(people[0]), 55))
    assert torch.equal(by_shape.maps.diffuse, told.maps.diffuse)
    assert not torch.equal(by_shape.maps.diffuse, other.maps.diffuse)


def test_details_of_random_people_stay_likely(makehuman):
    names = makehuman.mode_names["identity"]
    details = [k for k, name in enumerate(names) if name.startswith("detail")]
    drawn = [makehuman.random_coefficients(torch.Generator().manual_seed(seed)).identity for seed in range(30)]
    amounts = torch.cat(drawn)[:, details]
    assert amounts.abs().max() < 1.5 and 0.6 < float(amounts.std()) < 0.8


def test_renders_masks_maps_and_files(makehuman, tmp_path):
    face = Face.random(5, face_model=makehuman, gender="female")
    assert face.render(96, yaw_deg=40, centred=True).shape == (3, 96, 96)
    renderer = FaceRenderer(makehuman, normals="map")
    coefficients = Coefficients.zeros(1, makehuman.layout).replace(lighting=face.coefficients.lighting)
    maps = UVMaps(diffuse=torch.full((1, 3, 64, 64), 0.6), displacement=torch.zeros(1, 3, 64, 64))
    drawn = renderer(coefficients, maps, size=64)
    assert float(drawn.mask.mean()) > 0.2
    for rule in ("gradient", "splat", "visibility"):
        mask = renderer.view_mask(coefficients, maps, size=64, map_size=64, rule=rule)
        assert 0 < float(mask.mean()) < 1, rule
    for name in ("face.glb", "face.obj", "face.ply"):
        assert face.save(tmp_path / name).stat().st_size > 10_000
    kept = Face.load(face.save(tmp_path / "face.safetensors"))
    assert type(kept.face_model) is MakeHuman
    assert torch.allclose(kept.vertices(), face.vertices(), atol=1e-5)


def test_a_fit_finds_the_head(makehuman):
    true = Face.random(11, face_model=makehuman, age=30)
    rotated = true.with_pose(yaw_deg=15)
    image = rotated.render(128)[None]
    points, _ = LandmarkTruth(makehuman)(rotated.coefficients, 128)
    landmarks = Landmarks(points, torch.ones(1, dtype=torch.bool), torch.ones(1))
    fit = Fitter(makehuman, "torch").fit(image, landmarks)
    assert bool(fit.ok[0]), fit.reasons
    yaw = math.degrees(float(fit.coefficients.rotation[0, 1]))
    assert yaw == pytest.approx(15, abs=4)
