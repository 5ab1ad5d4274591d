"""Projected landmarks are those of the pictures."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from faceuv.models.faces import FaceRenderer, LandmarkTruth, interocular_distance
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.registry import RENDERERS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces


def test_is_the_truth_of_a_picture_but_for_the_skin_s_relief():
    faces = SyntheticFaces(size=32, seed=2, truth=("coefficients", "landmarks"))
    item = faces.batch([0, 1])
    points, interocular = LandmarkTruth(faces.studio.face_model)(Coefficients(item["coefficients"]), 32)
    # 0.75 mm of displacement at most
    scale = 0.0075 / 10 * 1015 / 256 * 32
    assert (points - item["landmarks"]).norm(dim=2).max() < 1.5 * scale
    assert (2 < interocular).all() and (interocular < 16).all()


def test_the_interocular_distance_does_not_shrink_when_the_head_turns():
    truth = LandmarkTruth(ProceduralFace(rows=97, columns=81))
    front = Coefficients.zeros(1)
    turned = front.replace(rotation=torch.tensor([[0.0, 1.0, 0.0]]))
    (points, straight), (turned_points, aside) = truth(front, 64), truth(turned, 64)
    torch.testing.assert_close(straight, aside, rtol=0.02, atol=0)
    torch.testing.assert_close(interocular_distance(points), straight, rtol=0.02, atol=0)
    assert interocular_distance(turned_points) < 0.7 * straight


def test_moves_with_the_coefficients_and_lets_gradients_through():
    truth = LandmarkTruth(ProceduralFace(rows=97, columns=81))
    data = torch.zeros(1, 257, requires_grad=True)
    points, _ = truth(Coefficients(data), 64)
    points[..., 0].sum().backward()
    assert data.grad is not None and data.grad[0, 254] > 0  # moving the face right moves its points right


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(rows=97, columns=81, verbose=False, contour=True)


class TestContourOfTheProceduralFace:
    """Off by default; with it, jaw points of a turned head are on its silhouette."""

    def test_is_an_option_that_files_name(self, model):
        assert model.config() == {
            "type": "ProceduralFace",
            "rows": 97,
            "columns": 81,
            "verbose": False,
            "contour": True,
        }
        assert ProceduralFace(rows=97, columns=81, verbose=False).contour is None  # nor in the cache

    def test_lines_start_at_the_landmark_and_are_mirrored(self, model):
        assert torch.equal(model.contour[:, 0], model.landmarks[:17])
        assert torch.equal(model.mirror[model.contour[:8]], model.contour[9:].flip(0))

    @pytest.mark.parametrize("yaw", [-40, 40])
    def test_jaw_points_of_the_far_side_are_on_the_silhouette(self, model, yaw):
        face = Coefficients.zeros(1).replace(rotation=torch.tensor([[0.0, math.radians(yaw), 0.0]]))
        far = range(10, 15) if yaw > 0 else range(2, 7)  # in the picture, the side that the head turns to
        gaps = {name: self.gap(model, face, name, far, yaw) for name in ("head", "visible")}
        assert float(gaps["visible"].max()) < 1.5
        assert float(gaps["head"].min()) > 4
        front = Coefficients.zeros(1)
        at = [LandmarkTruth(model, contour=name)(front, 256)[0] for name in ("head", "visible")]
        torch.testing.assert_close(*at)

    def gap(self, model, face, contour, far, yaw) -> Tensor:
        """Pixels from the points to the outline of the drawn face in their rows of the picture."""
        points = LandmarkTruth(model, contour=contour)(face, 256)[0][0, list(far)]
        mask = FaceRenderer(model, RENDERERS.build("torch"))(face, size=256).mask[0, 0] > 0.5
        columns = torch.arange(256)
        edges = [columns[mask[int(y)]] for y in points[:, 1]]
        outline = torch.tensor([float(row.max() + 1 if yaw > 0 else row.min()) for row in edges])
        return (points[:, 0] - outline).abs()
