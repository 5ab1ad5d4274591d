"""The truth of codes: a subject that draws the scene itself makes no error."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.evaluation.face_truth import FittedTruth, SceneTruth, texel_normals
from faceuv.evaluation.measures import truth_rows
from faceuv.geometry import bake
from faceuv.models.base.subject import Setting, Subject
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.structures import Coefficients, UVMaps
from faceuv.synthetic.generator import ProceduralGenerator


class Knows(nn.Module):
    """A mapper that knows the scene."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator
        self.num_layers, self.code_dim = generator.num_layers, generator.code_dim

    def forward(self, code):
        return self.generator.studio.coefficients(self.generator.scene(code))


class Exact(Subject):
    """Draws the scene's own maps, or others in their place."""

    def __init__(self, setting, maps):
        super().__init__(setting, "exact")
        self.maps = maps

    def show(self, codes, targets):
        return self.setting.draw_over(targets, self.maps)


@pytest.fixture(scope="module")
def scene():
    face_model = {"type": "ProceduralFace", "rows": 49, "columns": 41, "verbose": False}
    generator = ProceduralGenerator(32, face_model=face_model, samples=1, texture_size=64)
    setting = Setting(
        generator, Knows(generator), FaceRenderer(generator.studio.face_model, generator.studio.renderer, normals="map")
    )
    latents = generator.sample_latents(3, generator=torch.Generator().manual_seed(4))
    codes = generator.broadcast(generator.mapping(latents)).clone()
    rows, columns = generator.layers_of("pose"), generator.columns_of("pose")
    codes[:, rows, columns.start] = torch.tensor([1.0, -1.0, 0.0])[:, None]  # to the right, to the left, ahead
    latents = torch.linalg.solve(generator.turn.T.double(), codes[:, 0].double().T).T.float()
    codes = generator.broadcast(generator.mapping(latents))
    source = SceneTruth(generator)
    targets = setting.targets(codes)
    with torch.no_grad():
        maps = generator.render_scene(codes).maps
    truth = source.truth(latents, codes, targets.images)
    return SimpleNamespace(setting=setting, codes=codes, targets=targets, maps=maps, truth=truth, generator=generator)


def rows_of(scene, maps):
    view = Exact(scene.setting, maps).show(scene.codes, scene.targets)
    return truth_rows(view, view.mask, scene.truth, scene.setting, "scene")


def test_the_scene_itself_is_free_of_error(scene):
    found = rows_of(scene, scene.maps)
    for name in ("albedo_seen", "albedo_unseen", "albedo_seen_free", "depth", "depth_mm"):
        assert float(found[f"scene_{name}"].nan_to_num(0).max()) < 1e-4, name
    for name in ("normal_deg", "normal_seen_deg", "normal_unseen_deg"):  # by two formulas of the same normals
        assert float(found[f"scene_{name}"].nan_to_num(0).max()) < 4, name
    assert float(found["scene_picture"].max()) < 0.05  # shadows of hair on the face, and its soft edge


def test_what_is_wrong_shows_where_it_is_wrong(scene):
    good = rows_of(scene, scene.maps)
    darker = UVMaps(scene.maps.diffuse * 0.8, scene.maps.displacement)
    found = rows_of(scene, darker)
    assert bool((found["scene_albedo_seen"] > 0.05).all())
    assert float(found["scene_albedo_seen_free"].max()) < 1e-4  # one gain puts it right
    torch.testing.assert_close(found["scene_depth"], good["scene_depth"])
    rough = torch.randn(scene.maps.displacement.shape, generator=torch.Generator().manual_seed(0)) * 0.01
    found = rows_of(scene, UVMaps(scene.maps.diffuse, scene.maps.displacement + rough))
    for name in ("scene_normal_deg", "scene_normal_seen_deg"):
        assert bool((found[name] > good[name] + 5).all()), name
    torch.testing.assert_close(found["scene_albedo_seen"], good["scene_albedo_seen"])
    # only what the picture does not show is repainted
    half = scene.maps.diffuse * (1 - scene.truth.unseen) + scene.truth.unseen
    found = rows_of(scene, UVMaps(half, scene.maps.displacement))
    assert float(found["scene_albedo_seen"].max()) < 1e-4
    assert bool((found["scene_albedo_unseen"][:2] > 0.1).all())


def test_the_unseen_side_is_the_far_one(scene):
    model, unseen = scene.setting.renderer.face_model, scene.truth.unseen[:, 0]
    across = bake(model.mean[None], model.chart(64, 64))[0, 0]  # x, to the viewer's right
    yaw = scene.targets.coefficients.rotation[:, 1]
    assert float(yaw[0]) > 0.2 and float(yaw[1]) < -0.2
    # a face that looks to the viewer's right hides its own side there
    assert float((unseen[0] * across).sum() / unseen[0].sum()) > 0.3
    assert float((unseen[1] * across).sum() / unseen[1].sum()) < -0.3
    assert float(unseen[2].sum()) < 0.5 * float(unseen[:2].flatten(1).sum(1).min())  # ahead, nearly nothing is unseen
    assert not bool((scene.truth.seen * scene.truth.unseen).any())


def test_a_fit_is_a_truth_of_the_linear_face(scene):
    def fit(codes, images):
        found = scene.setting.mapper(codes)
        return Coefficients(found.data.clone().index_fill(0, torch.tensor([1]), torch.nan), found.layout)

    truth = FittedTruth(fit, scene.setting.renderer, texels=64).truth(scene.codes, scene.codes, scene.targets.images)
    view = Exact(scene.setting, None).show(scene.codes, scene.targets)
    found = truth_rows(view, view.mask, truth, scene.setting, "fitted")
    assert set(found) == {f"fitted_{n}" for n in (
        "depth", "depth_mm", "normal_deg", "normal_seen_deg", "normal_unseen_deg", "albedo_seen", "albedo_seen_free",
        "albedo_unseen", "albedo_unseen_free")}  # fmt: skip
    for name, values in found.items():
        assert bool(values[1].isnan()), name  # the fit that failed is no truth
        limit = 5 if name == "fitted_normal_deg" else 1e-4
        assert float(values[[0, 2]].nan_to_num(0).max()) < limit, name


def test_normals_of_no_displacement_are_the_smooth_ones(scene):
    coefficients, model = scene.targets.coefficients, scene.setting.renderer.face_model
    flat = UVMaps(displacement=torch.zeros(3, 3, 32, 32))
    torch.testing.assert_close(
        texel_normals(model, coefficients, flat, 48), texel_normals(model, coefficients, None, 48), atol=1e-5, rtol=0
    )


def test_latents_that_are_no_scenes_are_refused(small):
    with pytest.raises(InputError, match="latents are scenes of the synthetic faces, Z = 383; this StyleGAN2Generator"):
        SceneTruth(small.teacher)
