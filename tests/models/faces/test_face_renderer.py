"""From coefficients and maps to pictures, on a small face model made by formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.base import FaceModel
from faceuv.renderers import TorchRenderer
from faceuv.structures import CoefficientLayout, Coefficients, UVMaps


@pytest.fixture(scope="module")
def model(head) -> FaceModel:
    """A face model on the test head: two modes of each kind."""
    mesh = head(1, 31)
    mean, count = mesh.vertices[0], mesh.vertices.shape[1]
    wide = mean * torch.tensor([0.05, 0, 0])
    tall = mean * torch.tensor([0, 0.05, 0])
    return FaceModel(
        dict(
            mean=mean,
            identity_basis=torch.stack([wide, tall], -1),
            expression_basis=torch.stack([tall.roll(1, 1), wide.roll(1, 1)], -1),
            mean_albedo=torch.full((count, 3), 0.5) + 0.2 * mean.clamp(-1, 1),
            albedo_basis=torch.full((count, 3, 2), 0.05),
            faces=mesh.faces,
            uv=mesh.uv,
            landmarks=torch.arange(68),
            skin_mask=torch.ones(count, dtype=torch.bool),
            mirror=torch.arange(count),
        )
    )


def coefficients(model: FaceModel, batch: int = 2, dtype: torch.dtype = torch.float32) -> Coefficients:
    zero = Coefficients.zeros(batch, model.layout, dtype=dtype)
    yaw = torch.zeros(batch, 3)
    yaw[:, 1] = torch.linspace(0, 0.6, batch)
    lighting = torch.zeros(batch, 27).view(batch, 3, 9)
    lighting[:, :, 3] = -0.3
    return zero.replace(rotation=yaw, lighting=lighting)


def test_linear_face(model: FaceModel) -> None:
    out = FaceRenderer(model)(coefficients(model), size=(40, 56), background=(0.1, 0.2, 0.3))
    assert out.image.shape == (2, 3, 40, 56)
    assert out.mask.mean() > 0.2
    assert out.image[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_config_and_name_and_object(model: FaceModel) -> None:
    c = coefficients(model)
    images = [FaceRenderer(model, r)(c, size=24).image for r in ("torch", dict(type="torch"), TorchRenderer())]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def test_a_constant_diffuse_map_is_a_constant_albedo(model: FaceModel) -> None:
    face, c = FaceRenderer(model, dict(type="torch", antialias=None)), coefficients(model)
    out = face(c, UVMaps(diffuse=torch.full((2, 3, 16, 16), 0.25)), size=32, lighting=False)
    assert torch.allclose(out.image[out.mask.expand_as(out.image) > 0], torch.tensor(0.25), atol=1e-6)


def test_displacement_moves_the_surface_and_its_normals(model: FaceModel) -> None:
    face, c = FaceRenderer(model), coefficients(model)
    up = torch.zeros(2, 3, 16, 16)
    up[:, 1] = 0.05
    moved = face.mesh(c, UVMaps(displacement=up)).vertices - face.mesh(c).vertices
    torch.testing.assert_close(moved, torch.tensor([0, 0.05, 0]).expand_as(moved), atol=1e-6, rtol=0)
    bump = torch.zeros(1, 3, 32, 32)
    bump[:, 2, 12:20, 12:20] = 0.05
    flat, raised = face(c, size=48), face(c, UVMaps(displacement=bump), size=48)  # a map of batch 1 serves all
    assert (flat.normal - raised.normal).abs().max() > 0.3
    assert (flat.depth - raised.depth).max() > 0.03


def test_light_stays_with_the_camera(model: FaceModel) -> None:
    """A face turned by yaw is lit by normals after rotation: the side toward the light is the same side."""
    face = FaceRenderer(model)
    c = coefficients(model, 3)
    out = face(c, UVMaps(diffuse=torch.full((1, 3, 8, 8), 0.5)), size=48)
    for b in range(3):
        bright = out.image[b, 0, :, 28:].sum() / out.mask[b, 0, :, 28:].sum()
        dark = out.image[b, 0, :, :20].sum() / out.mask[b, 0, :, :20].sum()
        assert bright > dark * 1.2


@pytest.mark.parametrize("normals", ["vertex", "map"])
def test_gradients_reach_everything(model: FaceModel, normals: str) -> None:
    c = coefficients(model).data.clone().requires_grad_()
    diffuse = torch.rand(2, 3, 16, 16, requires_grad=True)
    displacement = (1e-3 * torch.rand(2, 3, 16, 16)).requires_grad_()
    face = FaceRenderer(model, normals=normals)
    out = face(Coefficients(c, model.layout), UVMaps(diffuse, displacement), size=32)
    out.image.square().sum().backward()
    for name, size in model.layout.groups.items():
        columns = c.grad[:, model.layout.slice(name)]
        assert torch.isfinite(columns).all()
        assert (columns.abs().sum() > 0) == (name != "albedo"), (name, size)  # the diffuse map replaces the albedo
    assert diffuse.grad.abs().sum() > 0
    assert displacement.grad.abs().sum() > 0


def test_map_normals_show_wrinkles_finer_than_the_mesh(model: FaceModel) -> None:
    c = coefficients(model, 1)
    displacement = torch.zeros(1, 3, 256, 256)
    displacement[:, 2] = 2e-3 * torch.sin(
        torch.arange(256) / 256 * 2 * torch.pi * 24
    )  # 24 ridges; the mesh has 30 cells

    def ripple(normals: str) -> Tensor:
        face = FaceRenderer(model, normals=normals)
        flat = face(c, UVMaps(displacement=torch.zeros_like(displacement)), size=160).normal
        return (face(c, UVMaps(displacement=displacement), size=160).normal - flat)[0, 0, 40:120, 40:120].abs().mean()

    assert ripple("map") > 0.04
    assert ripple("map") > 2.5 * ripple("vertex")


def test_map_normals_without_displacement_are_the_smooth_ones(model: FaceModel) -> None:
    c = coefficients(model, 2)
    flat = UVMaps(displacement=torch.zeros(2, 3, 64, 64))
    by_map = FaceRenderer(model, normals="map")(c, flat, size=48)
    by_vertex = FaceRenderer(model)(c, flat, size=48)
    inner = torch.nn.functional.avg_pool2d((by_map.face_id >= 0)[:, None].float(), 5, 1, 2) == 1
    apart = (by_map.normal * by_vertex.normal).sum(1, keepdim=True)[inner]
    assert apart.mean() > 0.999
    world = FaceRenderer(model).mesh(c)
    assert vertex_normals(world.vertices, world.faces).shape == world.vertices.shape


@pytest.mark.parametrize("rule", ["gradient", "splat", "visibility"])
def test_view_masks(model: FaceModel, rule: str) -> None:
    c = coefficients(model, 2)
    mask = FaceRenderer(model).view_mask(c, size=64, map_size=(24, 32), rule=rule)
    assert mask.shape == (2, 1, 24, 32)
    assert mask[1].mean() < mask[0].mean()  # turned away, fewer texels are seen
    with pytest.raises(InputError, match="rule must be 'gradient', 'splat' or 'visibility', got 'depth'"):
        FaceRenderer(model).view_mask(c, size=8, map_size=8, rule="depth")


class TestBadInput:
    def test_nan_coefficients_name_the_rows(self, model: FaceModel) -> None:
        c = coefficients(model, 3)
        c.data[2, 0] = torch.nan
        with pytest.raises(InputError, match=r"coefficients holds NaN or infinity in row\(s\) \[2\]"):
            FaceRenderer(model)(c, size=16)

    def test_nan_maps(self, model: FaceModel) -> None:
        bad = torch.full((1, 3, 4, 4), torch.inf)
        with pytest.raises(InputError, match="the diffuse map holds NaN or infinity"):
            FaceRenderer(model)(coefficients(model), UVMaps(diffuse=bad), size=16)

    def test_another_layout(self, model: FaceModel) -> None:
        with pytest.raises(InputError, match="layout"):
            FaceRenderer(model)(Coefficients.zeros(1, CoefficientLayout()), size=16)

    def test_batches_that_do_not_match(self, model: FaceModel) -> None:
        with pytest.raises(InputError, match=r"the diffuse map must have batch 2 \(or 1\).*got 3"):
            FaceRenderer(model)(coefficients(model), UVMaps(diffuse=torch.zeros(3, 3, 4, 4)), size=16)
        with pytest.raises(InputError, match=r"lighting must have batch 2 \(or 1\), got 5"):
            FaceRenderer(model)(coefficients(model), size=16, lighting=torch.zeros(5, 3, 9))

    def test_empty_batch(self, model: FaceModel) -> None:
        with pytest.raises(InputError, match="empty batch"):
            FaceRenderer(model)(Coefficients.zeros(0, model.layout), size=16)

    def test_devices(self, model: FaceModel) -> None:
        with pytest.raises(InputError, match="one device"):
            FaceRenderer(model)(coefficients(model), UVMaps(diffuse=torch.zeros(2, 3, 4, 4, device="meta")), size=16)

    def test_normals_option(self, model: FaceModel) -> None:
        with pytest.raises(InputError, match="normals must be 'vertex' or 'map', got 'face'"):
            FaceRenderer(model, normals="face")
