"""The views of a batch: whose codes and coefficients, and how much each pixel counts."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.several_views import for_views
from faceuv.models.stylefaceuv import TeacherViews, ViewWeights
from faceuv.models.stylefaceuv.views import render_views
from faceuv.renderers.masks import mask_in_view, splat_mask
from faceuv.structures import Coefficients, UVMaps


def teacher_views(world, **changes):
    parts = {name: world.parts[name] for name in ("teacher", "mapper", "stepper")}
    return TeacherViews(**{**parts, **changes})


class TestTeacherViews:
    def test_the_symmetric_view_looks_the_other_way(self, world):
        batch = world.batch(8)
        targets = teacher_views(world)(batch["code"], batch["coefficients"])
        assert targets.codes.shape == (16, 6, 6)
        mapper, stepper = world.parts["mapper"], world.parts["stepper"]
        code = batch["code"][:, None].repeat(1, 6, 1)
        torch.testing.assert_close(targets.codes[:8], code)
        torch.testing.assert_close(targets.codes[8:], stepper.move(code, -mapper.yaw(code)))
        torch.testing.assert_close(targets.coefficients.data[8:], mapper(targets.codes[8:]).data)
        wanted = world.parts["teacher"].synthesis(targets.codes).clamp(0, 1)
        torch.testing.assert_close(targets.images, wanted)
        assert not targets.images.requires_grad

    def test_where_coefficients_come_from(self, world):
        batch = world.batch(3)
        fitted = teacher_views(world)(batch["code"], batch["coefficients"]).coefficients.data[:3]
        torch.testing.assert_close(fitted, batch["coefficients"])
        predicted = teacher_views(world, coefficients="predicted")(
            batch["code"], batch["coefficients"]
        ).coefficients.data[:3]
        torch.testing.assert_close(predicted, world.parts["mapper"](batch["code"]).data)
        assert not torch.equal(fitted, predicted)

    def test_f3d_reads_each_code_once(self, world, monkeypatch):
        mapper, seen = world.parts["mapper"], []
        plain = mapper.face.forward
        monkeypatch.setattr(mapper.face, "forward", lambda x: (seen.append(len(x)), plain(x))[1])
        batch = world.batch(3)
        for source in ("fitted", "predicted"):
            seen.clear()
            teacher_views(world, coefficients=source)(batch["code"], batch["coefficients"])
            assert sum(seen) == 6, source

    def test_views_are_remembered_by_number(self, world, monkeypatch):
        batch = world.batch(4)
        plain = teacher_views(world)(batch["code"], batch["coefficients"])
        keeper = teacher_views(world, remember=3)
        mapper, seen = world.parts["mapper"], []
        face = mapper.face.forward
        monkeypatch.setattr(mapper.face, "forward", lambda x: (seen.append(len(x)), face(x))[1])

        def views_of(rows):
            seen.clear()
            index = torch.tensor(rows) + 100
            return keeper.for_training(batch["code"][rows], batch["coefficients"][rows], index)

        first = views_of([0, 1])
        assert sum(seen) > 0
        again = views_of([1, 0])
        assert seen == []
        for name in ("codes", "images"):
            a, b = (getattr(t, name).unflatten(0, (2, 2)) for t in (first, again))
            assert torch.equal(a, b.flip(1)), name
        torch.testing.assert_close(first.codes, plain.codes[[0, 1, 4, 5]])
        torch.testing.assert_close(first.coefficients.data, plain.coefficients.data[[0, 1, 4, 5]])
        torch.testing.assert_close(first.images, plain.images[[0, 1, 4, 5]], rtol=0, atol=0.51 / 255)
        assert first.names == plain.names
        views_of([2, 3])  # one too many: the first is forgotten
        assert len(keeper.memory) == 3
        views_of([1, 2, 3])
        assert seen == []
        views_of([0])
        assert sum(seen) > 0

    def test_without_numbers_nothing_is_remembered(self, world):
        batch = world.batch(2)
        keeper = teacher_views(world, remember=5)
        found = keeper.for_training(batch["code"], batch["coefficients"])
        assert torch.equal(found.images, teacher_views(world)(batch["code"], batch["coefficients"]).images)
        assert len(keeper.memory) == 0
        with pytest.raises(InputError, match="remember is a number of faces ≥ 0, got -1"):
            teacher_views(world, remember=-1)

    def test_coefficients_of_another_layout_are_refused(self, world):
        with pytest.raises(InputError, match="coefficients of a batch must have shape"):
            teacher_views(world)(world.batch()["code"], torch.zeros(2, 257))


@pytest.fixture(scope="module")
def scene(world):
    """A face drawn from two sides: renderer, coefficients, maps, the render."""
    renderer = FaceRenderer(world.parts["face_model"])
    data = Coefficients.zeros(2, world.parts["face_model"].layout)
    data = data.replace(rotation=torch.tensor([[0.0, 0.7, 0.0], [0.0, -0.7, 0.0]]))
    rng = torch.Generator().manual_seed(0)
    maps = UVMaps(
        diffuse=torch.rand(1, 3, 24, 24, generator=rng), displacement=torch.randn(1, 3, 24, 24, generator=rng) * 0.01
    )
    wide = for_views(maps, 2)
    with torch.no_grad():
        drawn = renderer(data, wide, size=32)
    return renderer, data, maps, wide, drawn


class TestViewWeights:
    @pytest.mark.parametrize("rule", ["splat", "gradient", "visibility"])
    @pytest.mark.parametrize("override", [0.5, 0.0, 1.0])
    def test_the_paper_s_values(self, scene, rule, override):
        """Original 1 where it sees; symmetric 1 where only it sees, the override where the original sees, too."""
        renderer, data, _, wide, drawn = scene
        weigh = ViewWeights(rule, override)
        original, symmetric = weigh.texels(renderer, drawn, data, wide).chunk(2)
        assert set(original.unique().tolist()) == {0.0, 1.0}
        both, alone = (original > 0) & (symmetric > 0), (original == 0) & (symmetric > 0)
        assert both.any()
        assert alone.any()
        expected = torch.zeros_like(symmetric)
        expected[alone] = 1.0
        expected[both] = override
        weights = weigh(renderer, drawn, data, wide, 2)
        torch.testing.assert_close(weights, mask_in_view(torch.cat([original, expected]), drawn.uv))
        covered = drawn.face_id[:, None] >= 0
        assert float(weights[:1][covered[:1]].mean()) > 0.9  # a view uses what it sees
        assert weights.shape == (2, 1, 32, 32)
        assert not weights.requires_grad

    def test_the_quick_rule_gives_the_paper_s_texels(self, scene, world):
        renderer, data, _, wide, drawn = scene
        bright = data.replace(lighting=torch.tensor([[0.1, -0.2, -0.2, -0.15, 0.05, -0.04, 0.03, 0.06, 0.02] * 3] * 2))
        found = {rule: ViewWeights(rule).texels(renderer, drawn, bright, wide) for rule in ("splat", "gradient")}
        assert torch.equal(found["splat"], found["gradient"])
        model = world.parts["face_model"]
        assert torch.equal(found["splat"], splat_mask(drawn.face_id, model.faces, model.uv, model.chart(24, 24)))

    def test_one_view_counts_where_it_sees(self, scene):
        renderer, data, maps, _, _ = scene
        render = render_views(renderer, data[0], maps, 32, views=1, mask=ViewWeights())
        inside = render.mask == 1
        assert float(render.weights[inside].mean()) > 0.9
        assert render_views(renderer, data[0], maps, 32).weights is None


class TestRenderViews:
    def test_views_share_maps_or_have_their_own(self, scene):
        renderer, data, maps, wide, drawn = scene
        render = render_views(renderer, data, maps, 32, views=2)
        torch.testing.assert_close(render.image, drawn.image)
        assert render.maps is maps
        torch.testing.assert_close(render_views(renderer, data, wide, 32, views=2).image, drawn.image)

    def test_pasting(self, scene):
        renderer, data, maps, _, _ = scene
        render = render_views(renderer, data, maps, 32, views=2)
        background = torch.full((2, 3, 32, 32), 0.25)
        pasted = render.over(background)
        empty = (render.mask == 0).expand_as(pasted)
        full = (render.mask == 1).expand_as(pasted)
        assert torch.equal(pasted[empty], background[empty])
        assert torch.equal(pasted[full], render.image[full])
