from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.geometry import ambient_light, directional_light, named_light, sh_basis, sh_irradiance
from faceuv.geometry.lighting import DC_OFFSET, light_names


def unit(count, seed=0):
    vectors = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1)


def test_basis_is_orthogonal_over_the_sphere():
    # Gauss-Legendre in z, uniform in the azimuth: exact for the products of two bands up to 2.
    z = torch.tensor([-((3 / 5) ** 0.5), 0, (3 / 5) ** 0.5], dtype=torch.float64)
    weight = torch.tensor([5 / 9, 8 / 9, 5 / 9], dtype=torch.float64)
    azimuth = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    r = (1 - z**2).sqrt()
    normals = torch.stack(
        [r[:, None] * azimuth.cos(), r[:, None] * azimuth.sin(), z[:, None].expand(-1, 8)], -1
    ).flatten(0, 1)
    basis = sh_basis(normals)
    gram = torch.einsum("n,ni,nj->ij", weight.repeat_interleave(8) * (2 * math.pi / 8), basis, basis)
    a = torch.tensor([math.pi] + [2 * math.pi / 3**0.5] * 3 + [2 * math.pi / 8**0.5] * 5, dtype=torch.float64)
    torch.testing.assert_close(gram, torch.diag(a**2))


def test_the_bands_are_those_of_the_paper_s_basis():
    """Each band by its own formula and at its own place: Y = [a0c0, −a1c1·ny, a1c1·nz, −a1c1·nx, a2c2·nx·ny,
    −a2c2·ny·nz, a2c2·d0·(3nz² − 1), −a2c2·nx·nz, a2c2/2·(nx² − ny²)], on normals without symmetry."""
    a0, a1, a2 = math.pi, 2 * math.pi / math.sqrt(3), 2 * math.pi / math.sqrt(8)
    c0, c1 = 1 / math.sqrt(4 * math.pi), math.sqrt(3) / math.sqrt(4 * math.pi)
    c2, d0 = 3 * math.sqrt(5) / math.sqrt(12 * math.pi), 0.5 / math.sqrt(3)
    normals = torch.tensor([[2, 3, 6], [-6, 2, 3], [3, -6, 2], [2, 3, -6]], dtype=torch.float64) / 7
    wanted = [
        [
            a0 * c0, -a1 * c1 * y, a1 * c1 * z, -a1 * c1 * x, a2 * c2 * x * y, -a2 * c2 * y * z,
            a2 * c2 * d0 * (3 * z * z - 1), -a2 * c2 * x * z, a2 * c2 / 2 * (x * x - y * y),
        ]
        for x, y, z in normals.tolist()
    ]  # fmt: skip
    torch.testing.assert_close(sh_basis(normals), torch.tensor(wanted, dtype=torch.float64))
    assert torch.equal(sh_basis(normals.T, 0), sh_basis(normals).T)


@given(st.integers(0, 1000))
def test_quadratic_form_equals_the_basis(seed):
    generator = torch.Generator().manual_seed(seed)
    lighting = torch.randn(2, 3, 9, generator=generator, dtype=torch.float64)
    normals = torch.stack([unit(7, seed), unit(7, seed + 1)])
    raised = lighting.clone()
    raised[:, :, 0] += DC_OFFSET
    expected = sh_basis(normals) @ raised.transpose(1, 2)
    torch.testing.assert_close(sh_irradiance(normals, lighting), expected)


@given(st.floats(0, 3), st.integers(0, 100))
def test_constant_light_is_constant(level, seed):
    lighting = ambient_light(torch.full((1, 3), level, dtype=torch.float64))
    irradiance = sh_irradiance(unit(16, seed)[None], lighting)
    torch.testing.assert_close(irradiance, torch.full_like(irradiance, level))


def test_directional_light_approximates_lamberts_cosine():
    direction = torch.tensor([[0.3, 0.5, 0.8]], dtype=torch.float64)
    lighting = ambient_light(torch.zeros(1, 3, dtype=torch.float64))
    lighting = lighting + directional_light(direction, torch.ones(1, 3, dtype=torch.float64))
    normals = unit(4000)
    cosine = normals @ torch.nn.functional.normalize(direction, dim=1).T
    irradiance = sh_irradiance(normals[None], lighting)[0]
    # The first three bands of the clamped cosine, exactly; it is off by at most 3/32 (at a right angle).
    torch.testing.assert_close(irradiance, (1 / 4 + cosine / 2 + 5 / 32 * (3 * cosine**2 - 1)).expand(-1, 3))
    assert float((irradiance - cosine.clamp_min(0)).abs().max()) <= 3 / 32 + 1e-9


def test_zero_coefficients_mean_the_offset():
    irradiance = sh_irradiance(unit(5)[None], torch.zeros(1, 3, 9, dtype=torch.float64))
    torch.testing.assert_close(irradiance, torch.full_like(irradiance, DC_OFFSET * math.sqrt(math.pi) / 2))


@pytest.mark.parametrize(("name", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("top", 1, 1), ("bottom", 1, -1)])
def test_named_lights_come_from_where_they_say(name, axis, sign):
    toward, away = torch.zeros(1, 1, 3), torch.zeros(1, 1, 3)
    toward[..., axis], away[..., axis] = sign, -sign
    light = named_light(name)
    assert float(sh_irradiance(toward, light).mean()) > 2 * float(sh_irradiance(away, light).mean())


def test_every_named_light_is_sane():
    normals = unit(500).float()[None]
    for name in light_names():
        irradiance = sh_irradiance(normals, named_light(name))
        assert float(irradiance.min()) > -0.05, name
        assert 0.3 < float(irradiance.max()) < 1.4, name


def test_unknown_light():
    with pytest.raises(InputError, match="no light is called 'disco'; known: studio"):
        named_light("disco")


def test_gradients():
    normals = unit(3)[None].requires_grad_()
    lighting = torch.randn(1, 3, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sh_irradiance, (normals, lighting))
    assert torch.autograd.gradcheck(sh_basis, normals)


def test_wrong_shape():
    with pytest.raises(InputError, match=r"lighting must have shape \(1, 3, 9\), got \(1, 27\)"):
        sh_irradiance(torch.zeros(1, 2, 3), torch.zeros(1, 27))
