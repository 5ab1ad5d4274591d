from __future__ import annotations

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.models.faces import FaceModel
from faceuv.models.faces.arrays import ARRAYS, check_arrays
from faceuv.structures import CoefficientLayout, Coefficients


def small_arrays(rows=4, columns=5):
    """A patch of rows × columns vertices with 3 identity, 4 expression and 2 albedo modes."""
    generator = torch.Generator().manual_seed(0)
    count = rows * columns
    v, u = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")
    index = torch.arange(count).view(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return {
        "mean": torch.stack([u - 0.5, 0.5 - v, torch.zeros_like(u)], -1).view(-1, 3),
        "identity_basis": torch.randn(count, 3, 3, generator=generator),
        "expression_basis": torch.randn(count, 3, 4, generator=generator),
        "mean_albedo": torch.full((count, 3), 0.5),
        "albedo_basis": 0.1 * torch.randn(count, 3, 2, generator=generator),
        "faces": torch.cat([torch.stack([a, c, b], -1).view(-1, 3), torch.stack([b, c, d], -1).view(-1, 3)]),
        "uv": torch.stack([u, v], -1).view(-1, 2),
        "landmarks": torch.arange(68) % count,
        "skin_mask": torch.ones(count, dtype=torch.bool),
        "mirror": index.flip(1).flatten(),
    }


METADATA = {"full_expression": {"jaw_open": 2.0}, "combined_expression": {"smile": ["smile_left", "smile_right"]}}


@pytest.fixture
def model():
    names = {"expression": ["smile_left", "smile_right", "jaw_open", "frown"]}
    return FaceModel(small_arrays(), names=names, metadata=METADATA)


class TestSurface:
    def test_zero_coefficients_are_the_mean(self, model):
        torch.testing.assert_close(model.shape(torch.zeros(1, 3), torch.zeros(1, 4))[0], model.mean)
        torch.testing.assert_close(model.albedo(torch.zeros(1, 2))[0], model.mean_albedo)

    def test_is_linear(self, model):
        identity, expression = torch.tensor([[1.0, 0, 0], [0, 2, 0]]), torch.tensor([[0.0, 0, 0, 0], [0, 0, 3, 0]])
        vertices = model.shape(identity, expression)
        torch.testing.assert_close(vertices[0], model.mean + model.identity_basis[..., 0])
        expected = model.mean + 2 * model.identity_basis[..., 1] + 3 * model.expression_basis[..., 2]
        torch.testing.assert_close(vertices[1], expected)

    def test_gradients(self):
        model = FaceModel(small_arrays(2, 3)).double()
        identity = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
        expression = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(model.shape, (identity, expression))

    def test_nothing_is_trainable(self, model):
        assert list(model.parameters()) == []

    def test_empty_batch(self, model):
        assert model.mesh(Coefficients.zeros(0, model.layout)).vertices.shape == (0, 20, 3)

    def test_layout_comes_from_the_bases(self, model):
        assert model.layout == CoefficientLayout(identity=3, expression=4, albedo=2)

    def test_coefficients_of_another_model(self, model):
        with pytest.raises(InputError, match=r"layout \{'identity': 80.*the face model \{'identity': 3"):
            model.mesh(Coefficients.zeros(1))

    def test_wrong_width(self, model):
        with pytest.raises(InputError, match=r"identity must have shape \(B, 3\), got \(1, 80\)"):
            model.shape(torch.zeros(1, 80), torch.zeros(1, 4))


class TestMaps:
    def test_albedo_map_shows_the_vertex_colours(self, model):
        colours = model.albedo_map(torch.tensor([[1.0, -1.0]]), 8, 10)
        assert colours.shape == (1, 3, 8, 10)
        assert 0 <= float(colours.min()) <= float(colours.max()) <= 1

    def test_uv_mask_of_a_full_chart(self, model):
        assert float(model.uv_mask(8, 8).min()) == 1
        assert model.uv_mask(8, 8).shape == (1, 1, 8, 8)

    def test_charts_are_computed_once(self, model):
        assert model.chart(8, 8) is model.chart(8, 8)


class TestExpressions:
    def test_both_sides_and_the_full_movement(self, model):
        assert model.expression_coefficients(smile=0.5, jaw_open=1.0).tolist() == [[1.5, 1.5, 2.0, 0.0]]
        assert model.expression_coefficients(smile_left=1.0).tolist() == [[3.0, 0.0, 0.0, 0.0]]

    def test_unknown_names_list_the_known(self, model):
        with pytest.raises(
            InputError, match="no movement is called 'grin'; known: smile_left, smile_right, jaw_open, frown, smile"
        ):
            model.expression_coefficients(grin=1.0)


class TestFiles:
    def test_round_trip(self, model, tmp_path):
        arrays, names, metadata = FaceModel.read(model.save(tmp_path / "m.safetensors"))
        for name in ARRAYS:
            assert torch.equal(arrays[name], getattr(model, name)), name
        assert names["expression"][2] == "jaw_open"
        assert metadata["full_expression"] == {"jaw_open": 2.0}

    def test_a_file_that_lacks_an_array(self, tmp_path):
        from faceuv.files.artefacts import save_tensors

        path = save_tensors(tmp_path / "m.safetensors", {"mean": torch.zeros(3, 3)}, {"kind": "face_model"})
        with pytest.raises(AssetError, match=r"m\.safetensors: missing identity_basis, .*a face model needs mean"):
            FaceModel.read(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("uv", torch.zeros(19, 2), r"uv must have shape \(20, 2\), got \(19, 2\)"),
        ("faces", torch.full((4, 3), 20), r"faces must lie in 0 … 19 \(0-based\), got 20 … 20"),
        ("landmarks", torch.zeros(68), "landmarks must be torch.int64, got torch.float32"),
        ("skin_mask", torch.ones(20), "skin_mask must be torch.bool, got torch.float32"),
        ("mean", torch.zeros(20, 3, dtype=torch.int64), "mean must be floating point, got torch.int64"),
    ],
)
def test_wrong_arrays_are_named(name, value, message):
    with pytest.raises(InputError, match=f"here: {message}"):
        check_arrays({**small_arrays(), name: value}, where="here")
