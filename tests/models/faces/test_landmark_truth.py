"""Projected landmarks are those of the pictures."""

from __future__ import annotations

import torch

from faceuv.models.faces import LandmarkTruth, interocular_distance
from faceuv.models.faces.procedural import ProceduralFace
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
