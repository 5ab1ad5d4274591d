from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.evaluation import CoefficientErrors, coefficient_errors, face_weight, mean_face, summarise
from faceuv.evaluation.coefficient_errors import _rigid_distance
from faceuv.geometry import euler_to_matrix, named_light, pose
from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.region import hemisphere
from faceuv.structures import Camera, Coefficients


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(rows=61, columns=41, verbose=False)


@pytest.fixture(scope="module")
def weight(model):
    return face_weight(model)


@pytest.fixture(scope="module")
def true(model):
    generator = torch.Generator().manual_seed(1)
    return Coefficients(torch.randn(5, model.layout.size, generator=generator) * 0.3, model.layout)


def changed(true, group, column, amount):
    value = true.view(group).clone()
    value[:, column] += amount
    return true.replace(**{group: value})


class TestErrors:
    def test_of_the_truth_are_zero(self, model, weight, true):
        for name, value in coefficient_errors(true, true, model, weight=weight).items():
            assert value.shape == (5,), name
            assert float(value.abs().max()) < 1e-4, name

    @pytest.mark.parametrize(("column", "name"), [(0, "pitch_deg"), (1, "yaw_deg"), (2, "roll_deg")])
    def test_angles(self, model, weight, true, column, name):
        errors = coefficient_errors(changed(true, "rotation", column, -math.radians(3)), true, model, weight=weight)
        torch.testing.assert_close(errors[name], torch.full((5,), 3.0), atol=1e-3, rtol=0)
        others = {"pitch_deg", "yaw_deg", "roll_deg"} - {name}
        assert all(float(errors[other].max()) < 1e-3 for other in others)

    def test_a_whole_turn_is_none(self, model, weight, true):
        errors = coefficient_errors(changed(true, "rotation", 1, 2 * math.pi - 0.1), true, model, weight=weight)
        torch.testing.assert_close(errors["yaw_deg"], torch.full((5,), math.degrees(0.1)), atol=1e-2, rtol=0)

    def test_a_shift_across_the_view_moves_the_landmarks(self, model, weight):
        true = Coefficients.zeros(1, model.layout)
        errors = coefficient_errors(changed(true, "translation", 0, 0.1), true, model, weight=weight)
        depth = 10 - model.mean[model.landmarks, 2]
        expected = float((256 * Camera().focal * 0.1 / depth).mean())
        assert float(errors["landmarks_px"]) == pytest.approx(expected, rel=1e-4)
        assert float(errors["landmarks_percent"]) == pytest.approx(expected / 2.56, rel=1e-4)
        assert float(errors["translation_mm"]) == pytest.approx(10, rel=1e-4)
        assert float(errors["shape_mm"]) < 1e-4

    def test_landmarks_scale_with_the_image(self, model, weight, true):
        pred = changed(true, "rotation", 1, 0.1)
        small, large = (coefficient_errors(pred, true, model, size=s, weight=weight) for s in (64, 256))
        torch.testing.assert_close(small["landmarks_px"] * 4, large["landmarks_px"])
        torch.testing.assert_close(small["landmarks_percent"], large["landmarks_percent"])

    def test_shape_of_one_mode(self, model, weight):
        """Without the rigid part of a mode's field, its error is a mean length over the face."""
        true = Coefficients.zeros(1, model.layout)
        errors = coefficient_errors(changed(true, "identity", 3, 1.0), true, model, weight=weight)
        field = model.identity_basis[..., 3] * 100
        upper = float(torch.linalg.vector_norm(field, dim=1) @ weight)
        assert 0.2 * upper < float(errors["shape_mm"]) < upper
        assert float(errors["shape_mm"]) == pytest.approx(float(errors["identity_mm"]))
        assert float(errors["expression_mm"]) == 0

    def test_expression_apart_from_identity(self, model, weight, true):
        smile = model.mode_index("expression", "smile_left")
        errors = coefficient_errors(changed(true, "expression", smile, 2.0), true, model, weight=weight)
        field = torch.linalg.vector_norm(model.expression_basis[..., smile], dim=1) * 200
        torch.testing.assert_close(errors["expression_mm"], (field @ weight).expand(5), rtol=1e-3, atol=1e-4)
        assert float(errors["identity_mm"].max()) < 1e-4

    def test_colour(self, model, weight, true):
        errors = coefficient_errors(changed(true, "albedo", 0, -1.0), true, model, weight=weight)
        expected = model.albedo_basis[..., 0].abs().mean(1) @ weight
        torch.testing.assert_close(errors["albedo"], expected.expand(5), rtol=1e-4, atol=1e-6)

    def test_light_that_is_brighter_by_a_constant(self, model, weight, true):
        k0 = math.pi / math.sqrt(4 * math.pi)
        errors = coefficient_errors(changed(true, "lighting", [0, 9, 18], 0.1 / k0), true, model, weight=weight)
        torch.testing.assert_close(errors["light"], torch.full((5,), 0.1))

    def test_light_from_the_other_side(self, model, weight):
        true = Coefficients.zeros(1, model.layout)
        left, right = (true.replace(lighting=named_light(name)) for name in ("left", "right"))
        assert float(coefficient_errors(left, right, model, weight=weight)["light"]) > 0.3

    def test_each_row_alone(self, model, weight, true):
        pred = Coefficients(true.data.flip(0), model.layout)
        together = coefficient_errors(pred, true, model, weight=weight)
        alone = coefficient_errors(pred[2:3], true[2:3], model, weight=weight)
        for name, value in alone.items():
            torch.testing.assert_close(value, together[name][2:3], atol=1e-4, rtol=1e-4)

    def test_bad_input(self, model, weight, true):
        with pytest.raises(InputError, match="as many predictions as truths, got 3 and 5"):
            coefficient_errors(true[:3], true, model, weight=weight)
        with pytest.raises(InputError, match=r"predicted coefficients holds NaN or infinity in row\(s\) \[1\]"):
            broken = true.data.clone()
            broken[1, 7] = float("nan")
            coefficient_errors(Coefficients(broken), true, model, weight=weight)
        with pytest.raises(InputError, match=r"weight must have shape"):
            coefficient_errors(true, true, model, weight=weight[:-1])


class TestAlignment:
    @given(
        angles=st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3),
        shift=st.lists(st.floats(-5, 5), min_size=3, max_size=3),
    )
    def test_a_rigid_motion_is_no_error(self, angles, shift):
        generator = torch.Generator().manual_seed(0)
        points = torch.randn(2, 40, 3, generator=generator)
        weight = torch.rand(40, generator=generator)
        moved = pose(points, torch.tensor([angles] * 2), torch.tensor([shift] * 2))
        assert float(_rigid_distance(points, moved, weight / weight.sum()).max()) < 1e-4

    def test_scale_is_an_error(self):
        points = torch.randn(1, 500, 3, generator=torch.Generator().manual_seed(0))
        points = points - points.mean(1, keepdim=True)
        weight = torch.full((500,), 1 / 500)
        expected = 0.1 * torch.linalg.vector_norm(points, dim=2).mean()
        assert float(_rigid_distance(points, 1.1 * points, weight)) == pytest.approx(float(expected), rel=1e-4)

    def test_a_mirror_image_is_an_error(self):
        points = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(0))
        mirrored = points * torch.tensor([-1.0, 1, 1])
        assert float(_rigid_distance(points, mirrored, torch.full((50,), 0.02))) > 0.1

    def test_no_motion_aligns_better(self, model, weight):
        """The found motion beats small changes of it, in the mean square that it minimises."""
        first, second = model.mean[None], (model.mean + 2 * model.identity_basis[..., 0])[None]
        own = float(_rigid_distance(first, second, weight))
        turned = torch.einsum("vi,ji->vj", second[0], euler_to_matrix(torch.tensor([[0.01, 0, 0]]))[0])[None]
        assert own < float(torch.linalg.vector_norm(first - turned, dim=2)[0] @ weight)
        assert own == pytest.approx(float(_rigid_distance(first, turned, weight)), rel=1e-3)


class TestWeight:
    def test_is_the_face(self, model, weight):
        assert float(weight.sum()) == pytest.approx(1)
        assert bool((weight[model.landmarks[27:36]] > 0).all())  # the nose
        assert float(weight[model.mean[:, 2] < -0.65].sum()) == 0  # ears and the back of the head
        assert float(weight[model.mean[:, 1] < -0.85].sum()) == 0  # the neck
        assert float((weight[model.mirror] - weight).abs().sum()) < 0.02

    def test_the_inside_of_the_mouth_does_not_count(self, model, weight):
        x, y, z = model.mean.T
        lips = model.mean[model.landmarks[60:68]].mean(0)
        inside = ((x - lips[0]).abs() < 0.15) & ((y - lips[1]).abs() < 0.15) & (z < lips[2] - 0.1)
        assert int(inside.sum()) > 3
        assert float(weight[inside].sum()) < 0.02

    def test_normals_face_the_camera(self):
        normals = hemisphere(500)[0]
        torch.testing.assert_close(normals.norm(dim=1), torch.ones(500))
        assert float(normals[:, 2].min()) > 0
        assert normals.mean(0).tolist() == pytest.approx([0, 0, 0.5], abs=0.01)


class TestMetric:
    def test_of_halfway_to_the_mean_face(self, model, true):
        metric = CoefficientErrors(model, size=64)
        for k in (0, 3):
            halfway = true.data[k : k + 3] * 0.5
            metric.process({}, [{"pred": p, "true": t} for p, t in zip(halfway, true.data[k : k + 3])])
        found = metric.evaluate(5)
        assert found["samples"] == 5
        for name in ("identity", "expression", "albedo"):
            assert found[f"{name}_of_mean_face"] == pytest.approx(50, abs=2)
        expected = coefficient_errors(Coefficients(true.data * 0.5), true, model, size=64)
        assert found["yaw_deg_median"] == pytest.approx(float(expected["yaw_deg"].median()), rel=1e-4)
        assert found["landmarks_px_mean"] == pytest.approx(float(expected["landmarks_px"].mean()), rel=1e-4)

    def test_the_mean_face_scores_100(self, model, true):
        metric = CoefficientErrors({"type": "ProceduralFace", "rows": 61, "columns": 41})
        metric.process({}, [{"pred": p, "true": t} for p, t in zip(mean_face(true).data, true.data)])
        found = metric.evaluate(5)
        assert [found[f"{n}_of_mean_face"] for n in ("shape", "identity", "albedo")] == pytest.approx([100] * 3)
        assert found["yaw_deg_p95"] == 0

    def test_the_summary(self):
        found = summarise({"yaw_deg": torch.arange(101.0)})
        assert found == {"yaw_deg_median": 50, "yaw_deg_mean": 50, "yaw_deg_p95": 95}
