"""Lips touch at rest and blinking eyes shut, for everybody."""

from __future__ import annotations

import pytest
import torch

from faceuv import Face
from faceuv.errors import AssetError
from faceuv.export.movements import Movements
from faceuv.geometry.projection import pose
from faceuv.models.faces import FaceModel, ICTFaceKit
from faceuv.registry import RENDERERS
from faceuv.structures import Mesh
from tests.support.ict import ict_model

EYES = ("sclera_left", "sclera_right", "iris_left", "iris_right")
BOTH = dict(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)


@pytest.fixture(scope="module")
def model():
    return ict_model()


def people(model, count):
    identity = 0.85 * torch.randn(count, 100, generator=torch.Generator().manual_seed(1))
    identity[0] = 0
    return identity


def seen(model, shape, parts, pitch=0.0, height=-0.2):
    """Pixels of parts in each picture: close-ups of the face, moved up by ``height``."""
    size = 384
    rotation = torch.tensor([[pitch, 0.0, 0.0]]).expand(len(shape), -1)
    world = pose(shape, rotation, torch.tensor([[0.0, height, 4.5]]).expand(len(shape), -1))
    look = RENDERERS.build("torch").look(Mesh(world, model.faces, model.uv), height=size, width=size)
    wanted = torch.cat([model.faces_of(*parts), torch.zeros(1, dtype=torch.bool)])  # −1 is the background
    return wanted[look.face_id].sum((1, 2))


@pytest.mark.parametrize("pitch", [-0.35, 0.0, 0.25])
def test_a_blink_hides_the_eyes_of_everybody(model, pitch):
    identity = people(model, 6)
    open_eyes = model.shape(identity, torch.zeros(6, 57))
    shut = model.shape(identity, model.expression_coefficients(**BOTH).expand(6, -1))
    assert (seen(model, open_eyes, EYES) > 800).all()
    assert (seen(model, shut, EYES, pitch) <= 8).all()


@pytest.mark.parametrize("seed", [2, 9])
def test_no_eyeball_stands_out_of_a_shut_lid(model, seed):
    """These people's eyes bulge more than their lids."""
    identity = Face.random(seed, face_model=model, texture_size=None).coefficients.identity
    shut = model.shape(identity, model.expression_coefficients(**BOTH))
    for pitch in (-0.3, 0.0, 0.25):
        assert int(seen(model, shut, EYES, pitch)) <= 2


def test_without_the_correction_eyes_would_show(model):
    identity = people(model, 6)
    blink = model.expression_coefficients(**BOTH).expand(6, -1)
    plain = FaceModel.shape(model, identity, blink)
    assert int(seen(model, plain, EYES).max()) > 100


def test_half_a_blink_and_one_eye(model):
    identity = people(model, 3)
    half, none = (model.expression_coefficients(eyeBlinkLeft=amount).expand(3, -1) for amount in (0.5, 0.0))
    moved = (model.shape(identity, half) - model.shape(identity, none)).norm(dim=2)
    assert float(moved[:, model.mean[:, 0] < -0.1].max()) < 3e-3
    full = model.shape(identity, 2 * half) - model.shape(identity, none)
    torch.testing.assert_close(full.norm(dim=2), 2 * moved, atol=1e-5, rtol=1e-4)


def test_the_mouth_is_shut_at_rest(model):
    identity = people(model, 6)
    rest = model.shape(identity, torch.zeros(6, 57))
    inside = ("teeth", "gums", "tongue", "inner_mouth")
    assert (seen(model, rest, ("teeth",), height=0.4) <= 6).all()
    open_mouth = model.shape(identity, model.expression_coefficients(jawOpen=1.0).expand(6, -1))
    assert (seen(model, open_mouth, inside, height=0.4) > 3000).all()


def test_shape_has_gradients(model):
    few = torch.randn(2, 100, generator=torch.Generator().manual_seed(0)).requires_grad_()
    blink = model.expression_coefficients(**BOTH).expand(2, -1).clone().requires_grad_()
    model.shape(few, blink)[:, model.landmarks[37], 1].sum().backward()
    assert few.grad is not None and blink.grad is not None
    assert float(few.grad.abs().sum()) > 0 and float(blink.grad[:, model.blink.columns[1]].abs().min()) > 0


def test_morph_targets_are_the_persons_own(model):
    identity = people(model, 2)[1:]
    general = Movements.of(model)
    own = general.of_person(model, identity)
    rest = model.shape(identity, torch.zeros(1, 57))
    shut = model.shape(identity, model.expression_coefficients(eyeBlinkLeft=1.0))
    lids = torch.from_numpy(own.offsets["eyeBlinkLeft"])
    torch.testing.assert_close(rest[0] + lids, shut[0], atol=1e-5, rtol=0)
    assert float((lids - torch.from_numpy(general.offsets["eyeBlinkLeft"])).abs().max()) > 0.003
    assert own.offsets["jawOpen"] is general.offsets["jawOpen"]


def test_a_file_without_the_blink_is_refused(model, tmp_path):
    class Plain(ICTFaceKit):
        def arrays(self):
            return FaceModel.arrays(self)

    plain = Plain.__new__(Plain)
    FaceModel.__init__(plain, FaceModel.arrays(model), names=model.mode_names, metadata=model.metadata)
    plain.metadata["type"] = "ICTFaceKit"
    path = plain.save(tmp_path / "plain.safetensors")
    with pytest.raises(AssetError, match="missing blink_vertices, blink_heights, blink_spread; convert it again"):
        ICTFaceKit(path)


def test_a_blink_of_another_size_is_refused(model):
    from faceuv.models.faces.blink import check_blink

    arrays = model.blink.arrays()
    check_blink(arrays, 28911, 100, "file", "do it again")
    for name, wrong in (
        ("blink_vertices", arrays["blink_vertices"] + 28911),
        ("blink_heights", arrays["blink_heights"][:, :50]),
        ("blink_spread", arrays["blink_spread"][:, :3]),
    ):
        with pytest.raises(AssetError, match="do not belong to 28911 vertices and 100 identity modes"):
            check_blink({**arrays, name: wrong}, 28911, 100, "file", "do it again")
