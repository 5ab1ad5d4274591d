from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.geometry import euler_to_matrix, matrix_to_euler, rotate

angle = st.floats(-math.pi, math.pi)


@given(angle, angle, angle)
def test_matrices_are_orthogonal_with_determinant_one(x, y, z):
    matrix = euler_to_matrix(torch.tensor([[x, y, z]], dtype=torch.float64))[0]
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(matrix)) == pytest.approx(1)


@given(angle, angle, angle)
def test_is_rz_ry_rx(x, y, z):
    def about(axis, value):
        angles = torch.zeros(1, 3, dtype=torch.float64)
        angles[0, axis] = value
        return euler_to_matrix(angles)[0]

    whole = euler_to_matrix(torch.tensor([[x, y, z]], dtype=torch.float64))[0]
    torch.testing.assert_close(whole, about(2, z) @ about(1, y) @ about(0, x))


@given(angle, st.floats(-1.5, 1.5), angle)
def test_angles_come_back(x, y, z):
    angles = torch.tensor([[x, y, z]], dtype=torch.float64)
    again = matrix_to_euler(euler_to_matrix(angles))
    torch.testing.assert_close(euler_to_matrix(again), euler_to_matrix(angles))
    assert abs(float(again[0, 1]) - y) < 1e-9


@pytest.mark.parametrize("yaw", [math.pi / 2, -math.pi / 2])
def test_gimbal_lock_still_gives_the_same_matrix(yaw):
    angles = torch.tensor([[0.3, yaw, -0.8]], dtype=torch.float64)
    matrix = euler_to_matrix(angles)
    torch.testing.assert_close(euler_to_matrix(matrix_to_euler(matrix)), matrix, atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("axis", "vector", "expected"),
    [
        (0, (0, 0, 1), (0, -1, 0)),  # pitch > 0: the nose goes down
        (1, (0, 0, 1), (1, 0, 0)),  # yaw > 0: the nose goes to the viewer's right
        (2, (0, 1, 0), (-1, 0, 0)),  # roll > 0: the crown goes to the viewer's left
    ],
)
def test_signs(axis, vector, expected):
    angles = torch.zeros(1, 3)
    angles[0, axis] = math.pi / 2
    turned = rotate(torch.tensor([[vector]], dtype=torch.float32), euler_to_matrix(angles))
    torch.testing.assert_close(turned[0, 0], torch.tensor(expected, dtype=torch.float32), atol=1e-6, rtol=0)


def test_gradients():
    angles = torch.tensor([[0.2, -0.7, 1.1], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(euler_to_matrix, angles)
    assert torch.autograd.gradcheck(lambda a: matrix_to_euler(euler_to_matrix(a)), angles)


def test_wrong_shape():
    with pytest.raises(InputError, match=r"angles must have shape \(B, 3\), got \(3,\)"):
        euler_to_matrix(torch.zeros(3))
