"""Distances of distributions through the engine: processes, batches, names, the command line."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.evaluation import FrechetDistance, KernelDistance


class Spread(nn.Module):
    """Three numbers for each image."""

    space = "spread"

    def forward(self, image):
        return torch.stack([image.mean((1, 2, 3)), image.std((1, 2, 3)), image[:, 0].amax((1, 2))], 1)


def samples(count):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 2, 3, 8, 8, generator=generator)
    images[:, 1] *= 0.8
    return [{"real": real, "fake": fake} for real, fake in images]


def metrics():
    return [FrechetDistance(Spread()), KernelDistance(Spread(), subsets=3, subset_size=4, limit=9)]


def results(items, size, batch=3):
    found = {}
    for metric in metrics():
        for k in range(0, len(items), batch):
            metric.process({}, items[k : k + batch])
        found |= metric.evaluate(size)
    return found


class TestProcesses:
    @pytest.mark.parametrize("count", [14, 13, 10])
    def test_change_nothing(self, count, in_ranks):
        alone = results(samples(count), count)

        def body(rank):
            # What DefaultSampler gives rank r of 3: r, r + 3, …, with the first samples again to fill up.
            items = samples(count)
            return results([items[k % count] for k in range(rank, -(-count // 3) * 3, 3)], count)

        together = in_ranks(body, 3)
        assert together == pytest.approx(alone, rel=1e-9)
        assert together["frechet_spread_samples"] == count
        assert together["kernel_spread_samples"] == 9

    def test_repetitions_would_matter(self):
        repeated = [*samples(13), *samples(13)[:2]]
        assert results(repeated, 15)["frechet_spread"] != pytest.approx(results(samples(13), 13)["frechet_spread"])

    def test_one_may_have_nothing(self, in_ranks):
        def body(rank):
            return results(samples(4) if rank == 0 else [], 4)

        assert in_ranks(body, 2) == pytest.approx(results(samples(4), 4), rel=1e-9)


class TestBatches:
    @pytest.mark.parametrize("batch", [1, 4, 14])
    def test_change_nothing(self, batch):
        assert results(samples(14), 14, batch) == pytest.approx(results(samples(14), 14), rel=1e-9)

    def test_an_evaluation_forgets_the_one_before(self):
        for metric in metrics():
            metric.process({}, samples(10))
            first = metric.evaluate(10)
            metric.process({}, samples(10))
            assert metric.evaluate(10) == first


class TestNames:
    def test_fid_and_kid_only_with_inception(self):
        assert set(results(samples(8), 8)) == {
            "frechet_spread",
            "frechet_spread_samples",
            "kernel_spread",
            "kernel_spread_std",
            "kernel_spread_samples",
        }

    def test_a_prefix_goes_before(self):
        metric = FrechetDistance(Spread(), prefix="teacher")
        metric.process({}, samples(4))
        assert set(metric.evaluate(4)) == {"teacher/frechet_spread", "teacher/frechet_spread_samples"}

    def test_other_pictures_of_the_samples(self):
        items = [{"real": row["real"], "fake_random_yaw": row["fake"], "fake": row["real"]} for row in samples(8)]
        usual, turned = FrechetDistance(Spread()), FrechetDistance(Spread(), fake="fake_random_yaw")
        for metric in (usual, turned):
            metric.process({}, items)
        assert usual.evaluate(8)["frechet_spread"] == pytest.approx(0, abs=1e-9)
        found = turned.evaluate(8)
        assert set(found) == {"frechet_spread_random_yaw", "frechet_spread_random_yaw_samples"}
        assert found["frechet_spread_random_yaw"] > 1e-4

    def test_features_without_a_name(self):
        with pytest.raises(InputError, match="Identity has no attribute 'space'"):
            FrechetDistance(nn.Identity())


class TestBadInput:
    def test_samples_of_another_kind(self):
        with pytest.raises(
            InputError, match=r"FrechetDistance reads samples .* lack fake, and have \['image', 'real'\]"
        ):
            FrechetDistance(Spread()).process({}, [{"real": torch.zeros(3, 8, 8), "image": torch.zeros(3, 8, 8)}])

    def test_samples_without_the_wanted_pictures(self):
        with pytest.raises(InputError, match=r"fake_random_yaw=\(3, H, W\)\) .* lack fake_random_yaw"):
            KernelDistance(Spread(), subset_size=2, fake="fake_random_yaw").process({}, samples(2))

    def test_images_that_diverged(self):
        items = samples(3)
        items[1]["fake"][:] = float("nan")
        with pytest.raises(InputError, match=r"features of the fake images hold NaN or infinity in row\(s\) \[1\]"):
            FrechetDistance(Spread()).process({}, items)

    def test_too_few(self):
        for count in (0, 1):
            metric = FrechetDistance(Spread())
            if count:
                metric.process({}, samples(count))
            with pytest.raises(InputError, match=f"at least two samples, got {count}"):
                metric.evaluate(count)

    def test_more_samples_than_items(self):
        metric = KernelDistance(Spread(), subset_size=2)
        metric.process({}, samples(8))
        with pytest.raises(InputError, match="got 8 samples for a data set of 4: .* must give one for each item"):
            metric.evaluate(4)


TOY = '''
import torch
from torch.utils.data import Dataset

from faceuv.registry import DATASETS


@DATASETS.register_module(force=True)
class ToyPictures(Dataset):
    """Flat pictures of every colour."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        colour = torch.randint(0, 256, (3, 1, 1), generator=torch.Generator().manual_seed(index), dtype=torch.uint8)
        return {"image": colour.expand(3, 8, 8).clone(), "index": index}
'''
CONFIG = """
from mmengine.config import read_base

with read_base():
    from faceuv.configs.stylegan2_synthetic import *

custom_imports = dict(imports=["toy_pictures"])
small = dict(size=8, channel_base=64, channel_max=8)
model.merge(dict(generator=dict(code_dim=8, **small), discriminator=small))
pictures = dict(type="ToyPictures", length=12)
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader.merge(dict(dataset=dict(_delete_=True, **pictures)))
train_cfg.merge(dict(max_iters=1, val_interval=1))
features = dict(type="DiscriminatorFeatures", network=dict(type="StyleGAN2Discriminator", **small))
val_evaluator = test_evaluator = [
    dict(type="KernelDistance", features=features, subsets=5, subset_size=6),
    dict(type="FrechetDistance", features=features),
]
default_hooks.merge(dict(checkpoint=dict(interval=1)))
custom_hooks = [dict(type="GeneratorEMA", modules=["generator"], half_life=100)]
"""


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    from faceuv.cli.main import main

    (tmp_path / "toy_pictures.py").write_text(TOY)
    (tmp_path / "toy_kernel.py").write_text(CONFIG)
    monkeypatch.syspath_prepend(str(tmp_path))
    config, work = str(tmp_path / "toy_kernel.py"), tmp_path / "work"
    assert main(["train", config, "--work-dir", str(work)]) == 0
    assert list(work.glob("best_frechet-random-discriminator-seed0_iter_1.pth"))
    capsys.readouterr()
    assert main(["test", config, str(work / "iter_1.pth"), "--work-dir", str(tmp_path / "test")]) == 0
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "test" / "metrics.json").read_text())["metrics"]
    name = "kernel_random_discriminator_seed0"
    assert {name, f"{name}_std", f"{name}_samples", "frechet_random_discriminator_seed0"} <= set(found)
    assert found[f"{name}_samples"] == 12
    assert f"{name}_std" in out
