"""Hair in mesh files: its part, material, joints and levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glb_reader import Parsed
from toy_head import toy_head

from faceuv import Face
from faceuv.errors import InputError
from faceuv.export.glb import glb_bytes
from faceuv.export.hair_part import CUTOFF
from faceuv.export.lod import coarser
from faceuv.models.faces.hair import strand_picture


@pytest.fixture(scope="module")
def face():
    model = toy_head()
    model.mean[:, 2] -= 0.8  # where the middle of a head lies
    return Face.random(2, face_model=model).with_expression(torch.zeros(8))


@pytest.fixture(scope="module")
def mesh(face):
    return face.with_hair("short", colour=(0.5, 0.25, 0.125), density=0.2).mesh_file(texture_size=32)


def test_hair_is_the_last_part_with_a_masked_material_that_is_no_metal(mesh):
    file = Parsed(glb_bytes(mesh))
    material = file.json["materials"][file.of("hair")["material"]]
    assert material["alphaMode"] == "MASK" and 0.2 < material["alphaCutoff"] < 0.5
    assert material["doubleSided"]
    surface = material["pbrMetallicRoughness"]
    assert surface["metallicFactor"] == 0
    red, green, blue, alpha = surface["baseColorFactor"]
    assert red > green > blue and alpha == 1
    assert material["extensions"]["KHR_materials_specular"]["specularFactor"] < 0.5
    assert "KHR_materials_specular" in file.json["extensionsUsed"]
    assert red == pytest.approx(((1.3 * 0.5 + 0.055) / 1.055) ** 2.4, rel=1e-3)
    assert mesh.parts[-1].name == "hair"


def test_strands_end_softly():
    """Cards are not cut off: opacity falls to the tips, and the last texels are clear."""
    opacity = strand_picture()[3]
    straight = opacity[:, : opacity.shape[1] // 2]
    rows = straight.mean(1)
    length = len(rows)
    body, end = rows[length // 4 : length // 2].mean(), rows[int(0.94 * length) :].mean()
    assert body > 0.4
    assert end < 0.2 * body
    assert opacity[-2:].max() < 0.25
    tips = straight[int(0.8 * length) :]
    assert (tips[tips > 0.05] < CUTOFF).mean() > 0.25  # what a mask cuts away


@pytest.mark.parametrize("style", ["crew", "bob", "long", "ponytail", "afro"])
def test_cards_are_wound_as_their_normals_say(face, style):
    """Viewers turn the normals of faces that they take for back faces: hair would be lit from inside the head."""
    hair = face.with_hair(style, density=0.2).mesh_file(texture_size=32).hair.mesh
    corners = hair.vertices[hair.faces].astype(np.float64)
    wound = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    agree = (wound * hair.normals[hair.faces].mean(1)).sum(1) > 0
    assert agree.mean() > 0.95


def test_the_head_joint_alone_carries_hair_and_no_movement_moves_it(mesh):
    count = len(mesh.hair.mesh.vertices)
    weights = mesh.skeleton.weights[-count:]
    assert (weights[:, mesh.skeleton.index("head")] == 1).all() and weights.sum() == count
    for offsets in mesh.morph_targets.values():
        assert not offsets[-count:].any()


def test_hair_comes_off_again(face, mesh):
    bald, plain = mesh.without_hair(), face.mesh_file(texture_size=32)
    assert np.array_equal(bald.vertices, plain.vertices)
    assert [part.name for part in bald.parts] == [part.name for part in plain.parts]
    with pytest.raises(InputError, match="without_hair"):
        mesh.with_hair(mesh.hair)


def test_coarser_levels_wear_half_the_cards_made_wider(mesh):
    def width(worn):
        pairs = worn.mesh.vertices.reshape(-1, 2, 3)
        return np.linalg.norm(pairs[:, 1] - pairs[:, 0], axis=1).mean()

    level = coarser(mesh, 1)[0]
    assert len(level.hair.mesh.level) == len(mesh.hair.mesh.level) // 2
    assert level.hair.mesh.level.min() >= np.median(mesh.hair.mesh.level) - 1e-9
    assert width(level.hair) > 1.2 * width(mesh.hair)


def test_licences_and_colours_of_the_file_name_the_hair(mesh, face):
    worn = face.with_hair("short", density=0.2)
    assert any(entry["part"] == "hair" for entry in worn.licences())
    part = mesh.parts[-1]
    count = len(mesh.hair.mesh.vertices)
    assert part.colours[-count:, :3].min() > 0 and part.colours[:, 3].min() == 1
    assert np.ptp(part.colours[-count:, :3], axis=0).min() > 0.1
