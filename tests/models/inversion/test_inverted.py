"""Inverted faces: edited, turned, undone, interpolated, saved; and what cannot be inverted."""

from __future__ import annotations

import pytest
import torch
from inversion_world import shaken

import faceuv
from faceuv import Face
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.faces import FaceModel
from faceuv.models.inversion import InversionGenerator, PivotalTuning, WProjection, invert_with
from faceuv.models.inversion.local import LocalBranch


@pytest.fixture(scope="module")
def face(generator, pictures):
    return generator.invert(pictures[0])


def test_undo_and_opposite_steps_give_the_same_picture_bit_for_bit(face):
    first = face.image()
    edited = face.edit("yaw", 1.5)
    assert not torch.equal(edited.image(), first)
    assert edited.undo() is face
    assert torch.equal(edited.undo().image(), first)
    back = edited.edit("yaw", -1.5)
    assert torch.equal(back.image(), first)
    assert torch.equal(back.maps.diffuse, face.maps.diffuse)
    changed = face.with_expression(smile=1).turn(25).with_lighting("left").edit("yaw", 0.5)
    for _ in range(4):
        changed = changed.undo()
    assert torch.equal(changed.image(), first)
    with pytest.raises(InputError, match="nothing to undo"):
        face.undo()


def test_the_picture_is_that_of_the_face_over_the_photograph(generator, face, pictures):
    shown = face.image()
    drawn = face.face().render_full(generator.size, background=None)
    assert float((shown - pictures[0]).abs()[(drawn.mask[0] == 0).expand(3, -1, -1)].max()) < 0.1
    assert face.image(96).shape == (3, 96, 96)
    bare = generator.invert(pictures[0], detail=False)
    assert bare.delta is None
    assert torch.equal(bare.maps.diffuse, generator.maps(bare.code).diffuse)
    assert not torch.equal(face.maps.diffuse, generator.maps(face.code).diffuse)


def test_a_turned_face_has_the_angle_and_a_mesh_file_has_the_maps(face, tmp_path):
    turned = face.turn(30)
    assert float(turned.coefficients.rotation[0, 1].rad2deg()) == pytest.approx(30, abs=1e-4)
    assert not torch.equal(turned.image(), face.image())
    assert isinstance(turned.face(), Face)
    assert turned.save(tmp_path / "x.glb").stat().st_size > 10_000
    with pytest.raises(InputError, match="yaw_deg must lie in"):
        face.turn(120)
    with pytest.raises(FaceUVError, match="no movement is called 'smil'"):
        face.with_expression(smil=1)
    with pytest.raises(FaceUVError, match="no direction of 'small' is called 'smile'"):
        face.edit("smile", 2)


def test_an_edit_moves_code_and_coefficients_and_fades_the_correction(generator, face):
    edited = face.edit("yaw", 1.0)
    along = generator.directions["yaw"]
    torch.testing.assert_close(edited.code, along.move(face.code, along.scale))
    change = generator.coefficients(edited.code).data - generator.coefficients(face.code).data
    torch.testing.assert_close(edited.coefficients.data, face.coefficients.data + change)
    share = edited.kept_share()
    assert 0 < float(share.min()) < 0.9
    wanted = (generator.maps(edited.code).diffuse + share * face.delta.diffuse).clamp(0, 1)
    torch.testing.assert_close(edited.maps.diffuse, wanted)
    whole = face.edit("yaw", 1.0, mask=False)
    wanted = (generator.maps(edited.code).diffuse + face.delta.diffuse).clamp(0, 1)
    torch.testing.assert_close(whole.maps.diffuse, wanted)


def test_a_code_of_a_rig_keeps_what_the_picture_adds(generator, face):
    code = generator.turn(face.code, 10.0)
    moved = face.with_code(code)
    assert torch.equal(moved.code, code)
    assert not torch.equal(moved.maps.diffuse, generator.maps(code).diffuse)
    assert moved.undo() is face


def test_between_two_faces(generator, pictures):
    a, b = generator.invert_all(pictures[:2])[0]
    start, end = a.interpolate(b, 0.0), a.interpolate(b, 1.0)
    torch.testing.assert_close(start.maps.diffuse, a.maps.diffuse)
    torch.testing.assert_close(end.maps.diffuse, b.maps.diffuse, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(end.coefficients.data, b.coefficients.data)
    middle = a.interpolate(b, 0.5)
    torch.testing.assert_close(middle.code, (a.code + b.code) / 2)
    assert middle.image().shape == (3, 64, 64)


def test_a_saved_face_is_the_same_with_all_its_changes(generator, face, tmp_path):
    changed = face.edit("yaw", 0.7).turn(15, pitch_deg=4).with_expression(smile=0.5).with_lighting("warm")
    again = generator.load_face(changed.save(tmp_path / "face.safetensors"))
    assert torch.equal(again.image(), changed.image())
    assert again.steps == {"yaw": 0.7}
    plain = generator.load_face(face.save(tmp_path / "plain.safetensors"))
    assert torch.equal(plain.image(), face.image())


def test_files_of_other_generators_are_refused_in_one_line(generator, quickstart, face, tmp_path):
    file = face.save(tmp_path / "face.safetensors")
    tensors, facts = load_tensors(file, kind="inverted_face")

    def changed(name, tensors=tensors, **more):
        return save_tensors(tmp_path / f"{name}.safetensors", tensors, {**facts, **more})

    with pytest.raises(InputError, match="saved with the face model 'MakeHuman', 'small' has 'ProceduralFace'"):
        generator.load_face(changed("head", face_model={"type": "MakeHuman"}))
    with pytest.raises(InputError, match="holds a code of another teacher than that of 'small'"):
        generator.load_face(changed("mean", {**tensors, "mean_code": tensors["mean_code"] + 1}))
    with pytest.raises(InputError, match=r"holds a code of shape \(1, 6, 128\).*a code of another teacher"):
        generator.load_face(changed("short", {**tensors, "code": tensors["code"][:, :6].contiguous()}))
    with pytest.raises(AssetError, match="its correction has 32² texels"):
        generator.load_face(changed("small", {**tensors, "diffuse": torch.zeros(1, 3, 32, 32)}))
    with pytest.raises(AssetError, match="lacks coefficients"):
        generator.load_face(changed("less", {k: v for k, v in tensors.items() if k != "coefficients"}))
    with pytest.raises(AssetError, match="code holds NaN"):
        generator.load_face(changed("nan", {**tensors, "code": tensors["code"] * torch.nan}))


def test_the_generator_is_saved_and_loaded_with_its_encoder(generator, pictures, tmp_path):
    again = faceuv.load(generator.save(tmp_path / "generator"))
    assert isinstance(again, InversionGenerator)
    assert set(again.parts()) == {
        "teacher", "mapper", "uv_generator", "stepper", "encoder", "local", "directions",
    }  # fmt: skip
    assert torch.equal(again.invert(pictures[0]).image(), generator.invert(pictures[0]).image())


def test_what_lacks_a_part_says_so(quickstart, generator, pictures):
    with pytest.raises(InputError, match="'quickstart', a StyleFaceUVGenerator, has no encoder of pictures"):
        quickstart.invert(pictures[0])
    q = quickstart
    bare = InversionGenerator(
        q.teacher, q.mapper, q.uv_generator, generator.encoder, q.face_model, stepper=q.stepper, name="bare"
    )
    assert bare.invert(pictures[0]).delta is None
    with pytest.raises(InputError, match="'bare' has no local branch"):
        bare.invert(pictures[0], detail=True)


def test_pictures_that_cannot_be_inverted(generator, pictures):
    broken = pictures.clone()
    broken[1, 0, 3, 3] = torch.nan
    faces, reasons = generator.invert_all(broken)
    assert reasons == ["", "it holds NaN", ""]
    assert [face is None for face in faces] == [False, True, False]
    assert torch.equal(faces[0].image(), generator.invert_all(pictures)[0][0].image())
    with pytest.raises(InputError, match="cannot be inverted: it shows one colour"):
        generator.invert(torch.full((3, 64, 64), 0.2))
    with pytest.raises(InputError, match="squares around an upright face"):
        generator.invert(pictures[0, :, :40])
    with pytest.raises(InputError, match="too small to invert"):
        generator.invert(pictures[0, :, :20, :20])
    with pytest.raises(InputError, match="takes one picture, got 3"):
        generator.invert(pictures)


def test_grey_and_16_bit_pictures_and_other_sizes(generator, pictures):
    grey = (pictures[0].mean(0, keepdim=True) * 65535).round().to(torch.uint16)
    wanted = generator.invert((grey.int().float() / 65535).expand(3, -1, -1)).image()
    torch.testing.assert_close(generator.invert(grey).image(), wanted)
    large = torch.nn.functional.interpolate(pictures[:1], (128, 128), mode="nearest")
    torch.testing.assert_close(
        generator.invert(large).image(), generator.invert(pictures[0]).image(), atol=1e-3, rtol=0
    )


def test_a_batch_gives_what_each_picture_gives(generator, pictures):
    together, _ = generator.invert_all(pictures, batch=2)
    for face, picture in zip(together, pictures):
        torch.testing.assert_close(face.image(), generator.invert(picture).image(), atol=1e-3, rtol=0)


def test_a_mask_of_the_bare_face_keeps_what_lies_before_it_out(generator, pictures):
    inverter = generator.inverter()
    whole = inverter.invert(pictures[:1]).residual.diffuse
    none = inverter.invert(pictures[:1], mask=torch.zeros(1, 1, 64, 64)).residual.diffuse
    free = LocalBranch()
    shaken(free, 3, 0.1)
    assert not torch.equal(whole, none)


def test_optimisation_gives_faces_of_the_same_kind(generator, pictures):
    faces, reasons = generator.invert_all(pictures[:2], method="WProjection", steps=5)
    assert reasons == ["", ""]
    assert faces[0].delta is None
    torch.testing.assert_close(faces[0].found.data, generator.coefficients(faces[0].code).data)
    tuning = PivotalTuning(generator.teacher, steps=3, pivot=WProjection(generator.teacher, steps=3))
    tuned, _ = invert_with(generator, tuning, pictures[:2])
    assert tuned[0].generator is not generator
    assert tuned[0].generator.teacher is not tuned[1].generator.teacher
    assert tuned[0].turn(20).image().shape == (3, 64, 64)


def test_refined_coefficients_are_those_of_the_fitter(generator, pictures):
    plain = generator.invert(pictures[0])
    fitted = generator.invert(pictures[0], refine="landmarks")
    assert torch.equal(plain.code, fitted.code)
    assert not torch.equal(plain.found.data, fitted.found.data)
    assert isinstance(generator.face_model, FaceModel)
