"""ICT-FaceKit as a whole head: what the contract of face models promises, on the real numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceuv.errors import AssetError
from faceuv.geometry.normals import face_normals
from faceuv.geometry.projection import pose
from faceuv.models.faces import FaceRenderer, ICTFaceKit, ProceduralFace
from faceuv.models.faces.procedural.landmarks import MIRROR
from faceuv.registry import FACE_MODELS, RENDERERS
from faceuv.structures import Coefficients, Mesh
from tests.support.ict import ict_model, published


@pytest.fixture(scope="module")
def model():
    return ict_model()


def test_sizes(model):
    assert model.mean.shape == (29128, 3)
    assert (model.layout.identity, model.layout.expression) == (100, 57)
    assert model.layout.albedo >= 3
    assert model.metadata["licence"]["name"] == "MIT" and model.metadata["licence"]["commercial"] == "yes"


def test_the_eyes_are_where_the_procedural_face_has_them(model):
    plain = ProceduralFace(rows=61, columns=49, cache=False, verbose=False)
    middle = model.mean[model.landmarks[36:48]].mean(0)
    torch.testing.assert_close(middle, torch.tensor([0.0, 0.2974, 0.1831]), atol=1e-4, rtol=0)
    assert abs(float(plain.mean[plain.landmarks[36:48]].mean(0)[1]) - 0.2974) < 0.02


def test_a_head_has_its_real_size(model):
    eyes = model.mean[model.landmarks[[36, 45]]]
    assert 0.8 < float((eyes[1] - eyes[0]).norm()) < 1.0  # decimetres between the outer corners
    assert 3.2 < float(model.mean[:, 1].max() - model.mean[:, 1].min()) < 3.6  # crown to chest


def test_left_is_the_subjects_left(model):
    x = model.mean[:, 0]
    for part in ("sclera_left", "iris_left"):
        assert (x[model.vertices_of(part)] > 0).all()
    assert (x[model.landmarks[42:48]] > 0).all() and (x[model.landmarks[36:42]] < 0).all()
    for name in model.mode_names["expression"]:
        moved = model.expression_basis[:, :, model.mode_index("expression", name)].norm(dim=1)
        if name.endswith(("Left", "Right")) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            side = float((moved * x).sum() / moved.sum())
            assert side > 0.05 if name.endswith("Left") else side < -0.05, name
    for name, sign in (("jawLeft", 1), ("jawRight", -1), ("mouthLeft", 1), ("mouthRight", -1)):
        assert sign * float(model.expression_basis[:, 0, model.mode_index("expression", name)].sum()) > 0


def test_the_mirror_is_exact(model):
    own = torch.arange(len(model.mean))
    assert torch.equal(model.mirror[model.mirror], own)
    flipped = model.mean[model.mirror] * torch.tensor([-1.0, 1, 1])
    assert float((flipped - model.mean).norm(dim=1).max()) < 0.004  # the published mesh is that symmetric
    mirrored = model.landmarks[list(MIRROR)]
    assert torch.equal(model.mirror[model.landmarks], mirrored)
    faces = {tuple(sorted(face)) for face in model.faces.tolist()}
    turned = {tuple(sorted(face)) for face in model.mirror[model.faces].tolist()}
    assert len(faces & turned) > 0.995 * len(faces)


def test_faces_look_outward(model):
    skin = model.faces_of("skin")
    normals = face_normals(model.mean[None], model.faces)[0]
    centres = model.mean[model.faces].mean(1)
    forehead = skin & (centres[:, 1] > 0.6)
    outward = centres[forehead] - torch.tensor([0.0, 0.6, -0.7])
    assert ((normals[forehead] * outward).sum(1) > 0).float().mean() > 0.99


def test_parts_and_layers(model):
    wanted = {"skin", "inner_mouth", "gums", "tongue", "teeth", "sclera_left", "iris_left", "cornea_right", "lashes"}
    assert wanted <= set(model.part_names)
    drawn = {model.part_names[k] for k in model.part.unique()}
    layers = {model.part_names[k] for k in model.layer_part.unique()}
    assert not drawn & layers
    assert layers == {"cornea_left", "cornea_right", "lacrimal", "eye_blend", "eye_occlusion", "lashes"}
    assert int(model.faces_of("sclera_left").sum()) == int(model.faces_of("sclera_right").sum())
    tongue = model.mean[model.vertices_of("tongue")]
    assert float(tongue[:, 0].abs().max()) < 0.25  # between the teeth


def test_polygons_are_the_faces(model):
    quads = (model.polygons[:, 3] >= 0).sum()
    assert len(model.faces) == len(model.polygons) + quads
    assert torch.equal(model.polygon_part.unique(), model.part.unique())


def test_copies_of_a_seam_move_together(model):
    for basis in (model.identity_basis, model.expression_basis):
        assert torch.equal(basis, basis[model.weld])
    assert int((model.weld != torch.arange(len(model.weld))).sum()) == 28911 - 26719


def test_charts_do_not_overlap_and_the_face_has_most_texels(model):
    corners = model.uv[model.faces].double()
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).abs()
    covered = float(model.uv_mask(1024, 1024).mean())
    assert abs(float(area.sum()) - covered) < 0.004  # twice-covered texels would make the areas larger
    face = model.faces_of("skin") & (corners[:, :, 0].amax(1) < 0.75) & (corners[:, :, 1].amax(1) < 0.75)
    assert float(area[face].sum()) > 0.5 and float(area[face].sum()) > 0.6 * float(area.sum())
    assert float(model.uv.min()) > 1 / 1024 and float(model.uv.max()) < 1 - 1 / 1024


def test_up_is_up_in_the_atlas(model):
    place = model.uv[model.landmarks]
    assert (place[[8], 1] > place[27:48, 1]).all()  # the chin lies below nose and eyes
    assert (place[42:48, 0] > place[36:42, 0].max()).all()  # and the subject's left eye right of the right one


def test_joints_follow_the_identity(model, generator):
    rest = model.joints(model.mean[None])[0]
    neck, head, left, right = rest
    assert model.metadata["joints"] == ["neck", "head", "eye_left", "eye_right"]
    assert neck[1] < head[1] < left[1] and left[0] > 0.25 and right[0] < -0.25
    identity = torch.randn(4, 100, generator=generator)
    shape = model.shape(identity, torch.zeros(4, 57))
    ball = model.vertices_of("sclera_left")
    distance = (shape[:, ball] - model.joints(shape)[:, 2:3]).norm(dim=2)
    assert float(distance.std(1).max()) < 0.008  # the joint stays the middle of the ball
    weights = model.skin_weights
    assert (weights[model.vertices_of("sclera_left", "iris_left"), 2] == 1).all()
    assert (weights[model.landmarks, 1] > 0.999).all()
    assert float(weights[model.mean[:, 1] < -1.6, 0].min()) > 0.99


def test_skin_mask_is_the_plain_skin_of_the_face(model):
    skin = model.skin_mask
    assert 0.1 < float(skin.float().mean()) < 0.4
    assert not skin[model.vertices_of("teeth", "sclera_left", "iris_right", "inner_mouth", "gums", "tongue")].any()
    assert not skin[model.landmarks[17:27]].any() and not skin[model.landmarks[36:60]].any()
    assert torch.equal(skin, skin[model.mirror]) or float((skin != skin[model.mirror]).float().mean()) < 0.002
    assert skin[model.landmarks[[30]]].all()


def test_contour_lines_lead_from_the_landmark_over_the_cheek(model):
    assert torch.equal(model.contour[:, 0], model.landmarks[:17])
    assert torch.equal(model.mirror[model.contour[:8]], model.contour[9:].flip(0))
    for k in range(8):
        line = model.mean[model.contour[k, 1:]]
        assert (line[:-1, 2] - line[1:, 2]).min() > -0.06  # from the cheek backwards
        assert (line[:, 1] - model.mean[model.landmarks[k], 1]).abs().max() < 0.08


@pytest.mark.parametrize("side", ["left", "right"])
def test_eyes_look_straight_ahead(model, side):
    """The cornea's foremost point and the pupil lie in front of the joint."""
    joint = model.joints(model.mean[None])[0, model.metadata["joints"].index(f"eye_{side}")]
    cornea = model.mean[model.layer_faces[model.layer_part == model.part_names.index(f"cornea_{side}")].unique()]
    pole = cornea[(cornea - joint).norm(dim=1).argmax()] - joint
    assert float(pole[:2].norm() / pole.norm()) < 0.01  # within 0.6°
    near = model.mean[model.vertices_of(f"iris_{side}")] - joint
    front = near[near[:, 2] > float(near[:, 2].max()) - 0.005]
    assert float(front[:, :2].mean(0).norm() / front[:, 2].mean()) < 0.03


def test_a_pupil_is_dark_from_the_front(model):
    """It is a hole in the iris: what is seen through it is the back of the shell."""
    colours = model.albedo(torch.zeros(1, model.layout.albedo))
    move = torch.tensor([[0.0, 0.0, 6.0]]) - model.joints(model.mean[None])[:, 2] * torch.tensor([1.0, 1.0, 0.0])
    world = pose(model.mean[None], torch.zeros(1, 3), move)
    drawn = RENDERERS.build("torch")(
        Mesh(world, model.faces, model.uv), height=65, width=65, vertex_colours=colours, lighting=None, background=1.0
    )
    assert float(drawn.image[0, :, 31:34, 31:34].mean()) < 0.1


def test_looking_aside_turns_the_eye(model):
    iris, sclera = model.vertices_of("iris_left"), model.vertices_of("sclera_left")
    for name, axis, sign in (
        ("eyeLookOutLeft", 0, 1),
        ("eyeLookInLeft", 0, -1),
        ("eyeLookUpLeft", 1, 1),
        ("eyeLookDownLeft", 1, -1),
    ):
        shape = model.shape(torch.zeros(1, 100), model.expression_coefficients(**{name: 1.0}))
        moved = shape[0] - model.mean
        front = iris & (model.mean[:, 2] > float(model.mean[iris, 2].max()) - 0.02)
        assert sign * float(moved[front, axis].mean()) > 0.04, name
        middle = model.joints(shape)[0, 2]
        assert float((shape[0, sclera] - middle).norm(dim=1).std()) < 0.008, name


def test_albedo(model):
    assert 0 <= float(model.mean_albedo.min()) and float(model.mean_albedo.max()) <= 1
    iris, white = (model.vertices_of(part) for part in ("iris_left", "sclera_left"))
    middle = model.mean[model.landmarks[42:48]].mean(0)
    away = (model.mean - middle).abs()
    white &= (away[:, 1] < 0.025) & (away[:, 0] > 0.075) & (away[:, 0] < 0.1) & (model.mean[:, 2] > middle[2] - 0.08)
    assert white.any() and model.mean_albedo[white].mean() > 0.5 and model.mean_albedo[iris].mean() < 0.45
    melanin = model.albedo_basis[..., model.mode_index("albedo", "melanin")]
    assert (melanin[model.skin_mask] < 0).all() and melanin[model.skin_mask].mean() < -0.075
    assert (model.albedo_basis.abs().amax((0, 1)) > 0.001).all()


def test_saved_and_read(model, tmp_path, monkeypatch):
    path = model.save(tmp_path / "ict_facekit.safetensors")
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path))
    again = FACE_MODELS.build(dict(type="ICTFaceKit"))
    assert ICTFaceKit.missing_assets() == []
    for name, array in model.arrays().items():
        assert torch.equal(array, again.arrays()[name]), name
    assert again.mode_names == model.mode_names and again.metadata["parts"] == model.metadata["parts"]
    assert ICTFaceKit(path).config() == {"type": "ICTFaceKit", "path": str(path)}


def test_not_converted_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(AssetError) as caught:
        ICTFaceKit()
    for word in ("github.com/ICT-VGL/ICT-FaceKit", "MIT", "faceuv convert ict", "ict_facekit.safetensors"):
        assert word in str(caught.value)
    assert [one.command for one in ICTFaceKit.missing_assets()] == ["faceuv convert ict ICT-FaceKit"]


def test_another_models_file(tmp_path):
    path = ProceduralFace(rows=61, columns=49, cache=False, verbose=False).save(tmp_path / "plain.safetensors")
    with pytest.raises(AssetError, match="holds the face model 'ProceduralFace', expected 'ICTFaceKit'"):
        ICTFaceKit(path)


def test_swapped_sides_are_noticed():
    """Topology that is not symmetric has no mirror."""
    from faceuv.models.faces.ict.mirror import mirrored_corners

    real = published()
    corners = real.corners[..., 0].copy()
    corners[100] = np.roll(corners[100][::-1], 1)  # one face that winds the other way
    with pytest.raises(AssetError, match="the faces are not symmetric"):
        mirrored_corners(corners, real.vertices)


def test_drawn_from_the_front_it_is_a_head(model):
    drawn = FaceRenderer(model)(Coefficients.zeros(1, model.layout), size=96, background=0.0, lighting=False)
    assert 0.3 < float(drawn.mask.mean()) < 0.8
