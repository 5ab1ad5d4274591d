"""What whole heads have besides a face: seams, parts, layers, joints, limits."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.geometry import UVCorrespondence, vertex_normals, welded_mean
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.arrays import check_arrays
from faceuv.models.faces.sampling import limited_expression
from faceuv.renderers.masks import gradient_mask, splat_mask
from faceuv.structures import Coefficients, Mesh, Surface, UVMaps

from .test_base import small_arrays

ROWS, COLUMNS = 9, 12
METADATA = {
    "parts": ["skin", "teeth"],
    "joints": ["neck", "head"],
    "joint_parents": [-1, 0],
}


def split_arrays():
    """A bump whose chart is cut in two: the left half's vertices on the cut stand twice, at another u."""
    arrays = small_arrays(ROWS, COLUMNS)
    mean = arrays["mean"].clone()
    mean[:, 2] = 0.3 - mean[:, 0] ** 2 - mean[:, 1] ** 2
    arrays["mean"] = mean
    middle = COLUMNS // 2
    cut = torch.arange(ROWS) * COLUMNS + middle
    count = len(mean)
    faces = arrays["faces"].clone()
    right = (mean[faces][..., 0].mean(1) > mean[middle, 0])[:, None]
    for k, vertex in enumerate(cut.tolist()):
        faces[(faces == vertex) & right] = count + k
    found = {k: torch.cat([v, v[cut]]) for k, v in arrays.items() if k not in ("faces", "landmarks", "uv", "mirror")}
    u, v = arrays["uv"].unbind(1)
    uv = torch.cat([torch.stack([u * 0.45, v], 1), torch.stack([u[cut] * 0.45 + 0.5, v[cut]], 1)])
    uv[:count][u > u[middle]] += torch.tensor([0.5, 0.0])
    mirror = torch.cat([arrays["mirror"], arrays["mirror"][cut]])
    weld = torch.cat([torch.arange(count), cut])
    return {**found, "faces": faces, "landmarks": arrays["landmarks"], "uv": uv, "mirror": mirror, "weld": weld}


def head_arrays():
    arrays = split_arrays()
    faces, count = arrays["faces"], len(arrays["mean"])
    joint_weights = torch.zeros(2, count)
    joint_weights[0, 0], joint_weights[1, :4] = 1.0, 0.25
    skin_weights = torch.linspace(0, 1, count)[:, None] * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])
    return {
        **arrays,
        "part": (torch.arange(len(faces)) % 3 == 0).long(),
        "layer_faces": faces[:2],
        "layer_part": torch.zeros(2, dtype=torch.int64),
        "polygons": torch.cat([faces, torch.full((len(faces), 1), -1)], 1),
        "polygon_part": (torch.arange(len(faces)) % 3 == 0).long(),
        "joint_weights": joint_weights,
        "skin_weights": skin_weights,
        "contour": arrays["landmarks"][:17, None].expand(17, 3).contiguous(),
        "expression_limits": torch.tensor([[0.0, 1.0]]).expand(4, 2).contiguous(),
    }


@pytest.fixture
def model():
    return FaceModel(head_arrays(), metadata=METADATA)


def _whole(model):
    """The same surface without a seam, as a mesh over the first copies."""
    return model.weld[model.faces]


class TestSeams:
    def test_normals_are_those_of_the_uncut_surface(self, model):
        vertices = model.mean[None]
        uncut = vertex_normals(vertices, _whole(model))[:, model.weld]
        assert torch.equal(vertex_normals(vertices, model.faces, model.weld), uncut)
        assert float((vertex_normals(vertices, model.faces) - uncut).abs().max()) > 0.01  # else the test says nothing

    def test_copies_take_the_mean(self):
        values = torch.tensor([[[1.0], [2.0], [4.0], [6.0]]])
        found = welded_mean(values, torch.tensor([0, 1, 1, 0]))
        assert found[0, :, 0].tolist() == [3.5, 3.0, 3.0, 3.5]
        assert welded_mean(values, None) is values

    def test_a_displacement_opens_no_crack(self, model):
        generator = torch.Generator().manual_seed(1)
        maps = UVMaps(displacement=0.05 * torch.randn(1, 3, 16, 16, generator=generator))
        moved = FaceRenderer(model).mesh(Coefficients.zeros(1, model.layout), maps).vertices
        assert torch.equal(moved, moved[:, model.weld])
        assert float((moved - model.mean).abs().max()) > 0.01

    def test_the_picture_is_that_of_the_uncut_surface(self, model):
        renderer = FaceRenderer(model).renderer
        light = torch.zeros(1, 3, 9)
        light[:, :, 3] = 0.5
        colours = torch.full((1, len(model.mean), 3), 0.6)
        cut = Mesh(model.mean[None], model.faces, model.uv, model.weld)
        uncut = Mesh(model.mean[None], _whole(model))
        pictures = [
            renderer(mesh, height=48, width=48, vertex_colours=colours, lighting=light).image for mesh in (cut, uncut)
        ]
        torch.testing.assert_close(*pictures, atol=1e-6, rtol=0)

    def test_splat_is_gradient_across_a_seam(self, model):
        renderer, chart = FaceRenderer(model).renderer, UVCorrespondence.build(model.uv, model.faces, 24, 24)
        turned, still = torch.tensor([[0.0, 1.2, 0.0]]), torch.zeros(1, 3)
        mesh = Mesh(model.mean[None], model.faces, model.uv, model.weld)
        light = torch.randn(1, 3, 9, generator=torch.Generator().manual_seed(2))
        gradient = gradient_mask(renderer, mesh, turned, still, light, chart, height=64, width=64)
        from faceuv.geometry import pose

        face_id = renderer.look(mesh.at(pose(mesh.vertices, turned, still)), height=64, width=64).face_id
        splat = splat_mask(face_id, mesh.faces, model.uv, chart, weld=model.weld)
        assert torch.equal(splat, gradient)

    def test_a_surface_keeps_its_seams_in_a_file(self, model, tmp_path):
        from faceuv.files.artefacts import load_tensors, save_tensors
        from faceuv.files.surfaces import surface_from, surface_tensors

        mesh = Mesh(model.mean[None], model.faces, model.uv, model.weld)
        tensors, camera = surface_tensors(
            Surface(mesh, torch.zeros(1, 3), torch.zeros(1, 3), vertex_colours=model.mean_albedo[None])
        )
        read, _ = load_tensors(save_tensors(tmp_path / "s.safetensors", tensors, {"kind": "face"}), kind="face")
        assert torch.equal(surface_from(read, camera, where="here").mesh.weld, model.weld)


class TestParts:
    def test_faces_and_vertices_of_a_part(self, model):
        assert model.part_names == ["skin", "teeth"]
        teeth = model.faces_of("teeth")
        assert teeth.nonzero()[:3, 0].tolist() == [0, 3, 6]
        assert torch.equal(model.vertices_of("teeth").nonzero()[:, 0], model.faces[teeth].unique())
        assert not model.faces_of("tongue").any()
        assert model.faces_of("teeth", "skin").all()

    def test_a_face_without_parts_is_skin(self):
        plain = FaceModel(small_arrays())
        assert plain.part_names == ["skin"]
        assert plain.faces_of("skin").all() and not plain.faces_of("teeth").any()

    def test_an_unknown_part(self, model):
        with pytest.raises(InputError, match="no part of a head is called 'horns'; parts: skin, inner_mouth"):
            model.faces_of("horns")

    def test_joints_follow_the_vertices(self, model):
        vertices = model.mean[None] + torch.tensor([0.0, 2.0, 0.0])
        joints = model.joints(vertices)
        torch.testing.assert_close(joints[0, 0], vertices[0, 0])
        torch.testing.assert_close(joints[0, 1], vertices[0, :4].mean(0))

    def test_a_face_without_joints(self):
        plain = FaceModel(small_arrays())
        with pytest.raises(InputError, match="has no joints; a whole head has"):
            plain.joints(plain.mean[None])


class TestRandomPeople:
    def test_the_same_generator_gives_the_same_person(self, model):
        first, second = (model.random_coefficients(torch.Generator().manual_seed(4)) for _ in range(2))
        assert torch.equal(first.data, second.data)

    def test_limits_hold_and_most_movements_rest(self):
        names = ["smileLeft", "smileRight", "jawOpen"]
        limits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 0.5]])
        drawn = torch.cat([limited_expression(names, limits, torch.Generator().manual_seed(k)) for k in range(400)])
        assert bool((drawn >= 0).all()) and bool((drawn <= limits[:, 1]).all())
        assert 0.7 < float((drawn == 0).float().mean()) < 0.97
        active = drawn[(drawn[:, :2] > 0).any(1)]
        assert float(torch.corrcoef(active[:, :2].T)[0, 1]) > 0.5
        assert float(torch.corrcoef(drawn[:, 1:].T)[0, 1]) < 0.3

    def test_traits_that_a_model_does_not_know(self, model):
        with pytest.raises(InputError, match="does not know the trait 'age'; it knows: none"):
            model.random_coefficients(torch.Generator(), age=3)


def test_round_trip(model, tmp_path):
    arrays, names, metadata = FaceModel.read(model.save(tmp_path / "m.safetensors"))
    again = FaceModel(arrays, names=names, metadata=metadata)
    assert again.arrays().keys() == model.arrays().keys() >= {"weld", "polygons", "contour", "expression_limits"}
    assert all(torch.equal(value, again.arrays()[name]) for name, value in model.arrays().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": None}, "OK"),
        ({"layer_part": None}, "layer_faces and layer_part come together; this model has one of them"),
        (
            {"part": torch.full((176,), 2)},
            r"part must lie in 0 … 1 \(an index into metadata\['parts'\], which",
        ),
        ({"weld": torch.arange(117).flip(0)}, "weld must name the lowest index"),
        ({"weld": torch.zeros(117, dtype=torch.int64)}, "weld joins vertices that are not at one place"),
        ({"skin_weights": torch.ones(117, 2)}, "every row of skin_weights must sum to 1"),
        ({"contour": torch.zeros(17, 3, dtype=torch.int64)}, "the first candidate of each contour line must be the"),
        (
            {"expression_limits": torch.tensor([[1.0, 0.0]]).expand(4, 2)},
            r"expression_limits must be \(lowest",
        ),
        ({"polygons": torch.full((176, 4), -2)}, r"polygons must lie in -1 … 116"),
    ],
)
def test_wrong_arrays_are_named(change, message):
    arrays = {name: value for name, value in {**head_arrays(), **change}.items() if value is not None}
    if message == "OK":
        check_arrays(arrays, where="here", metadata=METADATA)
        return
    with pytest.raises(InputError, match=f"here: {message}"):
        check_arrays(arrays, where="here", metadata=METADATA)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"parts": ["skin", "horns"]}, "unknown parts horns; a head's parts are skin"),
        ({"joints": ["neck"]}, "metadata must name 2 joints and joint_parents, one per row of joint_weights"),
        ({"joint_parents": [1, -1]}, r"a joint's parent must come before it \(−1 for the root\), got \[1, -1\]"),
    ],
)
def test_wrong_names_are_told(metadata, message):
    with pytest.raises(InputError, match=f"here: {message}"):
        check_arrays(head_arrays(), where="here", metadata={**METADATA, **metadata})
