"""GLB files, read back by trimesh and chunk by chunk."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from glb_reader import Parsed
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from faceuv.errors import InputError
from faceuv.export.glb import ROUGHNESS, glb_bytes, linear_from_srgb, save_glb
from faceuv.export.mesh_file import MeshFile
from faceuv.version import __version__


def load(data: bytes) -> trimesh.Trimesh:
    return trimesh.load(io.BytesIO(data), file_type="glb", force="mesh", process=False)


def test_trimesh_reads_geometry_scale_orientation_and_texture(small, tmp_path: Path) -> None:
    path = save_glb(tmp_path / "face.glb", MeshFile.build(**small))
    mesh = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_allclose(mesh.vertices, small["vertices"] * 0.1, atol=1e-8)  # decimetres → metres
    np.testing.assert_array_equal(mesh.faces, small["faces"])
    assert mesh.vertices[0, 1] > 0 > mesh.vertices[-1, 1]  # the first row of the patch is the upper one
    assert (mesh.face_normals @ [0, 0, 1] > 0).all()  # out of the face is +z
    uv = small["uv"].numpy()
    np.testing.assert_allclose(mesh.visual.uv, np.stack([uv[:, 0], 1 - uv[:, 1]], 1), atol=1e-7)  # trimesh's v is up
    image = np.asarray(mesh.visual.material.baseColorTexture)
    np.testing.assert_array_equal(image, small["diffuse"].permute(1, 2, 0).numpy() * 255)
    colours = mesh.visual.to_color().vertex_colors
    np.testing.assert_array_equal(colours[0, :3], [255, 0, 255])  # upper left: red and blue
    np.testing.assert_array_equal(colours[-1, :3], [0, 255, 0])  # lower right: green


def test_material_asset_and_metadata(small) -> None:
    file = Parsed(glb_bytes(MeshFile.build(**small, name="Ada", metadata={"seed": 3, "model": "procedural"})))
    assert file.json["asset"] == {"version": "2.0", "generator": f"faceuv {__version__}"}
    (material,) = file.json["materials"]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert material["pbrMetallicRoughness"]["roughnessFactor"] == ROUGHNESS
    assert file.json["nodes"][0] == {"name": "Ada", "mesh": 0, "extras": {"seed": 3, "model": "procedural"}}
    assert file.json["images"][0]["mimeType"] == "image/png"


def test_normal_map_brings_tangents_that_agree_with_the_normals(small) -> None:
    bump = torch.full((3, 4, 4), 0.5)
    bump[2] = 1
    file = Parsed(glb_bytes(MeshFile.build(**small, normal_map=bump)))
    tangent, normal = file.attribute("TANGENT"), file.attribute("NORMAL")
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(tangent[:, :3], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((tangent[:, :3] * normal).sum(1), 0, atol=1e-6)
    np.testing.assert_array_equal(tangent[:, 3], 1)
    assert (np.cross(normal, tangent[:, :3])[:, 1] > 0.5).all()  # the bitangent is up the picture, +y here
    assert file.json["materials"][0]["normalTexture"] == {"index": 1}
    assert file.image(1).getpixel((0, 0)) == (128, 128, 255)


def test_without_normal_map_there_are_no_tangents(small) -> None:
    assert "TANGENT" not in Parsed(glb_bytes(MeshFile.build(**small))).primitive["attributes"]


def test_jpeg_texture_is_smaller_and_close() -> None:
    ramp = torch.linspace(0, 1, 128).expand(3, 128, 128)
    noisy = (ramp + 0.05 * torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    mesh = MeshFile.build(corner, torch.tensor([[0, 1, 2]]), uv=corner[:, :2], diffuse=noisy)
    png, jpeg = glb_bytes(mesh), glb_bytes(mesh, texture_kind="jpeg")
    assert len(jpeg) < 0.5 * len(png)
    file = Parsed(jpeg)
    assert file.json["images"][0]["mimeType"] == "image/jpeg"
    assert np.abs(np.asarray(file.image(0)) / 255.0 - noisy.permute(1, 2, 0).numpy()).mean() < 0.03
    with pytest.raises(InputError, match="texture_kind must be one of png, jpeg, got 'webp'"):
        glb_bytes(mesh, texture_kind="webp")


def test_vertex_colours_are_linear_light_and_have_no_texture(small) -> None:
    colours = small["vertices"] * 0 + torch.tensor([0.0, 0.5, 1.0])
    file = Parsed(glb_bytes(MeshFile.build(small["vertices"], small["faces"], colours=colours)))
    np.testing.assert_allclose(file.attribute("COLOR_0")[0], [0, 0.21404114, 1], atol=1e-6)
    assert "images" not in file.json


def test_linear_from_srgb_matches_the_standard_and_is_continuous() -> None:
    np.testing.assert_allclose(linear_from_srgb(np.array([0.04045, 0.040451])), 0.0031308, rtol=1e-3)


class TestMorphTargets:
    def test_names_offsets_and_normals(self, small) -> None:
        smile = torch.zeros_like(small["vertices"])
        smile[4] = torch.tensor([0.0, 0.1, 0.2])
        puff = 0.1 * small["vertices"]
        file = Parsed(glb_bytes(MeshFile.build(**small, morph_targets={"smile": smile, "puff": puff})))
        entry = file.json["meshes"][0]
        assert entry["extras"]["targetNames"] == ["smile", "puff"]
        assert entry["weights"] == [0, 0]
        for target, offsets in zip(file.primitive["targets"], (smile, puff)):
            np.testing.assert_allclose(file.accessor(target["POSITION"]), 0.1 * offsets, atol=1e-8)
            moved = MeshFile.build(small["vertices"] + offsets, small["faces"]).normals
            np.testing.assert_allclose(file.attribute("NORMAL") + file.accessor(target["NORMAL"]), moved, atol=2e-6)

    def test_local_shapes_are_sparse_and_global_ones_dense(self, small) -> None:
        local = torch.zeros_like(small["vertices"])
        local[0] = 0.1
        file = Parsed(
            glb_bytes(MeshFile.build(**small, morph_targets={"a": local, "b": local + 0.1, "none": 0 * local}))
        )
        a, b, none = (file.json["accessors"][t["POSITION"]] for t in file.primitive["targets"])
        assert "sparse" in a
        assert "bufferView" not in a
        assert "sparse" not in b
        assert none["sparse"]["count"] == 1  # glTF knows no empty list

    def test_wrong_shape_names_the_target(self, small) -> None:
        with pytest.raises(
            InputError, match=r"the morph target 'smile' must have shape \(V, 3\), V = 30, got \(4, 3\)"
        ):
            MeshFile.build(**small, morph_targets={"smile": torch.zeros(4, 3)})


def test_index_type_follows_the_vertex_count() -> None:
    def kind(count: int) -> int:
        vertices = torch.zeros(count, 3)
        vertices[:, 0] = torch.arange(count)
        file = Parsed(glb_bytes(MeshFile.build(vertices, torch.tensor([[0, 1, count - 1]]))))
        assert file.accessor(file.primitive["indices"]).ravel().tolist() == [0, 1, count - 1]
        return file.json["accessors"][file.primitive["indices"]]["componentType"]

    assert kind(65535) == 5123
    assert kind(65536) == 5125  # index 65535 is reserved in 16 bits


def test_same_mesh_same_bytes(small) -> None:
    assert glb_bytes(MeshFile.build(**small)) == glb_bytes(MeshFile.build(**small))


@st.composite
def meshes(draw: st.DrawFn) -> dict[str, np.ndarray]:
    count = draw(st.integers(1, 12))
    coordinate = st.floats(-50, 50, width=32)
    index = st.integers(0, count - 1)
    rows = draw(st.integers(1, 15))
    return {
        "vertices": draw(hnp.arrays(np.float32, (count, 3), elements=coordinate)),
        "faces": draw(hnp.arrays(np.int64, (rows, 3), elements=index)),
        "uv": draw(hnp.arrays(np.float32, (count, 2), elements=st.floats(0, 1, width=32))),
        "diffuse": draw(hnp.arrays(np.float32, (3, 2, 3), elements=st.floats(0, 1, width=32))),
        "normal_map": np.full((3, 1, 1), 0.5, np.float32),
    }


@settings(max_examples=60, deadline=None)
@given(meshes())
def test_any_mesh_survives_the_round_trip(arrays: dict[str, np.ndarray]) -> None:
    """Even degenerate triangles, vertices on one spot, charts without area: every direction stays a unit vector."""
    data = glb_bytes(MeshFile.build(**arrays))
    file = Parsed(data)
    np.testing.assert_allclose(file.attribute("POSITION"), 0.1 * arrays["vertices"], rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(file.accessor(file.primitive["indices"]).reshape(-1, 3), arrays["faces"])
    np.testing.assert_array_equal(file.attribute("TEXCOORD_0"), arrays["uv"])
    np.testing.assert_allclose(np.linalg.norm(file.attribute("NORMAL"), axis=1), 1, atol=1e-5)
    tangent = file.attribute("TANGENT")
    np.testing.assert_allclose(np.linalg.norm(tangent[:, :3], axis=1), 1, atol=1e-5)
    assert set(np.unique(tangent[:, 3])) <= {-1, 1}
    pixels = np.asarray(file.image(0)).transpose(2, 0, 1) / 255.0
    np.testing.assert_allclose(pixels, arrays["diffuse"], atol=0.5 / 255 + 1e-6)
    assert len(load(data).vertices) == len(arrays["vertices"])


def test_truncated_file_is_noticed_by_the_reader(small) -> None:
    """The check on the checker: the parser above must be able to fail."""
    with pytest.raises(AssertionError):
        Parsed(glb_bytes(MeshFile.build(**small))[:-4])
