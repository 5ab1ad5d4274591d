"""StyleFaceUV: what a step moves, what it shares, what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch

from faceuv.engine.ema import GeneratorEMA
from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.files.networks import save_network
from faceuv.models.base.manifest import Manifest
from faceuv.models.stylefaceuv import load_uv_generator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper
from faceuv.models.stylefaceuv.objective import shown_to_discriminator
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.structures import Coefficients

PHOTO = {"photo": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0}}


def count_calls(monkeypatch, module):
    """A list that grows by the batch size at every call of ``module.forward``."""
    calls, plain = [], module.forward

    def forward(*args, **kwargs):
        calls.append(len(args[0]) if isinstance(args[0], torch.Tensor | Coefficients) else None)
        return plain(*args, **kwargs)

    monkeypatch.setattr(module, "forward", forward)
    return calls


class TestStep:
    def test_what_is_trained_moves_and_what_is_frozen_does_not(self, world):
        method, optimizers = world.build()
        frozen = dict(world.parts)
        before = {name: world.weights(part) for name, part in frozen.items()}
        moved = {name: world.weights(getattr(method, name)) for name in ("uv_generator", "discriminator")}
        perceptual = world.weights(method.losses.terms["percept"].network.network)
        logs = method.train_step(world.batch(), optimizers)
        for name, part in frozen.items():
            assert torch.equal(world.weights(part), before[name]), name
        for name, old in moved.items():
            assert not torch.equal(world.weights(getattr(method, name)), old), name
        assert torch.equal(world.weights(method.losses.terms["percept"].network.network), perceptual)
        terms = {"photo", "percept", "adversarial", "discriminator", "r1"}
        assert set(logs) == terms | {f"{name}_symmetric" for name in terms} | {"displacement_mm"}
        assert int(method.images_seen) == 2

    def test_checkpoints_hold_what_is_trained_only(self, world):
        method, _ = world.build()
        kept = {name.split(".")[0] for name in method.state_dict()}
        assert kept == {"uv_generator", "discriminator", "steps", "discriminator_steps", "images_seen"}
        assert {name.split(".")[0] for name, _ in method.named_parameters()} == {"uv_generator", "discriminator"}

    def test_the_step_shares_its_work(self, world, monkeypatch):
        """One call of the teacher, one of the UV generator, one render, for both views; the discriminator's step
        draws nothing again."""
        method, optimizers = world.build()
        teacher = count_calls(monkeypatch, method.teacher_views.teacher.network.synthesis)
        maps = count_calls(monkeypatch, method.uv_generator)
        renders = count_calls(monkeypatch, method.renderer.network)
        looks = count_calls(monkeypatch, method.renderer.network.renderer)
        method.train_step(world.batch(3), optimizers)
        assert teacher == [6]
        assert maps == [3]
        assert renders == [6]
        assert len(looks) == 1

    def test_the_discriminator_has_its_own_pace(self, world):
        method, optimizers = world.build(adversarial={"every": 3})
        logs = [method.train_step(world.batch(), optimizers) for _ in range(7)]
        assert ["discriminator" in log for log in logs] == [True, False, False, True, False, False, True]
        assert ["r1" in log for log in logs] == [
            True,
            False,
            False,
            False,
            False,
            False,
            True,
        ]  # every second of its steps
        assert int(method.discriminator_steps) == 3

    def test_every_term_falls(self, world):
        method, optimizers = world.build(losses={**copy.deepcopy(world.losses), "r1": None})
        logs = [method.train_step(world.batch(4), optimizers) for _ in range(12)]
        for name in ("photo", "photo_symmetric", "percept", "percept_symmetric"):
            assert float(logs[-1][name]) < 0.9 * float(logs[0][name]), name
        told_apart = [float(log["discriminator"]) for log in logs if "discriminator" in log]
        assert min(told_apart[1:]) < told_apart[0]
        alone, optimizers = world.build(losses={"adversarial": world.losses["adversarial"],
                                                "discriminator": world.losses["discriminator"]},
                                        adversarial={"every": 1000})  # fmt: skip
        fooled = [float(alone.train_step(world.batch(4), optimizers)["adversarial"]) for _ in range(6)]
        assert fooled[-1] < fooled[0]

    def test_the_same_seed_gives_the_same_weights(self, world):
        results = []
        for _ in range(2):
            method, optimizers = world.build()
            for k in range(2):
                method.train_step(world.batch(first=2 * k), optimizers)
            results.append(world.weights(method.uv_generator))
        assert torch.equal(*results)

    def test_bfloat16_trains_the_networks_and_draws_in_full_precision(self, world):
        method, optimizers = world.build()
        for optimizer in optimizers.values():
            optimizer.precision = "bfloat16"
        logs = method.train_step(world.batch(), optimizers)
        assert all(bool(torch.isfinite(value)) for value in logs.values())
        exact, _ = world.build()
        views = exact.teacher_views(code=world.batch()["code"], fitted=world.batch()["coefficients"])
        with torch.no_grad():
            render = exact.draw(views, exact.uv_generator)
            with torch.autocast("cpu", torch.bfloat16):
                same = exact.draw(views, exact.uv_generator)
        assert same.image.dtype == torch.float32
        torch.testing.assert_close(same.mask, render.mask)  # geometry does not feel the half precision


class TestWeights:
    def test_the_paper_s_sum(self, world):
        """L = L_ori + 0.75·L_sym, with L = softplus(−D) + 10·(photo + 0.2·percept): term by term, from the losses."""
        method, _ = world.build()
        batch = world.batch(2)
        views = method.teacher_views(batch["code"], batch["coefficients"])
        render = method.draw(views, method.uv_generator, mask=method.mask)
        found = method.terms("generator", views, render)
        pred, target = {"image": render.image, "mask": render.mask}, {"image": views.images, "mask": render.weights}
        total = torch.zeros(())
        for view, factor in ((slice(0, 2), 1.0), (slice(2, 4), 0.75)):
            of = [{key: value[view] for key, value in side.items()} for side in (pred, target)]
            photo, percept = (method.losses.terms[name](*of) for name in ("photo", "percept"))
            scores = method.discriminator(render.over(views.images))[view]
            total = total + factor * (torch.nn.functional.softplus(-scores).mean() + 10 * (photo + 0.2 * percept))
        torch.testing.assert_close(sum(found.values()), total)

    def test_terms_of_the_maps_have_no_view(self, world):
        class Magnitude(torch.nn.Module):
            def per_image(self, pred, target):
                return pred["displacement"].square().flatten(1).mean(1)

        method, optimizers = world.build(losses={**PHOTO, "small": {"type": Magnitude}})
        logs = method.train_step(world.batch(), optimizers)
        assert "small" in logs
        assert "small_symmetric" not in logs


class TestGradients:
    @pytest.mark.parametrize("view", [0, 1])
    def test_both_views_reach_both_maps(self, world, view):
        method, _ = world.build(losses=PHOTO)
        batch = world.batch(1)
        views = method.teacher_views(batch["code"], batch["coefficients"])
        with torch.no_grad():  # a flat surface is lit alike where it moves a little: start from a bumpy one
            method.uv_generator.displacement.layers[-1].weight.normal_()
        maps = method.make_maps(views, method.uv_generator)
        maps.diffuse.retain_grad()
        maps.displacement.retain_grad()
        method.make_maps = lambda *_: maps
        render = method.draw(views, method.uv_generator, mask=method.mask)
        terms = method.terms("generator", views, render)
        terms["photo" if view == 0 else "photo_symmetric"].backward()
        assert float(maps.diffuse.grad.abs().max()) > 0
        assert float(maps.displacement.grad.abs().max()) > 0

    def test_the_symmetric_view_paints_what_the_original_does_not_see(self, world):
        method, _ = world.build(losses=PHOTO)
        sharp = world.fitted.rotation[:, 1].argmax()  # the most turned face
        batch = {"code": world.codes[sharp][None], "coefficients": world.fitted.data[sharp][None]}
        views = method.teacher_views(batch["code"], batch["coefficients"])
        maps = method.make_maps(views, method.uv_generator)
        maps.diffuse.retain_grad()
        method.make_maps = lambda *_: maps
        gradients = []
        for name in ("photo", "photo_symmetric"):
            render = method.draw(views, method.uv_generator, mask=method.mask)
            method.terms("generator", views, render)[name].backward(retain_graph=True)
            gradients.append(maps.diffuse.grad.abs().sum(1) > 0)
            maps.diffuse.grad = None
        original, symmetric = gradients
        assert bool((symmetric & ~original).any())


class TestAblations:
    def test_one_view(self, world, monkeypatch):
        method, optimizers = world.build(views={"names": ("original",)}, stepper=None)
        teacher = count_calls(monkeypatch, method.teacher_views.teacher.network.synthesis)
        logs = method.train_step(world.batch(), optimizers)
        assert teacher == [2]
        assert not [name for name in logs if name.endswith("symmetric")]

    def test_no_mask(self, world):
        method, _ = world.build(mask=None)
        batch = world.batch()
        views = method.teacher_views(batch["code"], batch["coefficients"])
        assert method.draw(views, method.uv_generator, mask=method.mask).weights is None

    @pytest.mark.parametrize("off", ["diffuse", "displacement"])
    def test_one_map_off(self, world, off):
        method, optimizers = world.build(uv_generator={off: False})
        head = world.weights(method.uv_generator.synthesis.head)
        logs = method.train_step(world.batch(), optimizers)
        with torch.no_grad():
            maps = method.uv_generator(world.batch()["code"])
        assert getattr(maps, off) is None
        assert (maps.diffuse is None) != (maps.displacement is None)
        assert ("displacement_mm" in logs) == (off != "displacement")
        assert torch.equal(world.weights(method.uv_generator.synthesis.head), head) == (off == "diffuse")

    def test_maps_of_the_symmetric_code(self, world, monkeypatch):
        shared, _ = world.build()
        own, optimizers = world.build(views={"maps": "own"})
        calls = count_calls(monkeypatch, own.uv_generator)
        own.train_step(world.batch(), optimizers)
        assert calls == [4]
        batch = world.batch()
        views = own.teacher_views(batch["code"], batch["coefficients"])
        with torch.no_grad():
            maps = own.make_maps(views, own.uv_generator)
            torch.testing.assert_close(maps.diffuse[2:], own.uv_generator(views.codes[2:]).diffuse)
            assert len(shared.make_maps(views, shared.uv_generator).diffuse) == 2

    @pytest.mark.parametrize("norm", ["squared", "length"])
    def test_the_photometric_norm(self, world, norm):
        method, optimizers = world.build(losses={"photo": {"type": "PhotometricLoss", "norm": norm, "weight": 1.0}})
        assert float(method.train_step(world.batch(), optimizers)["photo"]) > 0
        assert method.losses.terms["photo"].norm == norm

    def test_without_the_game(self, world):
        off = dict.fromkeys(("adversarial", "discriminator", "r1"))
        method, optimizers = world.build(losses={**copy.deepcopy(world.losses), **off})
        before = world.weights(method.discriminator)
        logs = method.train_step(world.batch(), optimizers)
        assert torch.equal(world.weights(method.discriminator), before)
        assert {"photo", "percept"} <= set(logs) <= {"photo", "percept", "photo_symmetric", "percept_symmetric",
                                                     "displacement_mm"}  # fmt: skip

    def test_what_the_discriminator_sees(self, world):
        batch = world.batch()
        for sees in ("pasted", "render"):
            method, _ = world.build(adversarial={"sees": sees})
            views = method.teacher_views(batch["code"], batch["coefficients"])
            render = method.draw(views, method.uv_generator)
            outside = (render.mask == 0).expand_as(render.image)
            assert outside.any()
            around = views.images if sees == "pasted" else torch.zeros_like(views.images)
            assert torch.equal(
                shown_to_discriminator(render, views.images, method.adversarial)[0][outside], around[outside]
            )


class TestAfterTraining:
    def test_sheets(self, world):
        method, _ = world.build(uv_generator={"size": 32})
        sheets, again = method.sample_images(2), method.sample_images(2)
        assert sheets["views"].shape == (2, 3, 16, 6 * 16)
        assert sheets["maps"].shape == (2, 3, 32, 64)
        for name, images in sheets.items():
            assert float(images.min()) >= 0
            assert float(images.max()) <= 1
            assert torch.equal(images, again[name])
        one_view, _ = world.build(views={"names": ("original",)}, stepper=None)
        assert one_view.sample_images(1)["views"].shape == (1, 3, 16, 4 * 16)

    def test_predictions_show_a_render_on_the_teacher_s_background(self, world):
        method, _ = world.build()
        found = method.val_step(world.batch(3))
        assert len(found) == 3
        outside = (found[0]["mask"] == 0).expand(3, -1, -1)
        assert torch.equal(found[0]["fake"][outside], found[0]["real"][outside])
        assert not torch.equal(found[0]["fake"], found[0]["real"])

    def test_the_average_is_exported_and_goes_on(self, world, tmp_path):
        method, _ = world.build(uv_generator={"displacement_scale": 0.03})

        class Runner:
            model, _has_loaded = method, False

        hook = GeneratorEMA(["uv_generator"])
        hook.before_run(Runner)
        hook.before_train(Runner)
        with torch.no_grad():
            method.uv_generator.synthesis.constant.add_(1)
        names = [f"{part}.safetensors" for part in ("uv_generator", "teacher", "mapper", "stepper")]
        assert method.export(tmp_path) == [*names, "generator.json"]  # networks that came from no file lie beside it
        assert Manifest.read(tmp_path / "generator.json").located(tmp_path).keys() == {n.split(".")[0] for n in names}
        kept = load_uv_generator(tmp_path / "uv_generator.safetensors")
        assert torch.equal(kept.synthesis.constant, method.ema["uv_generator"].synthesis.constant)
        assert not torch.equal(kept.synthesis.constant, method.uv_generator.synthesis.constant)
        later, optimizers = world.build(uv_generator={"weights": str(tmp_path / "uv_generator.safetensors")})
        assert later.uv_generator.displacement_scale == 0.03
        before = world.weights(later.uv_generator)
        later.train_step(world.batch(), optimizers)
        assert not torch.equal(world.weights(later.uv_generator), before)


class TestRefusals:
    def test_nan(self, world):
        method, optimizers = world.build()
        batch = world.batch()
        batch["code"][1, 2] = torch.nan
        with pytest.raises(InputError, match=r"codes of a batch holds NaN.*row\(s\) \[1\]"):
            method.train_step(batch, optimizers)
        batch = world.batch()
        batch["coefficients"][0, 0] = torch.nan
        with pytest.raises(InputError, match=r"coefficients of a batch holds NaN.*row\(s\) \[0\]"):
            method.train_step(batch, optimizers)
        with torch.no_grad():
            method.uv_generator.synthesis.constant.fill_(torch.nan)
        with pytest.raises(InputError, match="map holds NaN"):
            method.train_step(world.batch(), optimizers)

    def test_other_codes(self, world):
        other = StyleGAN2Generator(8, 6, channel_base=64, channel_max=6, mapping_depth=1)
        with pytest.raises(InputError, match=r"reads codes with L = 6.*L = 4"):
            world.build(teacher=other)
        method, optimizers = world.build()
        with pytest.raises(InputError, match="another generator's codes|code must have shape"):
            method.train_step({**world.batch(), "code": torch.zeros(2, 7)}, optimizers)

    def test_another_face_model(self, world):
        wrong = CoefficientMapper(6, 6, widths=(4,))  # 257 coefficients
        with pytest.raises(InputError, match="another face model"):
            world.build(mapper=wrong)

    def test_fits_that_are_not_there(self, world):
        method, optimizers = world.build()
        with pytest.raises(InputError, match="views.coefficients='fitted' needs batches with coefficients"):
            method.train_step({"code": world.batch()["code"]}, optimizers)
        predicted, optimizers = world.build(views={"coefficients": "predicted"})
        predicted.train_step({"code": world.batch()["code"]}, optimizers)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"views": {"names": ("symmetric",)}}, "views.names must be"),
            ({"stepper": None}, "needs a stepper"),
            ({"views": {"coefficients": "guessed"}}, "views.coefficients must be 'fitted' or 'predicted'"),
            ({"views": {"maps": "none"}}, "views.maps must be 'shared' or 'own'"),
            ({"adversarial": {"sees": "all"}}, "adversarial.sees must be"),
            ({"mask": {"rule": "soft"}}, "mask.rule must be"),
            ({"mask": {"override": 2.0}}, "mask.override lies in"),
            ({"adversarial": {"every": 0}}, "adversarial.every is a whole number"),
            ({"views": {"symmetric_weight": 0.0}}, "views.symmetric_weight > 0"),
            ({"views": {"symetric_weight": 1.0}}, "views has no setting.*Did you mean 'symmetric_weight'"),
            ({"views": "original"}, r"write views=dict\(names='original'\)"),
            ({"discriminator": None}, "'adversarial' needs a discriminator"),
            ({"losses": {"r1": {"type": "R1Penalty"}}}, "no term left"),
            ({"losses": {**PHOTO, "r1": {"type": "R1Penalty"}}}, "belong together"),
            ({"losses": {**PHOTO, "adversarial": {"type": "GeneratorLogistic"}}}, "belong together"),
            ({"losses": {"pyramid": {"type": "PyramidL1"}}}, r"per_image.*\['pyramid'\]"),
            ({"uv_generator": {"diffuse": False, "displacement": False}}, "both are switched off"),
        ],
    )
    def test_settings(self, world, changes, message):
        with pytest.raises(InputError, match=message):
            world.build(**changes)

    def test_unknown_terms_and_missing_files(self, world, tmp_path):
        with pytest.raises(UnknownName, match="Did you mean 'PhotometricLoss'"):
            world.build(losses={"photo": {"type": "PhotometricLos"}})
        with pytest.raises(AssetError, match="does not exist"):
            world.build(mapper=tmp_path / "mapper.safetensors")
        with pytest.raises(AssetError, match="does not exist"):
            world.build(uv_generator={"weights": tmp_path / "uv.safetensors"})

    def test_a_discriminator_of_another_size(self, world):
        with pytest.raises(InputError, match="16² images, the discriminator reads 32²"):
            world.build(discriminator={"type": "StyleGAN2Discriminator", "size": 32, "channel_base": 64})


def test_from_files(world, tmp_path):
    """As a stage does it: every network from the file of an earlier stage."""
    save_network(tmp_path / "mapper.safetensors", world.parts["mapper"])
    save_network(tmp_path / "stepper.safetensors", world.parts["stepper"])
    save_network(tmp_path / "generator.safetensors", world.parts["teacher"])
    built, _ = world.build()
    save_network(tmp_path / "discriminator.safetensors", built.discriminator)
    method, optimizers = world.build(
        teacher={"type": "PretrainedGenerator", "path": str(tmp_path / "generator.safetensors")},
        mapper=str(tmp_path / "mapper.safetensors"),
        stepper=str(tmp_path / "stepper.safetensors"),
        discriminator=str(tmp_path / "discriminator.safetensors"),
    )
    assert torch.equal(world.weights(method.discriminator), world.weights(built.discriminator))
    ours, theirs = method.train_step(world.batch(), optimizers), None
    torch.manual_seed(1)
    theirs = built.teacher_views(world.batch()["code"], world.batch()["coefficients"])
    again = method.teacher_views(world.batch()["code"], world.batch()["coefficients"])
    torch.testing.assert_close(theirs.images, again.images)
    torch.testing.assert_close(theirs.coefficients.data, again.coefficients.data)
    assert float(ours["photo"]) > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"symmetric_weight": 0.5}, r"symmetric_weight=0.5 has moved: write views=dict\(symmetric_weight=0.5\)"),
        ({"coefficients": "fitted"}, r"write views=dict\(coefficients='fitted'\)"),
        ({"maps": "own"}, r"write views=dict\(maps='own'\)"),
        ({"remember": 8}, r"write views=dict\(remember=8\)"),
        ({"views": ["original"]}, r"write views=dict\(names=\['original'\]\)"),
        ({"mask": "visibility"}, r"write mask=dict\(rule='visibility'\)"),
        ({"mask_override": 0.2}, r"write mask=dict\(override=0.2\)"),
        ({"discriminator_every": 2}, r"write adversarial=dict\(every=2\)"),
        ({"discriminator_sees": "render"}, r"write adversarial=dict\(sees='render'\)"),
    ],
)
def test_settings_of_version_0_1_say_what_to_write(world, old, new):
    with pytest.raises(InputError, match=new):
        world.build(**old)
