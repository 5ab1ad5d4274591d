"""The surface between two, and faces that are given surfaces."""

from __future__ import annotations

import pytest
import torch
import trimesh

from faceuv import Face
from faceuv.errors import InputError
from faceuv.models.faces.control import between_surfaces
from faceuv.structures import Camera, Mesh, Surface


def sheet(seed, n=6, **options):
    """A bumpy sheet of n² vertices, one colour."""
    rng = torch.Generator().manual_seed(seed)
    line = torch.linspace(-0.8, 0.8, n)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (r * n + c).flatten()
    faces = torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)])
    vertices = torch.stack([x, y, 0.2 * torch.rand(n, n, generator=rng)], -1).reshape(1, -1, 3)
    mesh = Mesh(vertices, faces, torch.stack([x / 2 + 0.5, 0.5 - y / 2], -1).reshape(-1, 2))
    given = {
        "lighting": 0.1 * torch.rand(1, 3, 9, generator=rng),
        "diffuse": torch.rand(1, 3, 8, 8, generator=rng),
        "camera": Camera(focal=5.0, distance=10.0),
    }
    pose = 0.2 * torch.rand(2, 1, 3, generator=rng)
    return Surface(mesh, pose[0], pose[1], **{**given, **options})


def test_between_two_surfaces_lies_everything():
    a, b = sheet(1, normal_map=torch.rand(1, 3, 4, 4)), sheet(2, normal_map=torch.rand(1, 3, 4, 4))
    ends = [between_surfaces(a, b, t) for t in (0.0, 1.0)]
    quarter = between_surfaces(a, b, 0.25)
    for name in ("rotation", "translation", "lighting", "diffuse", "normal_map"):
        first, second = getattr(a, name), getattr(b, name)
        assert torch.equal(getattr(ends[0], name), first) and torch.equal(getattr(ends[1], name), second)
        torch.testing.assert_close(getattr(quarter, name), 0.75 * first + 0.25 * second)
    torch.testing.assert_close(quarter.mesh.vertices, 0.75 * a.mesh.vertices + 0.25 * b.mesh.vertices)
    assert quarter.camera == a.camera and torch.equal(quarter.mesh.faces, a.mesh.faces)


def test_two_meshes_have_nothing_between_them():
    with pytest.raises(InputError, match="surfaces between two need one mesh: the same faces over as many vertices"):
        between_surfaces(sheet(1, n=6), sheet(2, n=5), 0.5)
    a = sheet(1)
    other = a.replace(mesh=Mesh(a.mesh.vertices, a.mesh.faces.flip(1), a.mesh.uv))
    with pytest.raises(InputError, match="need one mesh"):
        between_surfaces(a, other, 0.5)


def test_what_only_one_of_them_has_is_named():
    with pytest.raises(InputError, match=r"surfaces between two need lighting of one shape .*\(1, 3, 9\), None"):
        between_surfaces(sheet(1), sheet(2, lighting=None), 0.5)
    with pytest.raises(InputError, match="need diffuse of one shape in both"):
        between_surfaces(sheet(1), sheet(2, diffuse=torch.rand(1, 3, 4, 4)), 0.5)


class TestFacesThatAreGivenSurfaces:
    @pytest.fixture
    def face(self):
        return Face.of_surface(sheet(1), renderer={"type": "torch", "samples": 1}, metadata={"seed": 1})

    def test_pose_light_and_place_change_the_surface(self, face):
        turned = face.with_pose(yaw_deg=30)
        torch.testing.assert_close(turned.surface.rotation[0, 1].rad2deg(), torch.tensor(30.0))
        torch.testing.assert_close(turned.surface.rotation[0, ::2], face.surface.rotation[0, ::2])
        assert not torch.equal(turned.render(32), face.render(32))
        assert torch.equal(turned.render(32), face.render(32, yaw_deg=30))
        assert not torch.equal(face.with_lighting("left").render(32), face.render(32))
        assert torch.equal(face.placed(torch.ones(1, 3)).pose[1], torch.ones(1, 3))
        assert torch.equal(face.vertices(), sheet(1).mesh.vertices[0])
        assert repr(face) == "Face(surface of 36 vertices, seed=1)"

    def test_between_two(self, face):
        other = Face.of_surface(sheet(2), renderer=face.renderer)
        middle = face.interpolate(other, 0.5)
        torch.testing.assert_close(middle.vertices(), (face.vertices() + other.vertices()) / 2)
        with pytest.raises(
            InputError, match="a face with coefficients and a surface without them have no face between"
        ):
            face.interpolate(Face.mean(face_model={"type": "ProceduralFace", "rows": 97, "columns": 81}), 0.5)

    @pytest.mark.parametrize(
        ("action", "wish"),
        [
            (lambda face: face.with_expression(smile=1.0), "an expression"),
            (lambda face: face.with_maps(None), "exchanging UV maps"),
            (lambda face: face.mesh_file(blend_shapes=True), "blend shapes"),
        ],
    )
    def test_what_needs_a_face_model_says_so(self, face, action, wish):
        with pytest.raises(
            InputError, match=f"{wish} needs? the coefficients of a face model, and this face is a given"
        ):
            action(face)

    @pytest.mark.parametrize(
        "options", [{}, {"camera": None, "lighting": None}, {"normal_map": torch.ones(1, 3, 4, 4)}]
    )
    def test_a_saved_face_is_the_same_face(self, tmp_path, options):
        face = Face.of_surface(sheet(1, **options), renderer={"type": "torch", "samples": 1}, metadata={"seed": 1})
        read = Face.load(face.save(tmp_path / "face.safetensors"), renderer=face.renderer)
        assert read.face_model is None and read.metadata == {"seed": 1}
        assert torch.equal(read.render(24, yaw_deg=20), face.render(24, yaw_deg=20))

    @pytest.mark.parametrize("suffix", ["glb", "obj", "ply"])
    @pytest.mark.parametrize("coloured", [False, True], ids=["map", "vertex colours"])
    def test_meshes_open_elsewhere(self, tmp_path, suffix, coloured):
        colours = torch.rand(1, 36, 3)
        options = {"diffuse": None, "vertex_colours": colours} if coloured else {}
        face = Face.of_surface(sheet(1, **options))
        scene = trimesh.load(face.save(tmp_path / f"face.{suffix}"), process=False)
        mesh = next(iter(scene.geometry.values())) if isinstance(scene, trimesh.Scene) else scene
        torch.testing.assert_close(
            torch.tensor(mesh.vertices).float(), face.vertices() / 10, atol=1e-6, rtol=0
        )  # metres
        assert len(mesh.faces) == 50
        if coloured and suffix == "ply":
            seen = torch.tensor(mesh.metadata["_ply_raw"]["vertex"]["data"]["red"]).float() / 255
            torch.testing.assert_close(seen.flatten(), colours[0, :, 0], atol=1 / 255, rtol=0)
        if coloured:
            assert torch.equal(torch.from_numpy(face.mesh_file().colours), colours[0])

    def test_several_surfaces_are_no_face(self):
        one = sheet(1)
        two = one.replace(
            **{n: getattr(one, n).repeat(2, *[1] * (getattr(one, n).ndim - 1))
               for n in ("rotation", "translation", "lighting", "diffuse")},
            mesh=Mesh(one.mesh.vertices.repeat(2, 1, 1), one.mesh.faces, one.mesh.uv),
        )  # fmt: skip
        with pytest.raises(InputError, match="a Face holds one person, got a surface of 2"):
            Face.of_surface(two)
