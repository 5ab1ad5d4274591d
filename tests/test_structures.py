"""Coefficients, Mesh, Surface, UVMaps, Camera: views, copies and what they say about wrong input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceuv import structures
from faceuv.errors import InputError
from faceuv.structures import Camera, CoefficientLayout, Coefficients, Mesh, Surface, UVMaps


class TestLayout:
    def test_is_the_papers_257(self):
        layout = CoefficientLayout()
        assert layout.size == 257
        assert layout.slice("identity") == slice(0, 80)
        assert layout.slice("expression") == slice(80, 144)
        assert layout.slice("albedo") == slice(144, 224)
        assert layout.slice("rotation") == slice(224, 227)
        assert layout.slice("lighting") == slice(227, 254)
        assert layout.slice("translation") == slice(254, 257)

    def test_unknown_group_lists_the_known(self):
        with pytest.raises(InputError, match="no coefficient group 'pose'.*identity, expression"):
            CoefficientLayout().slice("pose")


class TestCoefficients:
    def test_views_share_memory_and_cover_everything(self):
        data = torch.arange(2 * 257.0).view(2, 257)
        coefficients = Coefficients(data)
        groups = [coefficients.view(name) for name in coefficients.layout.groups]
        assert torch.equal(torch.cat(groups, 1), data)
        assert coefficients.identity.data_ptr() == data.data_ptr()
        assert coefficients.lighting.shape == (2, 3, 9)
        assert coefficients.rotation[0, 1] == 225  # yaw

    def test_replace_returns_a_new_object(self, generator):
        before = Coefficients(torch.randn(3, 257, generator=generator))
        kept = before.data.clone()
        after = before.replace(rotation=torch.ones(1, 3), lighting=torch.zeros(3, 3, 9))
        assert torch.equal(before.data, kept)
        assert torch.equal(after.rotation, torch.ones(3, 3))
        assert torch.equal(after.identity, before.identity)
        assert float(after.lighting.abs().max()) == 0

    def test_replace_carries_gradients(self):
        angles = torch.zeros(1, 3, requires_grad=True)
        Coefficients.zeros(4).replace(rotation=angles).rotation.sum().backward()
        assert torch.equal(angles.grad, torch.full((1, 3), 4.0))

    def test_replace_rejects_a_wrong_width(self):
        with pytest.raises(InputError, match=r"rotation must have shape \(1, 3\), got \(1, 4\)"):
            Coefficients.zeros(1).replace(rotation=torch.zeros(1, 4))

    def test_index_keeps_the_batch_axis(self):
        coefficients = Coefficients(torch.arange(3 * 257.0).view(3, 257))
        assert coefficients[1].data.shape == (1, 257)
        assert torch.equal(coefficients[-1].data, coefficients.data[2:])
        assert len(coefficients[0:0]) == 0
        assert torch.equal(coefficients[np.int64(1)].data, coefficients.data[1:2])
        assert torch.equal(coefficients[[2, 0]].data, coefficients.data[[2, 0]])

    def test_iteration_ends(self):
        coefficients = Coefficients(torch.arange(3 * 257.0).view(3, 257))
        rows = [row for row, _ in zip(coefficients, range(10))]
        assert torch.equal(torch.cat([row.data for row in rows]), coefficients.data)
        assert list(Coefficients.zeros(0)) == []

    @pytest.mark.parametrize("row", [3, -4, np.int64(7)])
    def test_a_row_beyond_the_batch_is_an_error(self, row):
        with pytest.raises(IndexError, match=r"of coefficients of 3"):
            Coefficients.zeros(3)[row]

    def test_wrong_layout_is_explained(self):
        with pytest.raises(InputError, match=r"257 columns \(identity 80, .*got 100.*another layout"):
            Coefficients(torch.zeros(1, 100))

    def test_integers_are_rejected(self):
        with pytest.raises(InputError, match="floating point, got torch.int64"):
            Coefficients(torch.zeros(1, 257, dtype=torch.int64))

    def test_nan_names_the_rows(self):
        data = torch.zeros(4, 257)
        data[2, 5] = float("nan")
        with pytest.raises(InputError, match=r"NaN or infinity in row\(s\) \[2\]"):
            Coefficients(data).check_finite()

    def test_to_changes_dtype(self):
        assert Coefficients.zeros(1).to(dtype=torch.float64).data.dtype == torch.float64


class TestMesh:
    faces = torch.tensor([[0, 1, 2]])

    def test_to_leaves_integers_alone(self):
        mesh = Mesh(torch.zeros(1, 3, 3), self.faces, torch.zeros(3, 2)).to(dtype=torch.float64)
        assert mesh.vertices.dtype == mesh.uv.dtype == torch.float64
        assert mesh.faces.dtype == torch.int64

    def test_int32_faces_are_rejected(self):
        with pytest.raises(InputError, match=r"int64, got torch.int32; convert them with .long\(\)"):
            Mesh(torch.zeros(1, 3, 3), self.faces.int())

    def test_unbatched_vertices_are_rejected(self):
        with pytest.raises(InputError, match=r"vertices must have shape \(B, V, 3\), got \(3, 3\)"):
            Mesh(torch.zeros(3, 3), self.faces)

    def test_uv_must_match_the_vertices(self):
        with pytest.raises(InputError, match=r"uv must have shape \(3, 2\), got \(4, 2\)"):
            Mesh(torch.zeros(1, 3, 3), self.faces, torch.zeros(4, 2))

    def test_faces_out_of_range(self):
        with pytest.raises(InputError, match=r"vertices 0 … 2, got 1 … 3.*1-based"):
            Mesh(torch.zeros(1, 3, 3), self.faces + 1).check_faces()


def test_maps_must_have_three_channels():
    with pytest.raises(InputError, match=r"diffuse map must have shape \(B, 3, H, W\), got \(1, 1, 4, 4\)"):
        UVMaps(diffuse=torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("name", ["focal", "near", "distance"])
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e39, 10**400, "4", None, True, torch.tensor(4.0), 4j]
)
def test_a_camera_is_made_of_finite_numbers(name, value):
    with pytest.raises(InputError, match=f"^a camera's {name} must be a finite number of 32 bits, got .*$"):
        Camera(**{name: value})


@pytest.mark.parametrize("wrong", [{"focal": 0.0}, {"near": -1.0}])
def test_a_camera_has_a_focal_length_and_a_near_plane(wrong):
    (name, value), *_ = wrong.items()
    with pytest.raises(InputError, match=f"^a camera's {name} must be greater than 0, got {value}$"):
        Camera(**wrong)


def test_a_camera_by_its_fields():
    assert Camera.of(None) == Camera()
    assert Camera.of({"focal": np.float32(2.0), "distance": np.int64(-3)}) == Camera(2.0, -3)
    assert Camera.of(Camera(3.0)) == Camera(3.0)
    with pytest.raises(InputError, match="^a camera has no focl; its fields are focal, distance, near$"):
        Camera.of({"focl": 2.0})
    with pytest.raises(InputError, match="^camera must be a Camera or its fields as a dict, got 5$"):
        Camera.of(5)


def test_default_camera_is_the_papers():
    assert structures.Camera().focal * 256 == pytest.approx(1015)
    assert structures.Camera().distance == 10


class TestSurface:
    def sheet(self, batch=2, **options):
        mesh = Mesh(torch.rand(batch, 4, 3), torch.tensor([[0, 1, 2]]), torch.rand(4, 2))
        options = {"diffuse": torch.rand(batch, 3, 5, 6), **options}
        return Surface(mesh, torch.rand(batch, 3), torch.rand(batch, 3), **options)

    def test_moves_as_a_whole(self):
        surface = self.sheet(lighting=torch.rand(2, 3, 9), camera=Camera(4.0)).to(dtype=torch.float64)
        assert len(surface) == 2
        for value in (surface.mesh.vertices, surface.mesh.uv, surface.rotation, surface.lighting, surface.diffuse):
            assert value.dtype == torch.float64
        assert surface.mesh.faces.dtype == torch.int64
        assert surface.camera == Camera(4.0)

    def test_replace_gives_a_new_one(self):
        surface = self.sheet()
        turned = surface.replace(rotation=torch.zeros(2, 3))
        assert turned.rotation.abs().max() == 0 < surface.rotation.abs().max()
        assert turned.mesh is surface.mesh

    def test_detach_reaches_the_mesh(self):
        surface = self.sheet()
        surface.mesh.vertices.requires_grad_()
        assert not surface.detach().mesh.vertices.requires_grad

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"diffuse": None}, "a surface has a diffuse map .* or vertex_colours .*, one of the two"),
            ({"vertex_colours": torch.rand(2, 4, 3)}, "one of the two"),
            ({"diffuse": torch.rand(1, 3, 5, 6)}, "the diffuse of a surface"),
            ({"diffuse": None, "vertex_colours": torch.rand(2, 5, 3)}, "the vertex_colours of a surface"),
            ({"lighting": torch.rand(2, 27)}, "the lighting of a surface"),
            ({"normal_map": torch.rand(2, 1, 4, 4)}, "the normal_map of a surface"),
        ],
    )
    def test_shapes_are_checked(self, options, message):
        with pytest.raises(InputError, match=message):
            self.sheet(**options)
