"""What the method gives metrics, and what they make of it."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from torch import nn

from faceuv.errors import InputError
from faceuv.evaluation import FrechetDistance, IdentitySimilarity, Reconstruction

KEYS = {"real", "fake", "mask", "yaw", "landmarks"}


class Means(nn.Module):
    space = name = "means"
    needs_landmarks = False

    def forward(self, images, landmarks=None):
        return images.mean((2, 3))


def with_index(batch, first=0):
    return {**batch, "index": torch.arange(first, first + len(batch["code"]))}


def names(endings):
    return {f"{key}{ending}" for key in KEYS for ending in endings}


class TestViews:
    def test_those_of_a_method_with_two_views(self, world):
        method, _ = world.build()
        rows = method.val_step(world.batch(3))
        assert [set(row) for row in rows] == [names(("", "_symmetric"))] * 3
        targets = method.teacher_views(code=world.batch(3)["code"], fitted=world.batch(3)["coefficients"])
        for k, row in enumerate(rows):
            assert torch.equal(row["real"], targets.images[k])
            assert torch.equal(row["real_symmetric"], targets.images[3 + k])
            outside = (row["mask_symmetric"] == 0).expand(3, -1, -1)
            assert torch.equal(row["fake_symmetric"][outside], row["real_symmetric"][outside])
            assert not torch.equal(row["fake_symmetric"], row["real_symmetric"])

    def test_one_that_learned_from_one_view_is_asked_for_both(self, world):
        method, _ = world.build(views={"names": ("original",)})
        assert set(method.val_step(world.batch(1))[0]) == names(("", "_symmetric"))
        alone, _ = world.build(views={"names": ("original",)}, stepper=None)
        assert set(alone.val_step(world.batch(1))[0]) == names(("",))

    def test_training_still_draws_its_own_views_only(self, world):
        method, optimizers = world.build(views={"names": ("original",)})
        logs = method.train_step(world.batch(2), optimizers)
        assert not any(name.endswith("_symmetric") for name in logs)

    def test_landmarks_are_where_the_face_is(self, world):
        method, _ = world.build()
        row = method.val_step(world.batch(2))[1]
        covered = row["mask"][0].nonzero().float() + 0.5  # row, column
        points = row["landmarks"]
        assert points.shape == (68, 2)
        assert bool((points[:, 0] > covered[:, 1].min() - 1).all() and (points[:, 0] < covered[:, 1].max() + 1).all())
        assert bool((points[:, 1] > covered[:, 0].min() - 1).all() and (points[:, 1] < covered[:, 0].max() + 1).all())


class TestRandomYaw:
    def test_turns_each_face_to_an_angle_of_its_own(self, world):
        method, _ = world.build(random_yaw_deg=20)
        rows = method.val_step(with_index(world.batch(6)))
        assert set(rows[0]) == names(("", "_symmetric", "_random_yaw"))
        angles = method._angles(with_index(world.batch(6)))
        assert float(angles.abs().max()) <= math.radians(20)
        assert len(set(angles.tolist())) == 6
        assert torch.equal(torch.stack([row["yaw_random_yaw"] for row in rows]), angles)
        own = method.teacher_views.mapper.network.yaw(world.batch(6)["code"])
        torch.testing.assert_close(torch.stack([row["yaw_symmetric"] for row in rows]), -own)
        turned = method.teacher_views.stepper.network.move(world.batch(6)["code"], angles)
        wanted = method.teacher_views.teacher.network.synthesis(turned).clamp(0, 1)
        torch.testing.assert_close(torch.stack([row["real_random_yaw"] for row in rows]), wanted)

    def test_does_not_depend_on_the_batch(self, world):
        method, _ = world.build(random_yaw_deg=20)
        together = method.val_step(with_index(world.batch(4)))
        alone = method.val_step(with_index(world.batch(2, first=2), first=2))
        for key in ("fake_random_yaw", "real_random_yaw"):
            torch.testing.assert_close(alone[0][key], together[2][key], rtol=0, atol=1e-5)

    def test_needs_what_it_needs(self, world):
        with pytest.raises(InputError, match="random_yaw_deg lies in 0 … 90 and needs a stepper"):
            world.build(random_yaw_deg=20, views={"names": ("original",)}, stepper=None)
        with pytest.raises(InputError, match="random_yaw_deg lies in"):
            world.build(random_yaw_deg=120)
        method, _ = world.build(random_yaw_deg=20)
        with pytest.raises(InputError, match="needs batches with the samples' index"):
            method.val_step(world.batch(2))


def test_metrics_of_every_view(world):
    """The figures that `faceuv test` prints, together, under names of their own."""
    method, _ = world.build(random_yaw_deg=20)
    evaluator = Evaluator(
        [
            Reconstruction(losses={"percept": {**world.losses["percept"]}}),
            IdentitySimilarity(Means()),
            FrechetDistance(Means()),
            FrechetDistance(Means(), fake="fake_symmetric"),
            FrechetDistance(Means(), fake="fake_random_yaw"),
        ]
    )
    for first in (0, 3):
        batch = with_index(world.batch(3, first=first), first)
        evaluator.process(data_samples=method.val_step(batch), data_batch=batch)
    found = evaluator.evaluate(6)
    for name in ("l1", "psnr", "ssim", "percept", "means", "frechet_means"):
        for ending in ("", "_symmetric", "_random_yaw"):
            assert math.isfinite(found[f"{name}{ending}"])
    assert found["l1"] > 0
    assert found["means"] <= 1
    assert math.isfinite(found["means_across_random_yaw"])
