"""The built-in renderer as a whole: pictures, gradients, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from faceuv.errors import InputError, UnknownName
from faceuv.geometry.lighting import sh_irradiance
from faceuv.geometry.normals import vertex_normals
from faceuv.registry import RENDERERS
from faceuv.structures import Camera, Mesh


def build(**options: object):
    return RENDERERS.build(dict(type="torch", **options))


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean()))


class TestPicture:
    @pytest.mark.parametrize("size", [(48, 48), (40, 72), (72, 40)])
    def test_shapes_and_ranges(self, head, texture, light, size: tuple[int, int]) -> None:
        out = build()(head(2), height=size[0], width=size[1], texture=texture(2), lighting=light(2))
        assert out.image.shape == (2, 3, *size)
        assert out.mask.shape == out.depth.shape == (2, 1, *size)
        assert out.normal.shape == (2, 3, *size)
        assert out.uv.shape == (2, 2, *size)
        assert out.face_id.shape == (2, *size)
        seen = (out.face_id >= 0)[:, None]
        assert ((out.mask >= 0) & (out.mask <= 1)).all()
        torch.testing.assert_close(out.normal.norm(dim=1, keepdim=True), seen.float(), atol=1e-5, rtol=0)
        assert ((out.depth > 8) == seen).all()
        assert ((out.uv >= 0) & (out.uv <= 1)).all()
        assert (out.image[(out.mask == 0).expand_as(out.image)] == 0).all()

    def test_the_head_stands_upright_and_faces_the_camera(self, head, texture) -> None:
        mesh = head(1, 41)
        out = build()(mesh, height=64, width=64, vertex_colours=(mesh.vertices * 0.4 + 0.5).clamp(0, 1))
        image = out.image[0] / out.mask[0].clamp_min(1e-6)
        assert image[0, 32, 44] > image[0, 32, 20] + 0.1  # +x to the viewer's right
        assert image[1, 16, 32] > image[1, 48, 32] + 0.1  # +y up
        assert out.normal[0, 2, 32, 32] > 0.3  # +z to the camera
        nose = out.depth[0, 0].masked_fill(out.face_id[0] < 0, torch.inf).argmin()
        assert abs(int(nose) % 64 - 32) < 3
        assert abs(int(nose) // 64 - 33) < 4

    def test_the_picture_does_not_depend_on_its_size(self, head, texture, light) -> None:
        arguments = dict(texture=texture(1), lighting=light(1))
        small = build(samples=2)(head(1, 61), height=48, width=48, **arguments).image
        large = build(samples=2)(head(1, 61), height=96, width=96, **arguments).image
        assert psnr(F.avg_pool2d(large, 2), small) > 40

    def test_shading_is_albedo_times_light_of_the_interpolated_normal(self, head, texture, light) -> None:
        mesh = head(2)
        lit, unlit = (
            build(antialias=None)(mesh, height=40, width=40, texture=texture(2), lighting=g) for g in (light(2), None)
        )
        expected = sh_irradiance(lit.normal.flatten(2).transpose(1, 2), light(2)).transpose(1, 2).view_as(lit.image)
        torch.testing.assert_close(lit.image, unlit.image * expected, atol=1e-5, rtol=1e-4)

    def test_texture_is_looked_up_per_pixel(self, head, texture) -> None:
        mesh, tex = head(1), texture(1, 64)
        out = build(antialias=None, texture_samples=1)(mesh, height=60, width=60, texture=tex)
        grid = out.uv.permute(0, 2, 3, 1) * 2 - 1
        expected = F.grid_sample(tex, grid, padding_mode="border", align_corners=False) * (out.face_id >= 0)[:, None]
        torch.testing.assert_close(out.image, expected, atol=1e-5, rtol=0)

    def test_given_normals_and_normal_map(self, head, texture, light) -> None:
        mesh = head(1, 41)
        arguments = dict(height=48, width=48, texture=texture(1), lighting=light(1))
        own = build()(mesh, **arguments)
        given = build()(mesh, **arguments, normals=vertex_normals(mesh.vertices, mesh.faces) * 3.0)
        torch.testing.assert_close(own.image, given.image, atol=1e-5, rtol=0)
        toward = torch.zeros(1, 3, 8, 8)
        toward[:, 2] = 2.0
        flat = build()(mesh, **arguments, normal_map=toward)
        seen = flat.face_id[0] >= 0
        assert (flat.normal[0, 2][seen] - 1).abs().max() < 1e-5

    def test_batch_equals_single_images(self, head, texture, light) -> None:
        mesh, renderer = head(12), build()
        arguments = dict(height=32, width=32)
        together = renderer(mesh, texture=texture(12), lighting=light(12), **arguments)
        for b in (0, 5, 11):
            one = Mesh(mesh.vertices[b : b + 1], mesh.faces, mesh.uv)
            alone = renderer(one, texture=texture(1), lighting=light(1), **arguments)
            for name in ("image", "mask", "depth", "normal", "uv", "face_id"):
                torch.testing.assert_close(
                    getattr(together, name)[b : b + 1], getattr(alone, name), atol=1e-5, rtol=0, msg=name
                )

    def test_culling(self, head, texture) -> None:
        mesh = head(1)
        away = Mesh(mesh.vertices * torch.tensor([-1.0, 1, -1]), mesh.faces, mesh.uv)  # half a turn: the inside shows
        covered = {
            cull: float(build(cull=cull)(away, height=40, width=40, texture=texture(1)).mask.mean())
            for cull in ("none", "back", "front")
        }
        assert covered["back"] < 0.1 * covered["none"]
        assert covered["front"] > 0.8 * covered["none"]

    def test_textures_alias_less_with_samples(self, head) -> None:
        mesh = head(1, 61)
        checks = (torch.arange(128)[:, None] // 2 + torch.arange(128)[None] // 2) % 2
        tex = checks.float().expand(1, 3, -1, -1)
        draw = {
            (s, t): build(samples=s, texture_samples=t, antialias=None)(mesh, height=64, width=64, texture=tex)
            for s, t in ((1, 1), (1, 2), (1, 3), (2, 1), (8, 1))
        }
        inner = draw[8, 1].mask.eq(1).float()
        inner = 1 - F.max_pool2d(1 - inner, 5, 1, 2)
        quality = {key: psnr(out.image * inner, draw[8, 1].image * inner) for key, out in draw.items()}
        assert quality[2, 1] > quality[1, 1] + 5
        assert quality[1, 2] > quality[1, 1] + 5  # as good as supersampling the whole picture
        assert quality[1, 3] > quality[1, 2] + 2

    def test_camera_from_a_dict(self, head, texture) -> None:
        near, far = (
            build(camera=dict(focal=f))(head(1), height=40, width=40, texture=texture(1)).mask.mean()
            for f in (5.0, 2.5)
        )
        assert near / far == pytest.approx(4, rel=0.05)
        assert build(camera=Camera(near=11.0))(head(1), height=40, width=40, texture=texture(1)).mask.sum() == 0


class TestBackground:
    @pytest.mark.parametrize("samples", [1, 2])
    @pytest.mark.parametrize("antialias", ["edges", "gradient", None])
    def test_kinds(self, head, texture, antialias: str | None, samples: int) -> None:
        renderer = build(antialias=antialias, samples=samples)
        arguments = dict(height=32, width=48, texture=texture(2))
        none = renderer(head(2), **arguments)
        picture = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
        over = renderer(head(2), **arguments, background=picture)
        torch.testing.assert_close(over.image, none.image + (1 - none.mask) * picture, atol=1e-5, rtol=0)
        shared = renderer(head(2), **arguments, background=picture[:1])
        torch.testing.assert_close(shared.image[0], over.image[0])
        colour = renderer(head(2), **arguments, background=(0.1, 0.5, 0.9))
        wanted = none.image + (1 - none.mask) * torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1)
        torch.testing.assert_close(colour.image, wanted, atol=1e-5, rtol=0)
        grey = renderer(head(2), **arguments, background=0.25)
        torch.testing.assert_close(grey.image, none.image + (1 - none.mask) * 0.25, atol=1e-5, rtol=0)

    def test_gradient_reaches_the_background_where_it_shows(self, head, texture) -> None:
        picture = torch.rand(1, 3, 32, 32, requires_grad=True)
        out = build()(head(1), height=32, width=32, texture=texture(1), background=picture)
        out.image.sum().backward()
        torch.testing.assert_close(picture.grad, (1 - out.mask).detach().expand_as(picture))

    @pytest.mark.parametrize(
        "wrong", [torch.zeros(3, 3, 32, 32), torch.zeros(1, 3, 32, 31), (0.1, 0.2), torch.zeros(3, 3)]
    )
    def test_wrong_shape(self, head, texture, wrong: object) -> None:
        with pytest.raises(InputError, match="background must"):
            build()(head(2), height=32, width=32, texture=texture(2), background=wrong)


class TestGradients:
    def test_gradcheck_of_the_whole_in_float64(self, head, texture, light) -> None:
        mesh = head(1, 7, torch.float64)
        renderer = build(texture_samples=1)  # the footprint of several look-ups is held fixed in the backward pass

        def draw(vertices, tex, lighting):
            moved = Mesh(vertices, mesh.faces, mesh.uv)
            out = renderer(moved, height=10, width=10, texture=tex, lighting=lighting)
            return out.image, out.mask, out.depth, out.normal

        vertices = mesh.vertices.clone().requires_grad_()
        tex = texture(1, 4, torch.float64).requires_grad_()
        lighting = light(1, torch.float64).requires_grad_()
        # Visibility is decided in float32 and does not move within a step of 1e-7.
        assert gradcheck(draw, (vertices, tex, lighting), eps=1e-7, atol=1e-4, fast_mode=True)

    def test_gradcheck_of_the_texture(self, head, texture) -> None:
        mesh = head(2, 9, torch.float64)
        tex = texture(2, 6, torch.float64).requires_grad_()
        assert gradcheck(lambda t: build()(mesh, height=12, width=14, texture=t).image, tex, fast_mode=True)

    def test_gradcheck_of_vertex_colours_and_given_normals(self, head, light) -> None:
        mesh = head(1, 6, torch.float64)
        colours = torch.rand_like(mesh.vertices).requires_grad_()
        normals = vertex_normals(mesh.vertices, mesh.faces).requires_grad_()

        def draw(c, n):
            return build(samples=2)(
                mesh, height=8, width=8, vertex_colours=c, normals=n, lighting=light(1, torch.float64)
            ).image

        assert gradcheck(draw, (colours, normals), fast_mode=True)

    @pytest.mark.parametrize("antialias", ["edges", "gradient", None])
    def test_all_finite(self, head, texture, light, antialias: str | None) -> None:
        mesh = head(2)
        vertices = mesh.vertices.clone().requires_grad_()
        out = build(antialias=antialias)(
            Mesh(vertices, mesh.faces, mesh.uv),
            height=48,
            width=48,
            texture=texture(2),
            lighting=light(2),
            background=0.5,
        )
        (out.image.square().sum() + out.mask.sum() + out.depth.sum() + out.uv.sum() + out.normal.sum()).backward()
        assert torch.isfinite(vertices.grad).all()
        assert vertices.grad.abs().sum() > 0


class TestBadInput:
    def good(self, head, texture) -> dict[str, object]:
        return dict(mesh=head(2), height=16, width=16, texture=texture(2))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (dict(texture=torch.zeros(3, 3, 8, 8)), r"texture must have shape \(2, 3, h, w\), got \(3, 3, 8, 8\)"),
            (dict(texture=torch.zeros(2, 3, 8, 8).double()), "texture must be torch.float32 like mesh.vertices"),
            (dict(texture=torch.zeros(2, 3, 8, 8, device="meta")), "one device"),
            (dict(texture=None), "either texture .* or vertex_colours"),
            (dict(vertex_colours=torch.zeros(2, 625, 3)), "either texture .* or vertex_colours"),
            (dict(texture=None, vertex_colours=torch.zeros(2, 5, 3)), r"vertex_colours must have shape \(2, 625, 3\)"),
            (dict(lighting=torch.zeros(2, 27)), r"lighting must have shape \(2, 3, 9\), got \(2, 27\)"),
            (dict(normals=torch.zeros(2, 625, 2)), r"normals must have shape \(2, 625, 3\)"),
            (dict(height=0), "height must be an integer ≥ 1, got 0"),
            (dict(width=16.0), "width must be an integer ≥ 1, got 16.0"),
            (dict(width=True), "width must be an integer ≥ 1, got True"),
            (dict(background=torch.nan), "background holds NaN or infinity"),
            (dict(background=(0.1, torch.inf, 0.3)), "background holds NaN or infinity"),
            (dict(background="red"), r"background must be an image .*, an RGB triple or a grey value, got 'red'"),
        ],
    )
    def test_arguments(self, head, texture, change: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            build()(**{**self.good(head, texture), **change})

    def test_nan_vertices_name_the_row(self, head, texture) -> None:
        mesh = head(2)
        mesh.vertices[1, 3, 0] = torch.nan
        with pytest.raises(InputError, match=r"mesh.vertices holds NaN or infinity in row\(s\) \[1\]"):
            build()(mesh, height=16, width=16, texture=texture(2))

    @pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("texture", (2, 3, 8, 8)),
            ("vertex_colours", (2, 625, 3)),
            ("lighting", (2, 3, 9)),
            ("normals", (2, 625, 3)),
            ("normal_map", (2, 3, 8, 8)),
            ("background", (2, 3, 16, 16)),
        ],
    )
    def test_what_is_not_finite_is_named(self, head, texture, name: str, shape: tuple[int, ...], value: float) -> None:
        wrong = torch.full(shape, 0.5)
        wrong[(1, *(0 for _ in shape[1:]))] = value
        arguments = {**self.good(head, texture), name: wrong}
        if name == "vertex_colours":
            del arguments["texture"]
        with pytest.raises(InputError, match=rf"^{name} holds NaN or infinity in row\(s\) \[1\] of the batch"):
            build()(**arguments)

    def test_nan_uv(self, head, texture) -> None:
        mesh = head(2)
        uv = mesh.uv.clone()
        uv[3, 1] = torch.nan
        with pytest.raises(InputError, match=r"^mesh.uv holds NaN"):
            build()(Mesh(mesh.vertices, mesh.faces, uv), height=16, width=16, texture=texture(2))

    def test_numpys_whole_numbers_are_whole_numbers(self, head, texture) -> None:
        renderer = build(samples=np.int64(2), texture_samples=np.int32(1))
        drawn = renderer(head(1), height=np.int64(16), width=np.int16(17), texture=texture(1))
        assert drawn.image.shape == (1, 3, 16, 17)

    def test_a_camera_that_is_none(self) -> None:
        for wrong, message in (
            (dict(focl=1.0), "a camera has no focl; its fields are focal, distance, near"),
            (dict(focal=torch.nan), "a camera's focal must be a finite number of 32 bits, got nan"),
            ([4.0], "camera must be a Camera or its fields as a dict"),
        ):
            with pytest.raises(InputError, match=message):
                build(camera=wrong)

    def test_faces_out_of_range(self, head, texture) -> None:
        mesh = head(2)
        for index in (-1, mesh.vertices.shape[1]):
            faces = mesh.faces.clone()
            faces[7, 1] = index
            with pytest.raises(InputError, match="faces must name vertices 0 … 624"):
                build()(Mesh(mesh.vertices, faces, mesh.uv), height=16, width=16, texture=texture(2))

    def test_faces_changed_in_place_are_checked_again(self, head, texture) -> None:
        mesh, renderer = head(1), build()
        mesh = Mesh(mesh.vertices, mesh.faces.clone(), mesh.uv)
        renderer(mesh, height=16, width=16, texture=texture(1))
        mesh.faces[0, 0] = 10**6
        with pytest.raises(InputError, match="faces must name vertices"):
            renderer(mesh, height=16, width=16, texture=texture(1))

    def test_empty_batch(self, head, texture) -> None:
        mesh = head(2)
        with pytest.raises(InputError, match="empty batch"):
            build()(Mesh(mesh.vertices[:0], mesh.faces, mesh.uv), height=16, width=16, texture=texture(2)[:0])

    def test_no_uv(self, head, texture) -> None:
        mesh = head(2)
        with pytest.raises(InputError, match="needs mesh.uv"):
            build()(Mesh(mesh.vertices, mesh.faces), height=16, width=16, texture=texture(2))
        out = build()(Mesh(mesh.vertices, mesh.faces), height=16, width=16, vertex_colours=mesh.vertices)
        assert (out.uv == 0).all()

    @pytest.mark.parametrize("samples", [1, 2])
    @pytest.mark.parametrize("antialias", ["edges", "gradient", None])
    def test_mesh_behind_the_camera(self, head, texture, light, antialias: str | None, samples: int) -> None:
        mesh = head(2)
        vertices = (mesh.vertices + torch.tensor([0, 0, 20.0])).requires_grad_()
        out = build(antialias=antialias, samples=samples)(
            Mesh(vertices, mesh.faces, mesh.uv),
            height=16,
            width=20,
            texture=texture(2),
            lighting=light(2),
            background=0.5,
        )
        assert (out.image == 0.5).all()
        assert (out.face_id == -1).all()
        (out.image.sum() + out.mask.sum()).backward()
        assert (vertices.grad == 0).all()

    def test_half_behind_the_camera(self, head, texture) -> None:
        mesh = head(1)
        vertices = (mesh.vertices * torch.tensor([1, 1, 30.0])).requires_grad_()
        out = build()(Mesh(vertices, mesh.faces, mesh.uv), height=32, width=32, texture=texture(1))
        (out.image.sum() + out.depth.sum()).backward()
        assert out.mask.mean() > 0.01
        assert torch.isfinite(vertices.grad).all()

    def test_no_faces(self, head, texture) -> None:
        mesh = head(1)
        out = build()(
            Mesh(mesh.vertices, mesh.faces[:0], mesh.uv), height=8, width=8, texture=texture(1), background=0.5
        )
        assert (out.image == 0.5).all()

    def test_zero_area_triangles(self, head, texture) -> None:
        mesh = head(1)
        faces = torch.cat([torch.tensor([[5, 5, 5], [3, 3, 9]]), mesh.faces])
        vertices = mesh.vertices.clone().requires_grad_()
        out = build()(Mesh(vertices, faces, mesh.uv), height=32, width=32, texture=texture(1))
        out.image.sum().backward()
        assert out.face_id[out.face_id >= 0].min() >= 2
        assert torch.isfinite(vertices.grad).all()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (dict(samples=0), "samples must be an integer ≥ 1"),
            (dict(texture_samples=0), "texture_samples must be an integer ≥ 1"),
            (dict(antialias="fxaa"), "antialias must be 'edges', 'gradient' or None, got 'fxaa'"),
            (dict(cull="both"), "cull must be 'none', 'back' or 'front', got 'both'"),
        ],
    )
    def test_options(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            build(**options)

    def test_unknown_backend(self) -> None:
        with pytest.raises(UnknownName, match="known: drtk, nvdiffrast, pytorch3d, torch, warp"):
            RENDERERS.build("pytorch4d")
