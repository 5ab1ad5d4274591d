"""Hashed randomness and the seeds of factors."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.synthetic.draw import Draw
from faceuv.synthetic.seeds import FACTORS, SceneSeeds, combine, normals, smooth_noise, uniforms, unit_interval


def test_normals_are_normal_and_independent():
    sample = normals(torch.arange(400), (100,)).double()
    flat = sample.flatten()
    assert abs(float(flat.mean())) < 0.02
    assert abs(float(flat.std()) - 1) < 0.02
    assert abs(float((flat**4).mean()) - 3) < 0.15
    neighbours = (sample[:, 1:] * sample[:, :-1]).mean() + (sample[1:] * sample[:-1]).mean()
    assert abs(float(neighbours)) < 0.03
    other = normals(torch.arange(400), (100,), stream=1).double()
    assert abs(float((sample * other).mean())) < 0.02


def test_uniforms_lie_strictly_inside():
    sample = uniforms(torch.arange(1000), (50,))
    assert 0 < float(sample.min())
    assert float(sample.max()) < 1
    counts = torch.histc(sample, bins=10, min=0, max=1)
    assert float((counts - 5000).abs().max()) < 5 * math.sqrt(5000)


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_seed_is_allowed_and_repeatable(seed):
    one, two = SceneSeeds.of(seed), SceneSeeds.of(seed)
    assert torch.equal(one.table, two.table)
    assert len(set(one.table[0].tolist())) == len(FACTORS)


def test_combine_tells_large_seeds_apart():
    seeds = torch.tensor([1, 1 + 2**32, 1 + 2**40, -1])
    assert len(set(combine(seeds, 0).tolist())) == 4


def test_no_number_is_infinite():
    """The ends of the range must not round to 0 or 1, where a normal number would be infinite."""
    ends = unit_interval(torch.tensor([0, 1, 2**32 - 2, 2**32 - 1]))
    assert bool((ends > 0).all())
    assert bool((ends < 1).all())
    assert bool(torch.isfinite(torch.erfinv(2 * ends - 1)).all())


def test_a_row_is_the_same_in_any_batch():
    alone = normals(torch.tensor([7]), (33,))
    among = normals(torch.tensor([3, 7, 9]), (33,))
    assert torch.equal(alone[0], among[1])
    assert torch.equal(
        smooth_noise(torch.tensor([7]), (40, 30), (5, 6))[0], smooth_noise(torch.tensor([3, 7]), (40, 30), (5, 6))[1]
    )


def test_repeat_gives_each_scene_several_times_in_a_row():
    seeds = SceneSeeds.of([3, 8, 5])
    again = seeds.repeat(2)
    assert again.factor("pose").tolist() == [x for x in seeds.factor("pose").tolist() for _ in range(2)]


def test_replace_changes_one_factor_only():
    seeds = SceneSeeds.of([1, 2, 3])
    changed = seeds.replace(hair=9)
    differs = (changed.table != seeds.table).any(0)
    assert differs.tolist() == [name == "hair" for name in FACTORS]
    assert torch.equal(changed.factor("hair"), SceneSeeds.of(9).factor("hair").expand(3))
    assert len(SceneSeeds.of(1).replace(pose=[4, 5, 6])) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SceneSeeds.of(1.5), "whole numbers"),
        (lambda: SceneSeeds.of([]), "one number or a list"),
        (lambda: SceneSeeds.of(1).replace(nose=3), "no factor is called 'nose'; the factors are identity"),
        (lambda: SceneSeeds.of([1, 2]).replace(pose=[1, 2, 3]), "expected 1 or 2 numbers, got 3"),
    ],
)
def test_bad_seeds_are_refused_clearly(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_draws_have_the_probabilities_they_say():
    values = normals(torch.arange(4000), (3,))
    draw = Draw(values)
    assert abs(float(draw.chance(0.25).mean()) - 0.25) < 0.03
    share = torch.bincount(draw.choice([1.0, 2.0, 1.0]), minlength=3) / 4000
    assert torch.allclose(share, torch.tensor([0.25, 0.5, 0.25]), atol=0.03)
    between = draw.uniform(2.0, 5.0)
    assert 2 < float(between.min()) < 2.1
    assert abs(float(between.mean()) - 3.5) < 0.05
    with pytest.raises(IndexError, match="has 3 numbers"):
        draw.take(1)
