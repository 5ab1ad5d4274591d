from __future__ import annotations

import copy

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from torch import nn

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.errors import InputError
from faceuv.models.stylegan2.training import FeatureDiscriminator
from faceuv.registry import MODELS
from tests.models.stylegan2.training.test_stylegan2_method import CONFIG, batch, weights


class Bars(nn.Module):
    """Maps that show vertical edges alone, as a network that ignores the rest."""

    shapes = ((3, 8), (3, 4))

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)

    def maps(self, image):
        edges = image - image.roll(1, 3)
        return [edges, nn.functional.avg_pool2d(edges, 2)]


@pytest.fixture
def bars():
    MODELS.register_module(name="BarsOfTest", module=Bars)
    yield dict(type="BarsOfTest")
    MODELS.module_dict.pop("BarsOfTest")


def build(features, **changes):
    torch.manual_seed(0)
    losses = {
        **CONFIG["losses"],
        "feature_generator": {"type": "GeneratorLogistic"},
        "feature_discriminator": {"type": "DiscriminatorLogistic"},
    }
    judge = dict(type="FeatureDiscriminator", features=features, width=8)
    method = MODELS.build({**copy.deepcopy(CONFIG), "losses": losses, "feature_discriminator": judge, **changes})
    names = ("generator", "discriminator", "feature_discriminator")
    optimizers = OptimWrapperDict(
        **{name: OptimWrapper(torch.optim.Adam(getattr(method, name).parameters(), lr=2e-3)) for name in names}
    )
    return method, optimizers


class TestFeatureDiscriminator:
    def test_every_map_has_scores_of_its_own(self, bars):
        judge = FeatureDiscriminator(bars, width=8)
        assert judge(torch.rand(2, 3, 8, 8)).shape == (2, 2 * 16)
        assert FeatureDiscriminator(bars, width=8, smallest=2)(torch.rand(2, 3, 8, 8)).shape == (2, 2 * 4)

    def test_it_sees_what_its_features_see_and_nothing_else(self, bars):
        judge = FeatureDiscriminator(bars, width=8).eval()
        image = torch.rand(1, 3, 8, 8)
        torch.testing.assert_close(judge(image), judge(image + 0.2))  # no edge has changed
        assert not torch.allclose(judge(image), judge(image.flip(3)))

    def test_the_features_are_never_trained(self, bars):
        judge = FeatureDiscriminator(bars, width=8).train()
        assert not judge.features.training
        assert not any(p.requires_grad for p in judge.features.parameters())
        image = torch.rand(2, 3, 8, 8, requires_grad=True)
        judge(image).sum().backward()
        assert image.grad is not None and image.grad.abs().sum() > 0

    def test_scores_move_no_faster_than_the_maps(self, bars):
        judge = FeatureDiscriminator(bars, width=8).train()
        for layer in judge.modules():  # weights a hundred times as large: the spectral norm takes it away
            if hasattr(layer, "parametrizations"):
                layer.parametrizations.weight.original.data.mul_(100)
        for _ in range(20):
            judge(torch.rand(2, 3, 8, 8))
        judge.eval()
        image = torch.rand(4, 3, 8, 8)
        change = (judge(image) - judge(image + 0.01 * torch.randn_like(image))).abs().max()
        assert change.item() < 1

    def test_it_learns_what_a_trained_network_sees_in_a_few_steps(self):
        torch.manual_seed(0)
        judge = FeatureDiscriminator(dict(type="RegressorMaps"))
        optimizer = torch.optim.Adam(judge.judges.parameters(), lr=5e-3, betas=(0.0, 0.99))
        ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
        for _ in range(15):
            real, fake = (judge(picture + 0.05 * torch.randn(4, 3, 64, 64)) for picture in (ramp, ramp.flip(3)))
            loss = nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert real.mean().item() > fake.mean().item() + 0.5

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (dict(width=0), "width is a whole number"),
            (dict(smallest=8), "4 pixels a side, less than smallest=8"),
            (dict(features=dict(type="StyleGAN2Discriminator", size=8)), "such as RegressorMaps; got StyleGAN2Disc"),
        ],
    )
    def test_bad_settings(self, bars, settings, message):
        with pytest.raises(InputError, match=message):
            FeatureDiscriminator(**{"features": bars, **settings})


class TestTheGame:
    def test_the_second_discriminator_is_trained_and_its_features_are_not(self, bars):
        method, optimizers = build(bars)
        judges, frozen = weights(method.feature_discriminator.judges), weights(method.feature_discriminator.features)
        logs = method.train_step(batch(), optimizers)
        assert {"feature_generator", "feature_discriminator"} <= set(logs)
        assert not torch.equal(weights(method.feature_discriminator.judges), judges)
        assert torch.equal(weights(method.feature_discriminator.features), frozen)

    def test_the_generator_learns_from_it_and_does_not_train_it(self, bars):
        method, optimizers = build(bars)
        method.losses.weights["generator"] = 0.0
        seen = {}
        step = method._generator_terms

        def watched(count):
            seen["judges"] = weights(method.feature_discriminator.judges)
            return step(count)

        method._generator_terms = watched
        start = weights(method.generator)
        method.train_step(batch(), optimizers)
        assert torch.equal(weights(method.feature_discriminator.judges), seen["judges"])
        assert not torch.equal(weights(method.generator), start)

    def test_real_pictures_score_above_drawn_ones(self, bars):
        method, optimizers = build(bars, mirror=False)
        stripes = torch.zeros(8, 3, 8, 8, dtype=torch.uint8)
        stripes[..., ::2] = 255
        for _ in range(25):
            method.train_step({"image": stripes}, optimizers)
        judge = method.feature_discriminator.eval()
        assert judge(stripes.float() / 255).mean() > judge(torch.full((8, 3, 8, 8), 0.5)).mean()

    def test_without_it_nothing_changes(self):
        assert "feature_discriminator" not in MODELS.get("StyleGAN2").networks_of(CONFIG)
        assert MODELS.build(copy.deepcopy(CONFIG)).feature_discriminator is None

    def test_losses_without_it_and_it_without_losses_are_refused(self, bars):
        with pytest.raises(InputError, match="check feature_generator and feature_discriminator"):
            build(bars, feature_discriminator=None)
        with pytest.raises(InputError, match="check feature_generator and feature_discriminator"):
            build(bars, losses=CONFIG["losses"])
