"""Nine-band spherical-harmonic lighting, in the paper's convention.

colour = albedo · (Y(n)·γ) with the DC coefficient raised by 0.8 and normals after rotation: the light is fixed to the
camera. Y is the real SH basis scaled by a = (π, 2π/√3, 2π/√8), so γ is not a plain SH projection; the functions below
that make a light undo the scaling.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError, did_you_mean

DC_OFFSET = 0.8  # the light that all-zero coefficients mean

K0 = math.pi / math.sqrt(4 * math.pi)
K1 = (2 * math.pi / math.sqrt(3)) * (math.sqrt(3) / math.sqrt(4 * math.pi))
K2 = (2 * math.pi / math.sqrt(8)) * (3 * math.sqrt(5) / math.sqrt(12 * math.pi))
D0 = 0.5 / math.sqrt(3)


def sh_basis(normals: Tensor, dim: int = -1) -> Tensor:
    """Unit ``normals (..., 3)`` → the scaled basis ``Y (..., 9)``; with another ``dim`` the three lie along it, and
    the nine do."""
    check_shape("normals", normals.movedim(dim, -1), ("...", 3))
    x, y, z = normals.unbind(dim)
    return torch.stack(
        [
            torch.full_like(x, K0),
            -K1 * y,
            K1 * z,
            -K1 * x,
            K2 * x * y,
            -K2 * y * z,
            K2 * D0 * (3 * z * z - 1),
            -K2 * x * z,
            0.5 * K2 * (x * x - y * y),
        ],
        dim,
    )


def sh_irradiance(normals: Tensor, lighting: Tensor) -> Tensor:
    """Light on a surface: unit ``normals (B, N, 3)`` and ``lighting (B, 3, 9)`` → ``(B, N, 3)`` RGB factors.

    Equal to ``sh_basis(normals) @ (lighting + 0.8·DC)ᵀ``, computed as the quadratic form nᵀQn + l·n + c, which never
    builds the (B, N, 9) basis.
    """
    sizes = check_shape("normals", normals, ("B", "N", 3))
    check_shape("lighting", lighting, (sizes["B"], 3, 9))
    quadratic, linear, constant = light_form(lighting)
    columns = normals.transpose(1, 2)  # (B, 3, N)
    slopes = torch.bmm(quadratic.flatten(1, 2), columns).unflatten(1, (3, 3)) + linear[..., None]
    return ((slopes * columns[:, None]).sum(2) + constant[..., None]).transpose(1, 2)


def light_form(lighting: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The light on a normal n as nᵀQn + l·n + c: Q ``(B, 3 colours, 3, 3)``, symmetric, l ``(B, 3 colours, 3)`` and c
    ``(B, 3 colours)`` of ``lighting (B, 3, 9)``."""
    check_shape("lighting", lighting, ("B", 3, 9))
    g = lighting
    xy, yz, xz = 0.5 * K2 * g[..., 4], -0.5 * K2 * g[..., 5], -0.5 * K2 * g[..., 7]
    xx = 0.5 * K2 * g[..., 8]
    zz = 3 * K2 * D0 * g[..., 6]
    quadratic = torch.stack([xx, xy, xz, xy, -xx, yz, xz, yz, zz], -1).unflatten(-1, (3, 3))  # (B, 3 colours, 3, 3)
    linear = torch.stack([-K1 * g[..., 3], -K1 * g[..., 1], K1 * g[..., 2]], -1)  # (B, 3, 3)
    constant = K0 * (g[..., 0] + DC_OFFSET) - K2 * D0 * g[..., 6]
    return quadratic, linear, constant


def directional_light(direction: Tensor, colour: Tensor) -> Tensor:
    """The part of ``lighting`` that a distant light adds: ``direction (B, 3)`` toward the light, ``colour (B, 3)`` →
    ``(B, 3, 9)``. The irradiance is the nine-band approximation of colour · max(0, n·d)."""
    check_shape("direction", direction, ("B", 3))
    basis = sh_basis(torch.nn.functional.normalize(direction, dim=1))
    # Lambert's cosine in SH has factors (π, 2π/3, π/4); our basis carries a_l once for the light and once for the
    # normal: factor / a_l² = 1/π in band 0 and 1/2π in bands 1 and 2.
    scale = torch.full_like(basis, 1 / (2 * math.pi))
    scale[:, 0] = 1 / math.pi
    return colour[:, :, None] * (basis * scale)[:, None]


def ambient_light(colour: Tensor) -> Tensor:
    """The ``lighting (B, 3, 9)`` whose irradiance is ``colour (B, 3)`` everywhere (the offset 0.8 is subtracted)."""
    check_shape("colour", colour, ("B", 3))
    lighting = colour.new_zeros(colour.shape[0], 3, 9)
    lighting[:, :, 0] = colour / K0 - DC_OFFSET
    return lighting


# name → (ambient RGB, [(direction toward the light, RGB), …]); +x is the viewer's right, +z toward the camera.
_Triple = tuple[float, float, float]
_LIGHTS: dict[str, tuple[_Triple, list[tuple[_Triple, _Triple]]]] = {
    "studio": ((0.42, 0.42, 0.43), [((-0.5, 0.55, 0.75), (0.55, 0.54, 0.52)), ((0.8, 0.1, 0.5), (0.16, 0.16, 0.18))]),
    "front": ((0.40, 0.40, 0.40), [((0.0, 0.1, 1.0), (0.60, 0.60, 0.60))]),
    "left": ((0.25, 0.25, 0.26), [((-1.0, 0.15, 0.35), (0.85, 0.85, 0.83))]),
    "right": ((0.25, 0.25, 0.26), [((1.0, 0.15, 0.35), (0.85, 0.85, 0.83))]),
    "top": ((0.25, 0.25, 0.26), [((0.0, 1.0, 0.45), (0.90, 0.90, 0.88))]),
    "bottom": ((0.22, 0.22, 0.24), [((0.0, -1.0, 0.45), (0.85, 0.84, 0.82))]),
    "warm": ((0.42, 0.34, 0.27), [((-0.4, 0.4, 0.8), (0.75, 0.58, 0.40))]),
    "cool": ((0.28, 0.34, 0.43), [((0.4, 0.4, 0.8), (0.42, 0.56, 0.76))]),
    "rim": ((0.16, 0.16, 0.18), [((-1.0, 0.2, -0.25), (0.9, 0.8, 0.7)), ((1.0, 0.2, -0.25), (0.55, 0.7, 0.95))]),
}


def light_names() -> list[str]:
    """The names that :func:`named_light` knows."""
    return [*_LIGHTS, "flat"]


def named_light(name: str, *, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """A light by name → ``(1, 3, 9)``; ``"left"`` comes from the viewer's left, ``"flat"`` is all zeros, the same from
    every side."""
    if name == "flat":
        return torch.zeros(1, 3, 9, device=device, dtype=dtype)
    if name not in _LIGHTS:
        known = light_names()
        if name == "default":
            raise InputError("the light 'default' is called 'flat' since version 0.2: write 'flat'")
        raise InputError(f"no light is called {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")
    ambient, sources = _LIGHTS[name]
    lighting = ambient_light(torch.tensor([ambient], device=device, dtype=dtype))
    for direction, colour in sources:
        lighting = lighting + directional_light(
            torch.tensor([direction], device=device, dtype=dtype), torch.tensor([colour], device=device, dtype=dtype)
        )
    return lighting
