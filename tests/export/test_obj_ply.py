"""OBJ and PLY files, read back by trimesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from faceuv.export import MeshFile, save_obj, save_ply
from faceuv.geometry import sample_map


def flipped(uv: torch.Tensor) -> np.ndarray:
    return np.stack([uv[:, 0].numpy(), 1 - uv[:, 1].numpy()], 1)


def columns(path: Path, *names: str) -> np.ndarray:
    """Named vertex properties of a PLY file as trimesh's parser read them, ``(V, n)``."""
    mesh = trimesh.load(path, process=False, fix_texture=False)
    data = mesh.metadata["_ply_raw"]["vertex"]["data"]
    return np.stack([np.asarray(data[name]).reshape(-1) for name in names], 1)


class TestObj:
    def test_trimesh_reads_geometry_scale_orientation_and_texture(self, small, tmp_path: Path) -> None:
        path = save_obj(tmp_path / "face.obj", MeshFile.build(**small, name="Ada Lovelace"))
        mesh = trimesh.load(path, force="mesh", process=False)
        np.testing.assert_allclose(mesh.vertices, small["vertices"] * 0.1, atol=1e-8)
        np.testing.assert_array_equal(mesh.faces, small["faces"])
        np.testing.assert_allclose(mesh.visual.uv, flipped(small["uv"]), atol=1e-7)
        colours = mesh.visual.to_color().vertex_colors
        np.testing.assert_array_equal(colours[0, :3], [255, 0, 255])
        np.testing.assert_array_equal(colours[-1, :3], [0, 255, 0])

    def test_files_beside_it_have_relative_names_without_spaces(self, small, tmp_path: Path) -> None:
        save_obj(tmp_path / "my face.obj", MeshFile.build(**small, normal_map=torch.full((3, 2, 2), 0.5)))
        names = {p.name for p in tmp_path.iterdir()}
        assert names == {"my face.obj", "my_face.mtl", "my_face_diffuse.png", "my_face_normal.png"}
        assert "mtllib my_face.mtl" in (tmp_path / "my face.obj").read_text()
        material = (tmp_path / "my_face.mtl").read_text().splitlines()
        assert "map_Kd my_face_diffuse.png" in material
        assert "norm my_face_normal.png" in material
        assert f"newmtl {'face_skin'}" in material

    def test_every_float32_comes_back_exactly(self, small, tmp_path: Path) -> None:
        mesh = MeshFile.build(**small)
        lines = save_obj(tmp_path / "a.obj", mesh).read_text().splitlines()
        for keyword, truth in (("v", mesh.metres), ("vn", mesh.normals)):
            read = np.float32([line.split()[1:] for line in lines if line.split()[0] == keyword])
            np.testing.assert_array_equal(read, truth)

    def test_vertex_colours_and_no_uv(self, small, tmp_path: Path) -> None:
        colours = torch.rand(30, 3, generator=torch.Generator().manual_seed(0))
        path = save_obj(tmp_path / "c.obj", MeshFile.build(small["vertices"], small["faces"], colours=colours))
        mesh = trimesh.load(path, force="mesh", process=False)
        np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3] / 255, colours, atol=1 / 255)
        assert "vt " not in path.read_text()
        assert [p.name for p in tmp_path.iterdir()] == ["c.obj"]  # a white material would hide the colours


class TestPly:
    def test_trimesh_reads_geometry_scale_normals_and_uv(self, small, tmp_path: Path) -> None:
        path = save_ply(tmp_path / "face.ply", MeshFile.build(**small, metadata={"seed": 1}))
        mesh = trimesh.load(path, force="mesh", process=False, fix_texture=False)
        np.testing.assert_allclose(mesh.vertices, small["vertices"] * 0.1, atol=1e-8)
        np.testing.assert_array_equal(mesh.faces, small["faces"])
        np.testing.assert_allclose(mesh.visual.uv, flipped(small["uv"]), atol=1e-7)
        np.testing.assert_array_equal(columns(path, "nx", "ny", "nz"), MeshFile.build(**small).normals)

    def test_texture_is_sampled_at_the_vertices(self, small, tmp_path: Path) -> None:
        path = save_ply(tmp_path / "face.ply", MeshFile.build(**small))
        truth = sample_map(small["diffuse"][None], small["uv"])[0].numpy()
        np.testing.assert_allclose(columns(path, "red", "green", "blue") / 255, truth, atol=0.51 / 255)
        assert [p.name for p in tmp_path.iterdir()] == ["face.ply"]

    def test_vertex_colours(self, small, tmp_path: Path) -> None:
        colours = torch.rand(30, 3, generator=torch.Generator().manual_seed(0))
        path = save_ply(tmp_path / "c.ply", MeshFile.build(small["vertices"], small["faces"], colours=colours))
        mesh = trimesh.load(path, process=False)
        np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3] / 255, colours, atol=0.51 / 255)

    def test_plain_surface(self, small, tmp_path: Path) -> None:
        path = save_ply(tmp_path / "p.ply", MeshFile.build(small["vertices"], small["faces"]))
        assert b"red" not in path.read_bytes()
        assert len(trimesh.load(path, process=False).faces) == 40


def test_obj_texture_is_the_diffuse_map(small, tmp_path: Path) -> None:
    save_obj(tmp_path / "t.obj", MeshFile.build(**small))
    image = np.asarray(Image.open(tmp_path / "t_diffuse.png"))
    np.testing.assert_array_equal(image, small["diffuse"].permute(1, 2, 0).numpy() * 255)
