from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.geometry import euler_to_matrix, face_normals, rotate, vertex_normals, vertex_tangents
from faceuv.geometry.normals import _batched_normals, scatter_to_vertices


def sphere(rows=24, columns=33):
    """A closed band of the unit sphere as a grid: vertices (1, V, 3), faces, uv (u to the right, v down), outward."""
    polar = torch.linspace(0.3, math.pi - 0.3, rows, dtype=torch.float64)
    azimuth = torch.linspace(-1.2, 1.2, columns, dtype=torch.float64)
    p, a = torch.meshgrid(polar, azimuth, indexing="ij")
    vertices = torch.stack([p.sin() * a.sin(), p.cos(), p.sin() * a.cos()], -1).view(1, -1, 3)
    uv = torch.stack(torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")[::-1], -1)
    index = torch.arange(rows * columns).view(rows, columns)
    a_, b_, c_, d_ = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = torch.cat([torch.stack([a_, c_, b_], -1).view(-1, 3), torch.stack([b_, c_, d_], -1).view(-1, 3)])
    return vertices, faces, uv.reshape(-1, 2).double()


def test_face_normal_length_is_twice_the_area():
    vertices = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [0, 3, 0]]])
    torch.testing.assert_close(face_normals(vertices, torch.tensor([[0, 1, 2]]))[0, 0], torch.tensor([0.0, 0, 6]))


def test_sphere_normals_are_the_positions():
    vertices, faces, _ = sphere(48, 65)
    inside = (vertices[0, :, 1].abs() < 0.9) & (vertices[0, :, 0].abs() < 0.8)
    cosine = (vertex_normals(vertices, faces) * vertices).sum(2)[0, inside]
    assert float(cosine.min()) > 0.9995


def test_normals_rotate_with_the_surface():
    vertices, faces, _ = sphere()
    matrix = euler_to_matrix(torch.tensor([[0.4, -0.9, 0.2]], dtype=torch.float64))
    turned = vertex_normals(rotate(vertices, matrix), faces)
    torch.testing.assert_close(turned, rotate(vertex_normals(vertices, faces), matrix))


def test_a_lonely_vertex_has_no_normal_and_no_nan():
    vertices = torch.zeros(1, 4, 3)
    vertices[0, 1, 0] = vertices[0, 2, 1] = 1
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2], [3, 3, 3]]))
    torch.testing.assert_close(normals[0, 3], torch.zeros(3))
    torch.testing.assert_close(normals[0, 0], torch.tensor([0.0, 0, 1]))


def test_the_closed_form_is_the_formula():
    vertices, faces, _ = sphere(7, 9)
    vertices = torch.cat([vertices, vertices.flip(2) * 0.7]).requires_grad_()
    weights = torch.randn(vertices.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    summed = scatter_to_vertices(face_normals(vertices, faces), faces, vertices.shape[1])
    formula = torch.nn.functional.normalize(summed, dim=2)
    expected = torch.autograd.grad((formula * weights).sum(), vertices)[0]
    normals = vertex_normals(vertices, faces)
    torch.testing.assert_close(normals, formula)
    torch.testing.assert_close(torch.autograd.grad((normals * weights).sum(), vertices)[0], expected)


@pytest.mark.parametrize("normals", [vertex_normals, _batched_normals])
def test_faces_that_cancel_have_no_normal_and_pass_no_gradient(normals):
    """Each face of a fan lies there twice, turned to either side, in an order that makes sums round differently."""
    rng = torch.Generator().manual_seed(3)
    fan = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])
    faces = torch.cat([fan, fan.flip(0)[:, [0, 2, 1]], torch.tensor([[5, 6, 7]])])
    vertices = torch.randn(2, 8, 3, generator=rng).requires_grad_()
    found = normals(vertices, faces)
    assert torch.equal(found[:, :5], torch.zeros(2, 5, 3))
    torch.testing.assert_close(found[:, 5:].norm(dim=2), torch.ones(2, 3))
    (found * torch.randn(2, 8, 3, generator=rng)).sum().backward()
    assert torch.equal(vertices.grad[:, :5], torch.zeros(2, 5, 3))
    assert vertices.grad[:, 5:].abs().max() < 1e3


def test_nearly_cancelling_faces_still_have_a_normal():
    """Two sides a thousandth of a radian apart: the normal is that of what is left."""
    vertices = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 1e-3]]])
    found = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    torch.testing.assert_close(found[0, 0], torch.tensor([1.0, 0, 0]), atol=1e-3, rtol=0)


def test_both_ways_to_the_normals_agree():
    vertices, faces, _ = sphere()
    moved = [vertices.clone().requires_grad_() for _ in range(2)]
    weight = torch.randn(vertices.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for one, normals in zip(moved, (vertex_normals, _batched_normals)):
        (normals(one, faces) * weight).sum().backward()
    torch.testing.assert_close(vertex_normals(vertices, faces), _batched_normals(vertices, faces))
    torch.testing.assert_close(moved[0].grad, moved[1].grad)


def test_tangents_are_derivatives_by_uv():
    # An affine surface: p = A·uv + b has constant derivatives, the columns of A.
    _, faces, uv = sphere(6, 7)
    matrix = torch.randn(3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    vertices = (uv @ matrix.T)[None]
    du, dv = vertex_tangents(vertices, faces, uv)
    torch.testing.assert_close(du[0], matrix[:, 0].expand_as(du[0]))
    torch.testing.assert_close(dv[0], matrix[:, 1].expand_as(dv[0]))


def test_gradients():
    vertices, faces, uv = sphere(3, 4)
    vertices = vertices.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, faces), vertices)
    assert torch.autograd.gradcheck(lambda v: vertex_tangents(v, faces, uv), vertices)


def test_empty_batch():
    _, faces, _ = sphere(3, 3)
    assert vertex_normals(torch.zeros(0, 9, 3), faces).shape == (0, 9, 3)


def test_wrong_shape():
    with pytest.raises(InputError, match=r"vertices must have shape \(B, V, 3\)"):
        vertex_normals(torch.zeros(9, 3), torch.zeros(1, 3, dtype=torch.int64))
