"""Depth maps as meshes, equation 1, light and albedo: values worked out by hand, and gradients."""

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import project
from faceuv.models.liftedgan.geometry import (
    DepthSpace,
    blurred,
    border_columns,
    clip_contour,
    finished_depth,
    finished_transformation,
    foreground_faces,
    grid_faces,
    grid_normals,
    transformed,
    unprojected,
)
from faceuv.models.liftedgan.parameters import ViewRange, frontal, parsed_light, raw_light
from faceuv.models.liftedgan.scene import Lifted, at_rotation, delit, draw, moved_mesh, shading
from faceuv.registry import RENDERERS

SPACE = DepthSpace()


def dome(n=33, height=1.0):
    """A head-like bump that is nearer in the middle ``(1, n, n)``."""
    line = torch.linspace(-1, 1, n, dtype=torch.float64)
    inside = (1 - (line / 0.7) ** 2 - (line[:, None] / 0.8) ** 2).clamp_min(0).sqrt()
    return (SPACE.distance + 0.5 - height * inside)[None]


def lifted_dome(n=33, view=(0.0,) * 6, light=(0.0, 0.0, 0.0, 0.0)):
    depth = dome(n).float()
    line = torch.linspace(0, 1, n)
    albedo = torch.stack([line.expand(n, n), line[:, None].expand(n, n), torch.full((n, n), 0.5)])[None]
    normals = grid_normals(unprojected(depth, SPACE.camera))
    amount = finished_transformation(torch.zeros_like(depth), depth, SPACE)
    return Lifted(depth, amount, normals, albedo, albedo, torch.tensor([light]), torch.tensor([view]))


class TestMesh:
    def test_vertices_project_to_their_places_in_the_picture(self):
        pixels = project(unprojected(dome(9), SPACE.camera), SPACE.camera, 100, 100)
        wanted = torch.linspace(0, 100, 9, dtype=torch.float64)
        assert torch.allclose(pixels[0, :, 0].view(9, 9), wanted.expand(9, 9))
        assert torch.allclose(pixels[0, :, 1].view(9, 9), wanted[:, None].expand(9, 9))
        assert torch.allclose(pixels[0, :, 2].view(9, 9), dome(9)[0])

    def test_the_field_of_view_is_ten_degrees(self):
        corner = unprojected(torch.full((1, 3, 3), 10.0), SPACE.camera)[0, 0]
        assert torch.allclose(corner, torch.tensor([-1.0, 1.0, 0.0]) * 10 * math.tan(math.radians(5)))

    def test_triangles_face_the_camera(self):
        vertices = unprojected(dome(9).float(), SPACE.camera)
        assert (vertex_normals(vertices, grid_faces(9))[..., 2] > 0).all()

    def test_normals_of_a_tilted_plane(self):
        line = torch.linspace(-1, 1, 7, dtype=torch.float64)
        # z = 0.3·x + 0.2·y in the object frame; depth = 10 − z with x = u·depth/(2f), y = −v·depth/(2f)
        f = 2 * SPACE.camera.focal
        depth = 10 / (1 + (0.3 * line - 0.2 * line[:, None]) / f)
        normals = grid_normals(unprojected(depth[None], SPACE.camera))
        wanted = torch.tensor([-0.3, -0.2, 1.0], dtype=torch.float64)
        assert torch.allclose(normals, (wanted / wanted.norm()).expand_as(normals), atol=1e-9)

    def test_normals_of_a_mirrored_depth_are_the_mirrored_normals(self):
        lifted = lifted_dome()
        lifted = lifted.replace(
            depth=lifted.depth + 0.1 * torch.rand(1, 33, 33, generator=torch.Generator().manual_seed(0))
        )
        lifted = lifted.replace(normals=grid_normals(unprojected(lifted.depth, SPACE.camera)))
        mirrored = lifted.mirrored()
        assert torch.allclose(mirrored.normals, grid_normals(unprojected(mirrored.depth, SPACE.camera)), atol=1e-5)
        assert torch.equal(mirrored.view, lifted.view)

    def test_foreground_ends_at_the_background_and_at_jumps(self):
        depth = torch.full((9, 9), SPACE.distance + SPACE.border)
        depth[2:7, 2:7] = SPACE.distance
        assert len(foreground_faces(depth, SPACE)) == 2 * 4 * 4
        depth[2:7, 4:7] -= 0.5  # a step between columns 3 and 4
        assert len(foreground_faces(depth, SPACE)) == 2 * 4 * 3
        assert len(foreground_faces(depth, SPACE, jump=1.0)) == 2 * 4 * 4


class TestMaps:
    def test_depth_has_its_range_its_border_and_no_mean(self):
        raw = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0)) * 10
        depth = finished_depth(raw, SPACE)
        assert depth.min() >= 9 and depth.max() <= 11
        assert torch.allclose(depth, finished_depth(raw + 3, SPACE), atol=1e-4)
        sides = border_columns(64)
        assert (depth[:, :, :sides] == 10.5).all() and (depth[:, :, -sides:] == 10.5).all()
        assert border_columns(256) == 2
        assert not (depth[:, 0, sides:-sides] == 10.5).all()  # sides, not top and bottom

    def test_smooth_depth_has_no_steps_between_pixels(self):
        """Noise of one pixel goes, a slope over the whole map stays."""
        noise = torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0))
        slope = torch.linspace(-0.5, 0.5, 64)[None, :, None].expand(1, 64, 64)
        smooth = DepthSpace(smooth=True)
        rough, fine = (finished_depth(0.5 * noise, s)[:, 8:-8, 8:-8].diff(dim=1).std() for s in (SPACE, smooth))
        assert fine < 0.2 * rough
        kept = [finished_depth(slope, s)[:, 8:-8, 8:-8] for s in (SPACE, smooth)]
        assert torch.allclose(*kept, atol=1e-3)

    def test_transformation_is_one_on_the_face_and_zero_at_the_border(self):
        depth = dome(64).float()
        amount = finished_transformation(torch.full((1, 64, 64), -5.0), depth, SPACE)
        for edge in (amount[:, 0], amount[:, -1], amount[:, :, 0], amount[:, :, -1]):
            assert (edge == 0).all()
        assert torch.allclose(amount[0, 28:36, 28:36], torch.ones(8, 8))
        assert 0.3 < amount[0, 3, 3] < 0.7  # the background: sigmoid(0)

    def test_blur_keeps_constants_and_has_the_release_s_width(self):
        assert torch.allclose(blurred(torch.full((1, 64, 64), 0.3)), torch.full((1, 64, 64), 0.3))
        point = torch.zeros(1, 256, 256, dtype=torch.float64)
        point[0, 128, 128] = 1
        row = blurred(point)[0, 128]
        assert (row > 0).sum() == 21
        assert math.isclose(float(row[132] / row[128]), math.exp(-0.25), rel_tol=1e-6)  # exp(−(4 / (2·4))²)

    def test_equation_1(self):
        points = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
        rotation, translation = torch.tensor([[0.0, math.pi / 2, 0.0]] * 2), torch.tensor([[0.1, 0.2, 0.3]] * 2)
        turned = torch.stack([points[..., 2], points[..., 1], -points[..., 0]], -1) + translation[:, None]
        found = transformed(points, torch.ones(2, 5), rotation, translation)
        assert torch.allclose(found, turned, atol=1e-6)
        assert torch.equal(transformed(points, torch.zeros(2, 5), rotation, translation), points)
        half = transformed(points, torch.full((2, 5), 0.25), rotation, translation)
        assert torch.allclose(half, 0.75 * points + 0.25 * turned, atol=1e-6)


class TestLight:
    def test_lambert(self):
        light = raw_light(*(torch.tensor([v]) for v in (0.2, 0.6, 1.0, 0.0)))
        ambient, diffuse, toward = parsed_light(light)
        assert torch.allclose(torch.cat([ambient, diffuse]), torch.tensor([[0.2], [0.6]]))
        assert torch.allclose(toward, torch.tensor([[1.0, 0.0, 1.0]]) / math.sqrt(2))
        normals = torch.tensor([[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]])
        wanted = torch.tensor([[0.2 + 0.6 / math.sqrt(2), 0.2 + 0.6 / math.sqrt(2), 0.2]])
        assert torch.allclose(shading(normals, light), wanted)

    def test_delit_albedo_times_its_light_is_the_picture(self):
        lifted = lifted_dome(light=(0.1, 0.4, 0.7, -0.3))
        albedo = delit(lifted.neutral, lifted.normals, lifted.light)
        again = albedo * shading(lifted.normals, frontal(lifted.light)).view(1, 1, 33, 33)
        assert torch.allclose(again, lifted.neutral, atol=1e-6)
        assert not torch.allclose(albedo, lifted.neutral, atol=0.05)

    @pytest.mark.parametrize(
        "values", [(1.2, 0.5, 0, 0), (0.5, -0.1, 0, 0), (0.5, 0.5, 1.5, 0), (0.5, 0.5, 0, math.nan)]
    )
    def test_lights_out_of_range(self, values):
        with pytest.raises(InputError, match="light"):
            raw_light(*(torch.tensor([float(v)]) for v in values))


class TestDrawing:
    def test_the_neutral_view_shows_the_albedo_in_its_place(self):
        lifted = lifted_dome(light=(1.0, -1.0, 0.0, 0.0))  # ambient 1, diffuse 0
        drawn = draw(RENDERERS.build(dict(type="torch", camera=vars(SPACE.camera))), lifted, SPACE, ViewRange(), 32)
        line = (torch.arange(32) + 0.5) / 32
        assert (drawn.mask == 1).all()
        assert torch.allclose(drawn.image[0, 0], line.expand(32, 32), atol=2e-3)
        assert torch.allclose(drawn.image[0, 1], line[:, None].expand(32, 32), atol=2e-3)

    def test_yaw_turns_to_the_right_and_the_border_stays(self):
        renderer = RENDERERS.build(dict(type="torch", camera=vars(SPACE.camera)))
        light = (1.0, -1.0, 0.0, 0.0)
        front = draw(renderer, lifted_dome(light=light), SPACE, ViewRange(), 64)
        turned = draw(renderer, lifted_dome(light=light, view=(0, 0.5, 0, 0, 0, 0)), SPACE, ViewRange(), 64)
        assert (turned.mask == 1).all()  # stretched, not torn
        edges = [(front.image - turned.image)[..., rows, :].abs().max() for rows in (0, -1)]
        assert max(edges) < 0.1  # half a row inside the border
        # the middle of the face (red 0.5) shows farther right
        before, after = (int((image[0, 0, 32] - 0.5).abs().argmin()) for image in (front.image, turned.image))
        assert after > before + 2

    @pytest.mark.parametrize("accelerator", ["none", "auto"])
    def test_any_rasterizer_draws_it(self, accelerator):
        lifted = lifted_dome(view=(0.1, 0.5, -0.1, 0.05, 0.0, 0.0), light=(0.0, 0.2, 0.5, 0.5))
        oracle = RENDERERS.build(dict(type="torch", camera=vars(SPACE.camera), accelerator="none"))
        other = RENDERERS.build(dict(type="torch", camera=vars(SPACE.camera), accelerator=accelerator))
        a, b = (draw(renderer, lifted, SPACE, ViewRange(), 48) for renderer in (oracle, other))
        assert torch.equal(a.face_id, b.face_id) and torch.equal(a.image, b.image)


class TestGradients:
    def test_of_the_pure_functions(self):
        rng = torch.Generator().manual_seed(0)
        raw = torch.randn(1, 8, 8, generator=rng, dtype=torch.float64, requires_grad=True)
        camera = SPACE.camera
        assert torch.autograd.gradcheck(lambda r: finished_depth(r, SPACE), raw)
        assert torch.autograd.gradcheck(lambda r: grid_normals(unprojected(10 + 0.2 * r, camera)), raw)
        far = torch.full((1, 8, 8), 10.6, dtype=torch.float64)
        assert torch.autograd.gradcheck(lambda r: finished_transformation(r, far, SPACE), raw)
        points = torch.randn(1, 4, 3, generator=rng, dtype=torch.float64, requires_grad=True)
        amount = torch.rand(1, 4, generator=rng, dtype=torch.float64, requires_grad=True)
        pose = torch.randn(2, 1, 3, generator=rng, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda p, t, q: transformed(p, t, q[0], q[1]), (points, amount, pose))
        light = torch.tensor([[0.1, 0.3, 0.5, -0.4]], dtype=torch.float64, requires_grad=True)
        normals = torch.nn.functional.normalize(points.detach().abs(), dim=-1).requires_grad_()
        assert torch.autograd.gradcheck(shading, (normals, light))

    def test_of_a_render_in_depth_and_view(self):
        """Colours are linear over the picture: their mean moves as the surface does, and finite differences agree."""
        renderer = RENDERERS.build(dict(type="torch", camera=vars(SPACE.camera), antialias=None))
        start = lifted_dome(light=(1.0, -1.0, 0.0, 0.0))
        start = Lifted(**{name: value.double() for name, value in vars(start).items()})

        def red(yaw):
            view = torch.stack([yaw * 0, yaw, yaw * 0, yaw * 0, yaw * 0, yaw * 0])[None]
            return draw(renderer, start.replace(view=view), SPACE, ViewRange(), 33).image[0, 0, 12:20, 12:20].mean()

        yaw = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(red(yaw), yaw)
        finite = (red(yaw.detach() + 1e-4) - red(yaw.detach() - 1e-4)) / 2e-4
        assert slope < 0 and torch.isclose(slope, finite, rtol=0.02)

    def test_contours_get_none(self):
        depth = torch.zeros(1, 6, 6, requires_grad=True)
        weight = torch.zeros(1, 6, 6)
        weight[:, 1:5, 1:5] = 2.0
        (clip_contour(depth) * weight).sum().backward()
        wanted = torch.zeros(1, 6, 6)
        wanted[:, 2:4, 2:4] = 2.0
        assert torch.equal(depth.grad, wanted)


def test_settings_out_of_range():
    for settings in (dict(fov_deg=0), dict(half_range=-1), dict(border=2.0)):
        with pytest.raises(InputError, match="space"):
            DepthSpace(**settings)
    with pytest.raises(InputError, match="rotation_deg"):
        ViewRange(rotation_deg=120)
    with pytest.raises(InputError, match="n × n"):
        grid_normals(torch.zeros(1, 10, 3))


class TestTurning:
    def test_the_middle_of_a_face_stays_where_it_is(self):
        """A head in front of the centre of rotation, already turned, is turned on: its middle does not move."""
        views = ViewRange(translation=(1.0, 1.0, 1.0))
        lifted = lifted_dome(view=(0.1, -0.3, 0.0, 0.2, 0.05, 0.1)).replace(transformation=torch.ones(1, 33, 33))
        inside = (lifted.depth <= SPACE.distance).flatten()

        def middle(seen):
            return moved_mesh(seen, SPACE, views).vertices[0, inside].mean(0)

        turned = at_rotation(lifted, torch.tensor([[0.0, 0.6, 0.1]]), SPACE, views)
        assert torch.allclose(views.pose(turned.view)[0], torch.tensor([[0.0, 0.6, 0.1]]), atol=1e-6)
        assert torch.allclose(middle(turned), middle(lifted), atol=1e-5)
        kept = lifted.replace(view=torch.cat([turned.view[:, :3], lifted.view[:, 3:]], 1))
        assert (middle(kept) - middle(lifted)).norm() > 0.1  # what a view that keeps its translation does
        same = at_rotation(lifted, views.pose(lifted.view)[0], SPACE, views)
        assert torch.allclose(same.view, lifted.view, atol=1e-6)
