from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from faceuv.engine.compat.configs import load_config
from faceuv.engine.compat.optim import OptimWrapper
from faceuv.errors import InputError
from faceuv.models.stylegan2 import load_discriminator, load_generator
from faceuv.registry import METRICS, MODELS

ROOT = Path(__file__).parents[4]

SMALL = {"size": 8, "channel_base": 64, "channel_max": 8}
CONFIG = {
    "type": "StyleGAN2",
    "generator": {"type": "StyleGAN2Generator", "code_dim": 8, "mapping_depth": 2, **SMALL},
    "discriminator": {"type": "StyleGAN2Discriminator", **SMALL},
    "losses": {
        "generator": {"type": "GeneratorLogistic"},
        "discriminator": {"type": "DiscriminatorLogistic"},
        "r1": {"type": "R1Penalty", "gamma": 1.0, "interval": 2},
    },
}


def build(**changes):
    torch.manual_seed(0)
    method = MODELS.build({**copy.deepcopy(CONFIG), **changes})
    optimizers = OptimWrapperDict(
        **{
            name: OptimWrapper(torch.optim.Adam(getattr(method, name).parameters(), lr=2e-3, betas=(0.0, 0.99)))
            for name in ("generator", "discriminator")
        }
    )
    return method, optimizers


def batch(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"image": torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)}


def weights(module):
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


class TestTrainStep:
    def test_both_players_move_and_everything_is_logged(self):
        method, optimizers = build()
        before = {name: weights(getattr(method, name)) for name in ("generator", "discriminator")}
        logs = method.train_step(batch(), optimizers)
        for name, old in before.items():
            assert not torch.equal(weights(getattr(method, name)), old), name
        assert {"generator", "discriminator", "r1", "sign_real", "sign_fake"} <= set(logs)
        assert int(method.images_seen) == 4

    def test_r1_is_lazy(self):
        method, optimizers = build()
        assert ["r1" in method.train_step(batch(), optimizers) for _ in range(4)] == [True, False, True, False]

    def test_the_same_seed_gives_the_same_weights(self):
        results = []
        for _ in range(2):
            method, optimizers = build()
            torch.manual_seed(3)
            for k in range(2):
                method.train_step(batch(seed=k), optimizers)
            results.append(weights(method))
        assert torch.equal(*results)

    def test_a_discriminator_learns_to_tell_noise_from_a_flat_picture(self):
        method, optimizers = build(mirror=False)
        real = {"image": torch.full((8, 3, 8, 8), 200, dtype=torch.uint8)}
        logs = [method.train_step(real, optimizers) for _ in range(30)]
        first, last = logs[0]["discriminator"], torch.stack([log["discriminator"] for log in logs[10:20]]).mean()
        assert float(last) < float(first)

    def test_augmentation_follows_the_discriminator(self):
        method, optimizers = build(augment={"target": -1.0, "images": 100})
        strengths = [float(method.train_step(batch(), optimizers)["augment"]) for _ in range(3)]
        assert strengths == sorted(strengths)
        assert strengths[-1] > 0


class TestImages:
    def test_an_image_is_a_function_of_its_seed(self):
        method, _ = build()
        torch.testing.assert_close(method.generate([5, 7])[1:], method.generate([7]))
        assert torch.equal(method.generate([7]), method.generate([7]))

    def test_samples_for_sheets(self):
        method, _ = build()
        sheets = method.sample_images(3)
        assert set(sheets) == {"samples", "truncated"}
        for images in sheets.values():
            assert images.shape == (3, 3, 8, 8)
            assert 0 <= float(images.min()) <= float(images.max()) <= 1


class TestBadInput:
    def test_a_misspelt_term(self):
        losses = {**CONFIG["losses"], "r2": {"type": "R1Penalty"}}
        with pytest.raises(InputError, match=r"unknown: \['r2'\]"):
            build(losses=losses)

    def test_a_missing_term(self):
        with pytest.raises(InputError, match=r"lacking: \['discriminator'\]"):
            build(losses={"generator": {"type": "GeneratorLogistic"}})

    def test_sizes_must_agree(self):
        with pytest.raises(InputError, match="makes 8² images, the discriminator reads 16²"):
            build(discriminator={"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 64, "channel_max": 8})

    def test_images_of_another_size(self):
        method, optimizers = build()
        with pytest.raises(InputError, match=r"real images must have shape \(B, 3, 8, 8\)"):
            method.train_step({"image": torch.zeros(2, 3, 16, 16)}, optimizers)


def test_what_is_exported_draws_the_same(tmp_path):
    method, optimizers = build()
    method.train_step(batch(), optimizers)
    method.eval()
    assert method.export(tmp_path) == ["generator.safetensors", "discriminator.safetensors"]
    z = torch.randn(2, 8)
    torch.testing.assert_close(load_generator(tmp_path / "generator.safetensors")(z), method.generator(z))
    scores = load_discriminator(tmp_path / "discriminator.safetensors", size=8)(torch.ones(2, 3, 8, 8))
    torch.testing.assert_close(scores, method.discriminator(torch.ones(2, 3, 8, 8)))


class TestPairs:
    def paired(self, **changes):
        generator = {**CONFIG["generator"], "latent_dim": 6}
        losses = {**CONFIG["losses"], "paired": {"type": "PyramidL1", "levels": 2, "weight": 5.0}}
        return build(generator=generator, losses=losses, **changes)

    def batch(self):
        return {**batch(), "latent": torch.randn(4, 6, generator=torch.Generator().manual_seed(1))}

    def test_pairs_are_due_at_their_interval(self):
        method, optimizers = self.paired(paired_interval=3)
        logs = [method.train_step(self.batch(), optimizers) for _ in range(4)]
        assert ["paired" in log for log in logs] == [True, False, False, True]

    def test_what_the_discriminator_sees_is_matched_without_training_it(self):
        method, optimizers = self.paired(paired_interval=1)
        matched = {"type": "FeatureMatching", "smallest": 4, "weight": 2.0}
        method.losses = type(method.losses)({**CONFIG["losses"], "matched": matched})
        critic = None
        judge = method.discriminator.features

        def watched(image, **options):
            nonlocal critic
            critic = weights(method.discriminator)
            return judge(image, **options)

        method.discriminator.features = watched
        logs = method.train_step(self.batch(), optimizers)
        assert logs["matched"] > 0
        assert torch.equal(weights(method.discriminator), critic)  # its own step came before

    def test_augmentation_is_for_the_scores_alone(self):
        method, optimizers = self.paired(paired_interval=1, augment={"strength": 0.8})
        matched = {"type": "FeatureMatching", "smallest": 4, "weight": 2.0}
        method.losses = type(method.losses)({**CONFIG["losses"], "matched": matched})
        read = []
        judge = method.discriminator.features
        method.discriminator.features = lambda image, **options: read.append(image.detach()) or judge(image, **options)
        data = self.batch()
        method.train_step(data, optimizers)
        fake, truth, shown = read[-3:]
        assert torch.equal(truth, data["image"].float() / 255)
        assert not torch.equal(fake, shown)

    def test_the_discriminator_goes_first(self):
        method, optimizers = self.paired(discriminator_first=8)
        start, critic = weights(method.generator), weights(method.discriminator)
        for _ in range(2):
            logs = method.train_step(self.batch(), optimizers)
            assert not {"generator", "paired"} & set(logs)
        assert torch.equal(weights(method.generator), start)
        assert not torch.equal(weights(method.discriminator), critic)
        assert "generator" in method.train_step(self.batch(), optimizers)
        assert not torch.equal(weights(method.generator), start)

    def test_pictures_without_latents_are_refused(self):
        method, optimizers = self.paired()
        with pytest.raises(InputError, match=r"facts=\('latent',\)"):
            method.train_step(batch(), optimizers)

    def test_bad_settings_are_refused(self):
        with pytest.raises(InputError, match="paired_interval ≥ 1"):
            self.paired(paired_interval=0)
        with pytest.raises(InputError, match="'random' or 'none' in training, got 'fixed'"):
            self.paired(noise="fixed")

    @pytest.mark.parametrize(("noise", "still"), [("none", True), ("random", False)])
    def test_without_noise_its_strengths_stay_zero(self, noise, still):
        method, optimizers = self.paired(noise=noise)
        for _ in range(2):
            method.train_step(self.batch(), optimizers)
        strengths = [p for name, p in method.generator.named_parameters() if name.endswith("noise_strength")]
        assert strengths
        assert all(float(p) == 0 for p in strengths) == still


RECIPES = (
    "stylegan2_synthetic",
    "stylegan2_calm",
    "stylegan2_calm_start",
    "stylegan2_heads",
    "stylegan2_heads_start",
    "stylegan2_synthetic_start",
    "stylegan2_synthetic_128",
)


@pytest.mark.parametrize(
    "path", [f"{folder}/{name}.py" for name in RECIPES for folder in ("configs", "faceuv/configs")]
)
def test_the_recipe_builds(path):
    config = load_config(ROOT / path)
    method = MODELS.build(config.model)
    sizes = [network.size for network in (method.generator, getattr(method, "discriminator", method.generator))]
    pictures = [config.train_dataloader.dataset.dataset.size, config.val_dataloader.dataset.dataset.size]
    assert {*sizes, *pictures, METRICS.build(config.val_evaluator).features.network.size} == {config.size}
    held_out = config.val_dataloader.dataset.dataset.seed
    assert held_out != config.train_dataloader.dataset.dataset.seed


class TestWhatThePlayersSee:
    def test_codes_are_mixed_as_often_as_asked(self):
        plain, _ = build(style_mixing=0.0)
        codes = plain.codes(32)
        assert torch.equal(codes, codes[:, :1].expand_as(codes))  # one w for every row
        mixed, _ = build(style_mixing=1.0)
        changes = (mixed.codes(64).diff(dim=1).abs().amax(2) > 0).sum(1)
        assert torch.equal(changes, torch.ones_like(changes))  # each has one edge

    def test_real_images_are_mirrored_left_to_right(self):
        method, _ = build()
        data = batch(64)
        plain = data["image"].float() / 255
        shown = method.real_images(data)
        kept = (shown == plain).flatten(1).all(1)
        mirrored = (shown == plain.flip(3)).flatten(1).all(1)
        assert bool((kept ^ mirrored).all())
        assert 10 < int(mirrored.sum()) < 54

    def test_real_images_shall_score_high_and_generated_ones_low(self, monkeypatch):
        class Brightness(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gain = torch.nn.Parameter(torch.tensor(3.0))

            def forward(self, image, raw=False):
                return self.gain * image.mean((1, 2, 3), keepdim=True)[:, :, 0, 0]

        method, _ = build(mirror=False)
        method.discriminator = Brightness()
        dark = torch.zeros(4, 3, 8, 8)
        monkeypatch.setattr(method.generator.synthesis, "forward", lambda code, noise: dark[: len(code)])
        optimizer = OptimWrapper(torch.optim.SGD(method.discriminator.parameters(), lr=0.1))
        logs = method._discriminator_step(torch.ones(4, 3, 8, 8), {"discriminator": optimizer})
        wanted = torch.nn.functional.softplus(torch.tensor([0.0, -3.0])).sum()
        torch.testing.assert_close(logs["discriminator"].detach(), wanted)
        assert (float(logs["sign_real"]), float(logs["sign_fake"])) == (1.0, 0.0)
        assert float(method.discriminator.gain.detach()) > 3  # it learns that bright is real
