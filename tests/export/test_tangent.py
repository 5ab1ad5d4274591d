"""Tangent frames and baked normal maps, against analytic surfaces."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError
from faceuv.export.tangent import TangentFrame, tangent_frame, tangent_normal_map
from faceuv.geometry import UVCorrespondence, bake, sample_map, vertex_normals

RIGHT, UP, OUT = torch.eye(3, dtype=torch.float64)


def square(mirrored: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """A unit square facing +z; its picture is upright, or mirrored left to right."""
    vertices = torch.tensor([[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]], dtype=torch.float64)[None]
    uv = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.float64)
    if mirrored:
        uv = torch.stack([1 - uv[:, 0], uv[:, 1]], 1)
    return vertices, torch.tensor([[0, 2, 1], [1, 2, 3]]), uv


def texel_uv(size: int) -> Tensor:
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([u, v], -1)


def bumpy(uv: Tensor) -> Tensor:
    """A surface point for each uv: a sphere of radius 1 dm whose radius carries waves of 0.01 dm."""
    longitude, latitude = (uv[..., 0] - 0.5) * math.radians(100), (0.5 - uv[..., 1]) * math.radians(100)
    radius = 1 + waves(uv)
    unit = torch.stack([latitude.cos() * longitude.sin(), latitude.sin(), latitude.cos() * longitude.cos()], -1)
    return radius[..., None] * unit


def waves(uv: Tensor) -> Tensor:
    return 0.01 * torch.sin(2 * math.pi * 5 * uv[..., 0]) * torch.cos(2 * math.pi * 4 * uv[..., 1])


def analytic_normals(uv: Tensor) -> Tensor:
    """Unit normals of :func:`bumpy` at ``uv (N, 2)``, by automatic differentiation."""
    uv = uv.detach().requires_grad_()
    rows = [torch.autograd.grad(axis.sum(), uv, retain_graph=True)[0] for axis in bumpy(uv).unbind(-1)]
    along_u, along_v = torch.stack(rows, -1).unbind(1)
    return F.normalize(torch.linalg.cross(along_v, along_u), dim=-1)


def decode(maps: Tensor, frame: TangentFrame, chart: UVCorrespondence) -> Tensor:
    """What a viewer does with the map: object-space normals ``(B, 3, H, W)``."""
    n = F.normalize(bake(frame.normal, chart), dim=1)
    t = bake(frame.tangent[..., :3], chart)
    b = torch.linalg.cross(n, t, dim=1) * bake(frame.tangent[..., 3:], chart).sign()
    x, y, z = (2 * maps - 1).split(1, 1)
    return F.normalize(x * F.normalize(t, dim=1) + y * F.normalize(b, dim=1) + z * n, dim=1)


def degrees(a: Tensor, b: Tensor) -> Tensor:
    return torch.rad2deg(2 * torch.asin((a - b).norm(dim=1).clamp_max(2) / 2))


class TestFrame:
    def test_upright_square_has_x_right_and_the_bitangent_up(self) -> None:
        frame = tangent_frame(*square())
        assert torch.allclose(frame.normal, OUT.expand(1, 4, 3))
        assert torch.allclose(frame.tangent[..., :3], RIGHT.expand(1, 4, 3))
        bitangent = torch.linalg.cross(frame.normal, frame.tangent[..., :3]) * frame.tangent[..., 3:]
        assert torch.allclose(bitangent, UP.expand(1, 4, 3))

    def test_mirrored_chart_flips_the_handedness_and_keeps_green_up(self) -> None:
        frame = tangent_frame(*square(mirrored=True))
        assert (frame.tangent[..., 3] == -1).all()
        assert torch.allclose(frame.tangent[..., :3], -RIGHT.expand(1, 4, 3))
        bitangent = torch.linalg.cross(frame.normal, frame.tangent[..., :3]) * frame.tangent[..., 3:]
        assert torch.allclose(bitangent, UP.expand(1, 4, 3))

    def test_is_orthonormal_on_a_sphere(self, sphere) -> None:
        frame = tangent_frame(*sphere(9, 11))
        tangent = frame.tangent[..., :3]
        assert torch.allclose(tangent.norm(dim=-1), torch.ones(1, 99, dtype=torch.float64))
        assert torch.allclose((tangent * frame.normal).sum(-1), torch.zeros(1, 99, dtype=torch.float64), atol=1e-12)
        assert (frame.tangent[..., 3] == 1).all()

    def test_given_normals_are_kept(self, sphere) -> None:
        vertices, faces, uv = sphere(5, 5)
        assert torch.allclose(tangent_frame(vertices, faces, uv, normals=3 * vertices).normal, vertices)

    def test_vertices_without_area_or_chart_get_a_usable_frame(self) -> None:
        vertices, faces, _ = square()
        lonely = torch.cat([vertices, torch.zeros(1, 1, 3, dtype=torch.float64)], 1)
        frame = tangent_frame(lonely, faces, torch.zeros(5, 2, dtype=torch.float64))
        assert torch.allclose(frame.normal[0, 4], OUT)
        assert torch.allclose(frame.tangent[..., :3].norm(dim=-1), torch.ones(1, 5, dtype=torch.float64))
        assert torch.allclose((frame.tangent[..., :3] * frame.normal).sum(-1), torch.zeros(1, 5, dtype=torch.float64))


class TestNormalMap:
    @pytest.mark.parametrize("offset", [0.0, 0.3])
    def test_no_relief_gives_a_flat_map(self, sphere, offset: float) -> None:
        maps = tangent_normal_map(*sphere(9, 9), torch.full((1, 3, 32, 32), offset, dtype=torch.float64))
        flat = torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64).view(1, 3, 1, 1)
        assert (maps - flat).abs().max() < 1e-7

    def test_analytic_waves_on_a_sphere_come_back(self, sphere) -> None:
        size = 256
        vertices, faces, uv = sphere(41, 41)
        chart = UVCorrespondence.build(uv, faces, size, size)
        texels = texel_uv(size)
        unit = F.normalize(bumpy(texels), dim=-1)
        displacement = (waves(texels)[..., None] * unit).permute(2, 0, 1)[None]
        maps = tangent_normal_map(vertices, faces, uv, displacement, chart=chart)
        found = decode(maps, tangent_frame(vertices, faces, uv), chart)[0].permute(1, 2, 0).reshape(-1, 3)
        truth = analytic_normals(texels.reshape(-1, 2))
        smooth = F.normalize(bumpy(texels), dim=-1).reshape(-1, 3)
        inner = (texels - 0.5).abs().amax(-1).reshape(-1) < 0.47  # one-sided differences at the rim are cruder
        error, relief = degrees(found, truth)[inner], degrees(smooth, truth)[inner]
        assert relief.max() > 10  # the waves do tilt the surface
        assert error.max() < 0.6
        assert error.mean() < 0.1

    def test_a_dome_is_bright_in_red_to_the_right_and_in_green_above(self) -> None:
        texels = texel_uv(64)
        height = 0.1 * torch.exp(-((texels - 0.5) ** 2).sum(-1) / 0.02)
        maps = tangent_normal_map(*square(), F.pad(height[None, None], (0, 0, 0, 0, 2, 0)))[0]
        assert maps[0, 32, 42] > 0.6
        assert maps[0, 32, 22] < 0.4
        assert maps[1, 22, 32] > 0.6  # row 22 is above the middle
        assert maps[1, 42, 32] < 0.4

    def test_mirrored_chart_decodes_to_the_same_surface(self) -> None:
        texels = texel_uv(64)
        height = 0.1 * torch.exp(-((texels - 0.4) ** 2).sum(-1) / 0.02)
        displacement = F.pad(height[None, None], (0, 0, 0, 0, 2, 0))
        decoded = []
        for mirrored, picture in ((False, displacement), (True, displacement.flip(3))):
            surface = square(mirrored)
            chart = UVCorrespondence.build(surface[2], surface[1], 64, 64)
            maps = tangent_normal_map(*surface, picture, chart=chart)
            decoded.append(decode(maps, tangent_frame(*surface), chart))
        assert torch.allclose(decoded[0], decoded[1].flip(3), atol=1e-9)

    def test_frame_of_a_displaced_mesh_leaves_only_the_residual(self, sphere) -> None:
        """A fine mesh that shows the waves itself needs an almost flat map, and decodes to the same normals."""
        size = 128
        vertices, faces, uv = sphere(97, 97)
        chart = UVCorrespondence.build(uv, faces, size, size)
        texels = texel_uv(size)
        unit = F.normalize(bumpy(texels), dim=-1)
        displacement = (waves(texels)[..., None] * unit).permute(2, 0, 1)[None]
        moved = tangent_frame(vertices + sample_map(displacement, uv), faces, uv)
        whole = tangent_normal_map(vertices, faces, uv, displacement, chart=chart)
        residual = tangent_normal_map(vertices, faces, uv, displacement, chart=chart, frame=moved)
        inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
        tilts = [(2 * maps[inner] - 1)[:, :2].norm(dim=1).mean() for maps in (residual, whole)]
        assert tilts[0] < 0.1 * tilts[1]
        same = degrees(
            decode(residual, moved, chart)[inner], decode(whole, tangent_frame(vertices, faces, uv), chart)[inner]
        )
        assert same.max() < 0.5

    def test_off_the_chart_it_is_flat(self) -> None:
        vertices, faces, uv = square()
        displacement = torch.rand(1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        maps = tangent_normal_map(vertices, faces, 0.25 + 0.5 * uv, displacement)
        assert (maps[0, :, :8, :].permute(1, 2, 0) == torch.tensor([0.5, 0.5, 1.0])).all()
        assert (maps[0, :2, 10:22, 10:22] - 0.5).abs().max() > 0.1

    def test_batch_equals_one_by_one(self, sphere) -> None:
        vertices, faces, uv = sphere(6, 7)
        generator = torch.Generator().manual_seed(1)
        batch = vertices + 0.05 * torch.rand(3, 42, 3, dtype=torch.float64, generator=generator)
        displacement = 0.01 * torch.rand(3, 3, 16, 16, dtype=torch.float64, generator=generator)
        together = tangent_normal_map(batch, faces, uv, displacement)
        alone = torch.cat([tangent_normal_map(batch[k : k + 1], faces, uv, displacement[k : k + 1]) for k in range(3)])
        assert torch.allclose(together, alone)

    def test_gradcheck(self, sphere) -> None:
        vertices, faces, uv = sphere(3, 3)
        generator = torch.Generator().manual_seed(2)
        displacement = 0.05 * torch.rand(1, 3, 3, 3, dtype=torch.float64, generator=generator)
        chart = UVCorrespondence.build(uv, faces, 3, 3)

        def bake_map(points: Tensor, relief: Tensor) -> Tensor:
            return tangent_normal_map(points, faces, uv, relief, chart=chart)

        inputs = (vertices.requires_grad_(), displacement.requires_grad_())
        assert torch.autograd.gradcheck(bake_map, inputs)

    def test_chart_of_another_size_is_refused(self, sphere) -> None:
        vertices, faces, uv = sphere(3, 3)
        chart = UVCorrespondence.build(uv, faces, 8, 8)
        with pytest.raises(InputError, match="8 × 8 but the displacement map 16 × 16"):
            tangent_normal_map(vertices, faces, uv, torch.zeros(1, 3, 16, 16, dtype=torch.float64), chart=chart)

    def test_batches_that_differ_are_refused(self, sphere) -> None:
        vertices, faces, uv = sphere(3, 3)
        with pytest.raises(InputError, match=r"displacement must have shape \(1, 3, H, W\)"):
            tangent_normal_map(vertices, faces, uv, torch.zeros(2, 3, 8, 8, dtype=torch.float64))


def test_unit_normals_match_the_shared_ones(sphere) -> None:
    vertices, faces, uv = sphere(7, 7)
    assert torch.allclose(tangent_frame(vertices, faces, uv).normal, vertex_normals(vertices, faces))
