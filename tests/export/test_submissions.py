"""Meshes for NoW and REALY, read back as those benchmarks read them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from faceuv.errors import InputError
from faceuv.export.submissions import missing_now, save_now, save_realy, save_realy_template
from faceuv.models.faces import FaceModel, ProceduralFace
from faceuv.structures import UVMaps

PICTURE = "FaMoS_000000_00000_XX/multiview_expressions/IMG_0001.jpg"


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(rows=49, columns=41, verbose=False)


@pytest.fixture(scope="module")
def person(model):
    return model.random_coefficients(torch.Generator().manual_seed(3))


def read_obj(path):
    """What a program reads that knows ``v`` and ``f`` alone."""
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    assert {row[0] for row in rows} == {"v", "f"}
    vertices = np.array([row[1:] for row in rows if row[0] == "v"], dtype=float)
    return vertices, np.array([row[1:] for row in rows if row[0] == "f"], dtype=int) - 1


def test_now_gets_the_neutral_face_in_millimetres_and_its_seven_landmarks(model, person, tmp_path):
    assert missing_now(tmp_path, [PICTURE + "\n", "\n"]) == [PICTURE]
    path = save_now(tmp_path, PICTURE, model, person)
    assert path == tmp_path / "FaMoS_000000_00000_XX" / "multiview_expressions" / "IMG_0001.obj"
    assert missing_now(tmp_path, [PICTURE + "\n", "\n"]) == []
    vertices, faces = read_obj(path)
    neutral = model.shape(person.identity, torch.zeros_like(person.expression))[0] * 100
    np.testing.assert_allclose(vertices, neutral.numpy(), atol=1e-4)
    assert np.array_equal(faces, model.faces.numpy())
    points = np.load(path.with_suffix(".npy"), allow_pickle=False)
    assert points.shape == (7, 3)
    np.testing.assert_allclose(points, vertices[model.landmarks[[36, 39, 42, 45, 33, 48, 54]].numpy()], atol=1e-3)
    assert list(np.argsort(points[:4, 0])) == [0, 1, 2, 3], "corners of the eyes, from the subject's right to the left"
    assert points[5, 0] < points[4, 0] < points[6, 0]
    assert points[5:, 1].max() < points[4, 1] < points[:4, 1].min(), "mouth, nose, eyes"
    assert 80 < points[3, 0] - points[0, 0] < 120, "millimetres"
    path.with_suffix(".npy").unlink()
    assert missing_now(tmp_path, [PICTURE]) == [PICTURE]


def test_the_displacement_of_maps_is_in_the_mesh(model, person, tmp_path):
    moved = torch.zeros(1, 3, 32, 32)
    moved[:, 2] = 0.02
    maps = UVMaps(torch.full((1, 3, 32, 32), 0.5), moved)
    plain, raised = (read_obj(save_now(tmp_path, PICTURE, model, person, m))[0] for m in (None, maps))
    np.testing.assert_allclose(raised - plain, np.broadcast_to([0, 0, 2.0], plain.shape), atol=1e-3)


def test_realy_gets_the_face_as_it_is_and_keypoints_of_the_template(model, person, tmp_path):
    smiling = person.replace(expression=person.expression + 1)
    path = save_realy(tmp_path, "REALY_image/12_3.jpg", model, smiling)
    assert path == tmp_path / "12_3.obj"
    vertices, faces = read_obj(path)
    wanted = model.shape(smiling.identity, smiling.expression)[0] * 100
    np.testing.assert_allclose(vertices, wanted.numpy(), atol=1e-4)

    cheeks = [int(v) for v in model.faces[100:117, 1]]
    mesh, keypoints = save_realy_template(tmp_path / "data", "Ours", model, cheeks)
    template, triangles = read_obj(mesh)
    assert np.array_equal(triangles, faces), "one topology"
    assert len(template) == len(vertices)
    rows = np.array(json.loads(keypoints.read_text(encoding="ascii")))
    assert rows.shape == (85, 3)
    weights = np.stack([rows[:, 1], rows[:, 2], 1 - rows[:, 1] - rows[:, 2]], 1)
    found = (vertices[triangles[rows[:, 0].astype(int)]] * weights[..., None]).sum(1)
    np.testing.assert_allclose(found, vertices[[*model.landmarks.tolist(), *cheeks]], atol=1e-6)
    assert save_realy_template(tmp_path / "alone", "Ours", model) == [tmp_path / "alone" / "Ours.obj"]


def test_the_inside_of_the_mouth_of_a_head_is_left_out(model, tmp_path):
    part = torch.zeros(len(model.faces), dtype=torch.int64)
    part[:50] = 1
    arrays = {name: value for name, value in model.named_buffers() if "." not in name}
    head = FaceModel({**arrays, "part": part}, metadata={**model.metadata, "parts": ["skin", "teeth"]})
    person = head.random_coefficients(torch.Generator().manual_seed(1))
    vertices, faces = read_obj(save_realy(tmp_path, "1.jpg", head, person))
    assert len(vertices) == len(model.mean)
    assert np.array_equal(faces, model.faces[50:].numpy())


def test_wrong_names_and_numbers_are_one_line(model, person, tmp_path):
    for name in ("IMG_0001.jpg", "/a/b/c.jpg", "../b/c.jpg"):
        with pytest.raises(InputError, match="SUBJECT/CHALLENGE/PICTURE.jpg in its list, got"):
            save_now(tmp_path, name, model, person)
    for name in ("face.jpg", "0.jpg", "1-2.jpg"):
        with pytest.raises(InputError, match="NUMBER or NUMBER_VIEW"):
            save_realy(tmp_path, name, model, person)
    with pytest.raises(InputError, match="17 vertices of REALY's further keypoints, got 3"):
        save_realy_template(tmp_path, "Ours", model, [1, 2, 3])
    with pytest.raises(InputError, match="the name of a topology"):
        save_realy_template(tmp_path, "../Ours", model)
    two = model.random_coefficients(torch.Generator().manual_seed(1))
    two = type(two)(torch.cat([two.data, two.data]), two.layout)
    with pytest.raises(InputError, match="one face for each picture, got coefficients of 2"):
        save_now(tmp_path, PICTURE, model, two)
    assert list(tmp_path.iterdir()) == []
