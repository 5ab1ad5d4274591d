"""W, W+ and pivotal tuning on pictures of the zoo's teacher: what they find, batches, NaN, and going on."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.files.locate import locate
from faceuv.losses import PhotometricLoss
from faceuv.models.base.contracts import Inversion, Inverter
from faceuv.models.inversion import PivotalTuning, WPlusProjection, WProjection
from faceuv.models.stylegan2 import load_generator
from faceuv.registry import INVERTERS, LOSSES


@pytest.fixture(scope="module")
def teacher():
    return load_generator(locate("zoo:teacher_64/generator.safetensors"))


@pytest.fixture(scope="module")
def pictures(teacher):
    codes = teacher.sample_codes(3, truncation=0.8, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return teacher.synthesis(codes).clamp(0, 1)


class PoisonedLoss(nn.Module):
    """A photometric loss that is NaN where the picture's first pixel is black."""

    def per_image(self, pred, target):
        poison = torch.where(target["image"][:, :, 0, 0].sum(1) == 0, torch.nan, 0.0)
        return PhotometricLoss("squared").per_image(pred, target) + poison


def l1(teacher, found, pictures):
    with torch.no_grad():
        return (teacher.synthesis(found.codes) - pictures).abs().mean((1, 2, 3))


def test_a_projection_finds_the_picture_and_w_plus_finds_more_of_it(teacher, pictures):
    mean = l1(teacher, Inversion(teacher.mean_code.expand(3, 10, -1)), pictures)
    w = WProjection(teacher, steps=50).invert(pictures)
    plus = WPlusProjection(teacher, steps=50).invert(pictures)
    assert w.codes.shape == plus.codes.shape == (3, 10, 128)
    assert torch.equal(w.codes[:, :1].expand(-1, 10, -1), w.codes), "W has one row for all layers"
    assert bool((l1(teacher, w, pictures) < 0.5 * mean).all())
    assert bool((l1(teacher, plus, pictures) < l1(teacher, w, pictures)).all())
    side = {"image": teacher.synthesis(w.codes), "mask": torch.ones(3, 1, 64, 64)}
    wanted = PhotometricLoss("squared").per_image(side, {"image": pictures})
    torch.testing.assert_close(w.errors["image"], wanted, rtol=1e-3, atol=1e-6)
    assert bool(w.ok.all())


def test_pictures_of_a_batch_do_not_influence_each_other(teacher, pictures):
    together = WPlusProjection(teacher, steps=12).invert(pictures)
    alone = [WPlusProjection(teacher, steps=12, batch=1).invert(picture[None]).codes for picture in pictures]
    torch.testing.assert_close(together.codes, torch.cat(alone), rtol=1e-3, atol=1e-3)


def test_a_projection_goes_on_where_it_was_interrupted_with_the_same_result(teacher, pictures, tmp_path):
    whole = WPlusProjection(teacher, steps=24).invert(pictures)

    def stop(step, steps):
        if step == 13:
            raise KeyboardInterrupt

    settings = {"steps": 24, "state": tmp_path, "every": 6}
    with pytest.raises(KeyboardInterrupt):
        WPlusProjection(teacher, progress=stop, **settings).invert(pictures)
    seen = []
    again = WPlusProjection(teacher, progress=lambda step, steps: seen.append(step), **settings).invert(pictures)
    assert seen == list(range(13, 25)), "it begins at the last kept step, 12"
    assert torch.equal(again.codes, whole.codes)
    with pytest.raises(InputError, match="is the projection of other pictures"):
        WPlusProjection(teacher, **settings).invert(pictures.flip(3))
    with pytest.raises(InputError, match="is the projection of other settings"):
        WPlusProjection(teacher, **{**settings, "rate": 0.1}).invert(pictures)


def test_nan_in_one_picture_is_reported_and_the_others_go_on(teacher, pictures):
    LOSSES.register_module(name="Poisoned", module=PoisonedLoss)
    poisoned = pictures.clone()
    poisoned[1, :, 0, 0] = 0
    found = WPlusProjection(teacher, steps=12, losses={"image": {"type": "Poisoned"}}).invert(poisoned)
    assert list(found.reasons) == ["", "the descent became NaN at step 0", ""]
    assert torch.equal(found.ok, torch.tensor([True, False, True]))
    assert bool(torch.isnan(found.errors["image"][1]))
    clean = WPlusProjection(teacher, steps=12).invert(pictures)
    torch.testing.assert_close(found.codes[[0, 2]], clean.codes[[0, 2]], rtol=1e-3, atol=1e-3)
    assert torch.equal(found.codes[1], teacher.mean_code.expand(10, -1))


def test_the_best_code_is_kept_where_the_descent_goes_astray(teacher, pictures):
    start = l1(teacher, Inversion(teacher.mean_code.expand(3, 10, -1)), pictures)
    found = WProjection(teacher, steps=3, rate=50.0, noise=0.0).invert(pictures)  # far too large steps
    assert bool((l1(teacher, found, pictures) <= start + 1e-4).all())
    assert bool(found.ok.all())


def test_nan_in_a_picture_and_a_plain_picture_are_reported(teacher, pictures):
    broken = pictures.clone()
    broken[0, 0, 5, 5] = torch.nan
    broken[2] = 0.3
    found = WProjection(teacher, steps=4).invert(broken)
    assert list(found.reasons) == ["it holds NaN", "", "it shows one colour: there is no face in it"]
    assert bool(torch.isfinite(found.codes).all())


def test_pivotal_tuning_draws_the_picture_better_and_leaves_the_generator_alone(teacher, pictures):
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    pivot = WProjection(teacher, steps=30)
    found = PivotalTuning(teacher, steps=15, pivot=pivot).invert(pictures[:2])
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    with torch.no_grad():
        tuned = torch.cat([g.synthesis(code[None]) for g, code in zip(found.generators, found.codes)])
    pivots = l1(teacher, found, pictures[:2])
    assert bool(((tuned - pictures[:2]).abs().mean((1, 2, 3)) < 0.75 * pivots).all())
    other = teacher.sample_codes(1, generator=torch.Generator().manual_seed(8))
    assert not torch.equal(found.generators[0].synthesis(other), found.generators[1].synthesis(other))


def test_pivotal_tuning_reports_nan_and_keeps_what_is_finished(teacher, pictures, tmp_path):
    LOSSES.register_module(name="Poisoned", module=PoisonedLoss)
    poisoned = pictures.clone()
    poisoned[0, :, 0, 0] = 0
    pivot, losses = WProjection(teacher, steps=5), {"image": {"type": "Poisoned"}}
    settings = {"steps": 4, "pivot": pivot, "losses": losses, "state": tmp_path}
    found = PivotalTuning(teacher, **settings).invert(poisoned)
    assert list(found.reasons) == ["the tuning became NaN at step 0", "", ""]
    assert found.generators[0] is teacher
    assert len(list(tmp_path.glob("tuned_*.safetensors"))) == 2
    again = PivotalTuning(teacher, **settings)
    again.steps = 0  # a tuning that ran again would change nothing, and the pictures would differ
    kept = again.invert(poisoned)
    for first, second in zip(found.generators[1:], kept.generators[1:]):
        assert torch.equal(first.synthesis(found.codes[1:2]), second.synthesis(found.codes[1:2]))


def test_inverters_are_built_by_name_and_say_what_is_wrong(teacher, pictures):
    config = {"type": "PivotalTuning", "pivot": {"type": "WPlusProjection", "steps": 3}}
    made = INVERTERS.build(config, generator=teacher)
    assert isinstance(made, Inverter)
    assert isinstance(made.pivot, WPlusProjection)
    with pytest.raises(InputError, match=r"squares around an upright face.*got 64 × 32"):
        WProjection(teacher).invert(pictures[:, :, :32])
    with pytest.raises(InputError, match="16 × 16 pixels is too small"):
        WProjection(teacher).invert(pictures[:, :, :16, :16])
    with pytest.raises(InputError, match=r"values in \[0, 1\], got 0 … 255"):
        WProjection(teacher).invert((pictures * 0).index_fill(3, torch.tensor([2]), 255.0))
    with pytest.raises(InputError, match="uint8 or uint16, got torch.int64"):
        WProjection(teacher).invert((pictures * 255).long())
    with pytest.raises(InputError, match="needs a generator; Linear has no size"):
        WProjection(nn.Linear(2, 2))
    with pytest.raises(InputError, match="a ProceduralGenerator has none: use WPlusProjection"):
        PivotalTuning({"type": "ProceduralGenerator", "size": 16})


def test_grey_8_bit_and_16_bit_pictures_give_the_code_of_the_same_levels(teacher, pictures):
    grey = (pictures[:1].mean(1, keepdim=True) * 255).round()
    wanted = WProjection(teacher, steps=3).invert((grey / 255).expand(-1, 3, -1, -1)).codes
    assert torch.allclose(WProjection(teacher, steps=3).invert(grey.to(torch.uint8)).codes, wanted, atol=1e-5)
    assert torch.allclose(WProjection(teacher, steps=3).invert((grey * 257).to(torch.uint16)).codes, wanted, atol=1e-5)
