"""OBJ files of whole heads: quads, parts as groups with their own materials."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_head import toy_head

from faceuv import Face


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("obj")
    model = toy_head()
    face = Face.mean(face_model=model).with_expression(torch.eye(8)[0])
    face.save(folder / "my head.obj", texture_size=8)
    return model, face, folder


def rows(text: str, keyword: str) -> list[list[str]]:
    return [line.split()[1:] for line in text.splitlines() if line.split()[:1] == [keyword]]


def test_faces_are_the_quads_of_the_model(written):
    model, _, folder = written
    text = (folder / "my head.obj").read_text()
    groups = {block.split("\n", 1)[0]: block for block in text.split("\ng ")[1:]}
    parts = model.metadata["parts"]
    for name in ("skin", "teeth", "iris_left"):
        quads = model.polygons[model.polygon_part == parts.index(name)].numpy()
        found = [[int(corner.split("/")[0]) - 1 for corner in row] for row in rows(groups[name], "f")]
        np.testing.assert_array_equal(found, quads)
    assert all(len(row) == 3 for row in rows(groups["lashes"], "f"))


def test_the_expression_is_in_the_vertices(written):
    _, face, folder = written
    points = np.array(rows((folder / "my head.obj").read_text(), "v"), float)
    expected = 0.1 * face.vertices().numpy()
    np.testing.assert_allclose(points[: len(expected)], expected, atol=1e-7)


def test_each_part_has_its_material_and_no_file_is_missing(written):
    model, _, folder = written
    text, materials = (folder / "my head.obj").read_text(), (folder / "my_head.mtl").read_text()
    used = [row[0] for row in rows(text, "usemtl")]
    assert set(used) == {row[0] for row in rows(materials, "newmtl")}
    assert len(used) == len(set(used)) == len(model.metadata["parts"]) + 1  # and the neck's cap
    for keyword in ("map_Kd", "map_d", "norm"):
        for row in rows(materials, keyword):
            assert (folder / row[-1]).is_file()
    lashes = materials.split("newmtl my_head_lashes")[1].split("newmtl")[0]
    assert "map_d -imfchan m my_head_lashes.png" in lashes
    assert "map_Kd my_head_diffuse.png" in materials.split("newmtl my_head_skin")[1].split("newmtl")[0]


def test_texture_coordinates_of_lashes_run_from_tip_to_root(written):
    _, _, folder = written
    text = (folder / "my head.obj").read_text()
    table = np.array(rows(text, "vt"), float)
    group = next(block for block in text.split("\ng ")[1:] if block.startswith("lashes"))
    numbers = [int(corner.split("/")[1]) - 1 for row in rows(group, "f") for corner in row]
    used = table[numbers]
    assert used[:, 1].min() == pytest.approx(0) and used[:, 1].max() == pytest.approx(1)
    assert len(table) == max(numbers) + 1
