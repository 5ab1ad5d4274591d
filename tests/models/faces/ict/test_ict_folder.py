"""The published OBJ files of ICT-FaceKit are read and checked one by one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from faceuv.errors import AssetError
from faceuv.models.faces.ict import read_folder
from tests.support.ict import published, tiny, write_folder, write_obj


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "ICT-FaceKit" / "FaceXModel", tiny()[0])


def read(folder):
    return read_folder(folder, tiny()[1])


def test_what_was_written_is_read(folder):
    want, found = tiny()[0], read(folder)
    np.testing.assert_allclose(found.vertices, want.vertices, atol=1e-6)
    np.testing.assert_allclose(found.texture, want.texture, atol=1e-6)
    np.testing.assert_array_equal(found.corners, want.corners)
    assert found.materials == want.materials and found.expression_names == want.expression_names
    np.testing.assert_allclose(found.identity, want.identity, atol=3e-6)
    np.testing.assert_allclose(found.expression, want.expression, atol=3e-6)
    np.testing.assert_array_equal(found.landmarks, want.landmarks)


def test_the_repository_itself_is_a_folder_too(folder):
    assert read(folder.parent).vertices.shape == (100, 3)


def test_windows_line_ends_and_third_indices_say_the_same(folder):
    model = tiny()[0]
    write_obj(folder / "jawOpen.obj", model, model.vertices + model.expression[1], newline="\r\n")
    text = (folder / "identity001.obj").read_text()
    lines = [line.replace(" 1/1 ", " 1/1/1 ") if line.startswith("f ") else line for line in text.splitlines()]
    (folder / "identity001.obj").write_text("\n".join(lines))
    np.testing.assert_allclose(read(folder).expression, model.expression, atol=3e-6)


def test_missing_files_are_named(folder):
    (folder / "jawOpen.obj").unlink()
    (folder / "vertex_indices.json").unlink()
    with pytest.raises(AssetError, match=r"lacks vertex_indices.json, jawOpen.obj; expected the 6 files of FaceXModel"):
        read(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(AssetError, match="is not a folder; expected FaceXModel of https://github.com/ICT-VGL"):
        read(tmp_path / "nothing")


def damage(path, change):
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def without_one(kind):
    def change(lines):
        lines.remove(next(line for line in lines if line.startswith(kind)))
        return lines

    return change


def swapped(lines):
    first = next(k for k, line in enumerate(lines) if line.startswith("f "))
    lines[first], lines[first + 5] = lines[first + 5], lines[first]
    return lines


def replaced(old, new):
    def change(lines):
        k = next(k for k, line in enumerate(lines) if line.startswith(old))
        return [*lines[:k], new, *lines[k + 1 :]]

    return change


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("identity001", without_one("v "), r"identity001.obj has 99 vertices, expected 100: it is not a file of ICT"),
        ("jawOpen", without_one("f "), r"jawOpen.obj has 80 faces, expected 81"),
        ("generic_neutral_mesh", without_one("vt "), r"has 99 texture coordinates, expected 100"),
        (
            "identity000",
            swapped,
            r"identity000.obj: face 1 joins other vertices than in generic_neutral_mesh.obj \(2 of",
        ),
        ("identity000", replaced("v ", "v nan 0 0"), r"identity000.obj: vertex 1 is not finite"),
        ("jawOpen", replaced("v ", "v a 0 0"), r"jawOpen.obj: the vertex must be numbers"),
        ("jawOpen", replaced("v ", "v 1 2"), r"jawOpen.obj: every vertex line must have 3 numbers, got 299 on 100"),
        ("generic_neutral_mesh", replaced("f ", "f 1/1 2/2 999/3"), r"faces must use vertices 1 … 100, got 1 … 999"),
        (
            "generic_neutral_mesh",
            replaced("f ", "f 1//1 2//2 3//3"),
            r"face 1 must have 3 or 4 corners of the form v/vt",
        ),
        ("generic_neutral_mesh", replaced("f ", "f 1/1 2/2"), r"face 1 must have 3 or 4 corners"),
        ("jawOpen", replaced("f ", "f 1/1 2/2 3/3 -1/4"), r"faces must use vertices 1 … 100, got -1"),
        ("generic_neutral_mesh", replaced("f ", "f 0/1 2/2 3/3"), r"faces must use vertices 1 … 100, got 0"),
    ],
)
def test_a_foreign_file_is_named(folder, name, change, says):
    damage(folder / f"{name}.obj", change)
    with pytest.raises(AssetError, match=says) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"idx_to_landmark_verts": [1, 2]}', '{"idx_to_landmark_verts": 5}'])
def test_a_foreign_index_file_is_named(folder, text):
    (folder / "vertex_indices.json").write_text(text)
    with pytest.raises(AssetError, match=r"vertex_indices.json"):
        read(folder)


def test_landmarks_outside_the_mesh(folder):
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": [100] * 68}))
    with pytest.raises(AssetError, match="must list 68 vertices 0 … 99"):
        read(folder)


def test_the_real_topology_survives_the_text(tmp_path):
    """The neutral mesh, one identity and one expression as OBJ text, read back."""
    real = published()
    row = real.expression_names.index("jawOpen")
    few = replace(
        real, identity=real.identity[:1], expression=real.expression[row : row + 1], expression_names=("jawOpen",)
    )
    layout = replace(tiny()[1], vertices=26719, texture=28911, polygons=26384, identities=1, expressions=("jawOpen",))
    found = read_folder(write_folder(tmp_path / "FaceXModel", few), layout)
    np.testing.assert_array_equal(found.corners, real.corners)
    assert found.materials == real.materials
    np.testing.assert_allclose(found.vertices, real.vertices, atol=1e-6)
    np.testing.assert_allclose(found.identity, few.identity, atol=3e-6)
    np.testing.assert_allclose(found.expression, few.expression, atol=3e-6)
