from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.geometry import (
    UVCorrespondence,
    bake,
    displaced_normals,
    map_gradients,
    sample_map,
    surface_normals,
)


def grid_chart(rows, columns, margin=0.0):
    """A grid of rows × columns vertices over the square [margin, 1 − margin]²: uv (V, 2) and faces."""
    v, u = torch.meshgrid(
        torch.linspace(margin, 1 - margin, rows), torch.linspace(margin, 1 - margin, columns), indexing="ij"
    )
    index = torch.arange(rows * columns).view(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = torch.cat([torch.stack([a, c, b], -1).view(-1, 3), torch.stack([b, c, d], -1).view(-1, 3)])
    return torch.stack([u, v], -1).view(-1, 2), faces


class TestSample:
    def test_texel_centres_return_the_texels(self):
        maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
        v, u = torch.meshgrid((torch.arange(4) + 0.5) / 4, (torch.arange(5) + 0.5) / 5, indexing="ij")
        samples = sample_map(maps, torch.stack([u, v], -1).view(-1, 2))
        torch.testing.assert_close(samples.transpose(1, 2).view_as(maps), maps, atol=1e-6, rtol=0)

    def test_upper_left_is_zero_zero(self):
        maps = torch.zeros(1, 1, 8, 8)
        maps[0, 0, 0, 0] = 1
        assert float(sample_map(maps, torch.tensor([[0.0, 0.0]]))) == 1
        assert float(sample_map(maps, torch.tensor([[0.0, 1.0]]))) == 0

    def test_gradients(self):
        maps = torch.rand(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
        uv = torch.rand(1, 5, 2, dtype=torch.float64) * 0.7 + 0.15
        assert torch.autograd.gradcheck(sample_map, (maps, uv.requires_grad_()))

    def test_wrong_shape(self):
        with pytest.raises(InputError, match=r"maps must have shape \(B, C, H, W\), got \(3, 4, 4\)"):
            sample_map(torch.zeros(3, 4, 4), torch.zeros(1, 2))


class TestCorrespondence:
    @given(st.integers(4, 40), st.integers(4, 40), st.integers(2, 12), st.integers(2, 12))
    def test_every_texel_of_a_full_chart_knows_its_own_uv(self, height, width, rows, columns):
        uv, faces = grid_chart(rows, columns)
        chart = UVCorrespondence.build(uv, faces, height, width)
        assert int(chart.face_id.min()) >= 0
        baked = bake(uv[None], chart)[0]
        v, u = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
        torch.testing.assert_close(baked, torch.stack([u, v]), atol=1e-5, rtol=0)

    def test_off_the_chart_repeats_the_nearest_value(self):
        uv, faces = grid_chart(3, 3, margin=0.25)
        chart = UVCorrespondence.build(uv, faces, 16, 16)
        assert int(chart.face_id[0, 0]) == -1
        assert int(chart.face_id[8, 8]) >= 0
        baked = bake(uv[None], chart)[0]
        torch.testing.assert_close(baked[:, 0, 0], baked[:, 4, 4])

    def test_weights_are_barycentric(self):
        uv, faces = grid_chart(5, 4, margin=0.1)
        chart = UVCorrespondence.build(uv, faces, 20, 30)
        torch.testing.assert_close(chart.weights.sum(1), torch.ones(600))
        assert float(chart.weights.min()) > -1e-6

    def test_a_chart_outside_the_square_is_explained(self):
        uv, faces = grid_chart(3, 3)
        with pytest.raises(InputError, match="no texel centre lies on the UV chart.*got u 5"):
            UVCorrespondence.build(uv + 5, faces, 8, 8)


class TestBake:
    def test_round_trip_of_a_smooth_attribute_is_bounded(self):
        uv, faces = grid_chart(33, 33)
        wave = torch.stack([(3 * uv[:, 0]).sin(), (4 * uv[:, 1]).cos(), uv.prod(1)], 1)[None]
        chart = UVCorrespondence.build(uv, faces, 128, 128)
        again = sample_map(bake(wave, chart), uv)
        inside = ((uv > 0.02) & (uv < 0.98)).all(1)
        assert float((again - wave)[:, inside].abs().max()) < 2e-3
        # At the very edge the outermost half texel repeats: the error is a half texel of slope.
        assert float((again - wave).abs().max()) < 4 * 0.5 / 128 * 1.5

    def test_error_falls_with_resolution(self):
        uv, faces = grid_chart(17, 17)
        wave = (6 * uv[:, :1]).sin()[None]
        errors = []
        for size in (32, 128):
            again = sample_map(bake(wave, UVCorrespondence.build(uv, faces, size, size)), uv)
            errors.append(float((again - wave).abs().mean()))
        assert errors[1] < errors[0] / 3

    def test_gradients(self):
        uv, faces = grid_chart(3, 3)
        chart = UVCorrespondence.build(uv.double(), faces, 5, 6)
        attribute = torch.rand(2, 9, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda a: bake(a, chart), attribute)


class TestDisplacedNormals:
    def flat(self, size=64):
        """A flat square of one decimetre, facing +z, u to the right and v down."""
        shape = (1, 3, size, size)
        normals = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand(shape)
        du = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(shape)
        dv = torch.tensor([0.0, -1, 0]).view(1, 3, 1, 1).expand(shape)
        return normals, du, dv

    def test_no_displacement_changes_nothing(self):
        normals, du, dv = self.flat()
        torch.testing.assert_close(displaced_normals(normals, du, dv, torch.zeros(1, 3, 64, 64)), normals)

    @pytest.mark.parametrize("mirrored", [False, True])
    def test_a_ramp_tilts_the_normal(self, mirrored):
        normals, du, dv = self.flat()
        u = ((torch.arange(64) + 0.5) / 64).expand(64, 64)
        displacement = torch.zeros(1, 3, 64, 64)
        displacement[0, 2] = 0.5 * u  # rises by 0.5 dm over 1 dm along u
        tilted = displaced_normals(normals, -du if mirrored else du, dv, displacement)
        slope = -0.5 if mirrored else 0.5  # along +x
        expected = torch.nn.functional.normalize(torch.tensor([-slope, 0, 1]), dim=0)
        torch.testing.assert_close(tilted[0, :, 32, 32], expected)

    def test_gradients_are_those_of_torch_to_the_last_bit(self) -> None:
        maps = torch.randn(2, 3, 37, 20, generator=torch.Generator().manual_seed(0))
        along_v, along_u = torch.gradient(maps, spacing=(1 / 37, 1 / 20), dim=(2, 3))
        du, dv = map_gradients(maps)
        assert torch.equal(du, along_u) and torch.equal(dv, along_v)

    def test_gradients_of_maps(self):
        maps = torch.arange(12.0).view(1, 1, 3, 4)
        du, dv = map_gradients(maps)
        torch.testing.assert_close(du, torch.full_like(maps, 4.0))  # one per texel, four texels per unit of u
        torch.testing.assert_close(dv, torch.full_like(maps, 12.0))

    def test_gradcheck(self):
        normals, du, dv = (t.double()[..., :4, :4] for t in self.flat())
        displacement = (0.1 * torch.rand(1, 3, 4, 4, dtype=torch.float64)).requires_grad_()
        assert torch.autograd.gradcheck(lambda d: displaced_normals(normals, du, dv, d), displacement)

    @pytest.mark.parametrize("mirrored", [False, True])
    def test_surface_normals_are_those_of_the_displaced_surface(self, mirrored):
        normals, du, dv = self.flat()
        du = -du if mirrored else du
        displacement = 0.01 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        moved_u, moved_v = map_gradients(displacement)
        side = torch.full((1, 1, 64, 64), -1.0 if mirrored else 1.0)
        found = surface_normals(du + moved_u, dv + moved_v, side)
        torch.testing.assert_close(found, displaced_normals(normals, du, dv, displacement))

    def test_gradients_of_surface_normals_where_there_is_no_surface(self):
        along = torch.zeros(1, 3, 2, 2, requires_grad=True)
        surface_normals(along, along, torch.ones(1, 1, 2, 2)).sum().backward()
        assert bool(torch.isfinite(along.grad).all())
