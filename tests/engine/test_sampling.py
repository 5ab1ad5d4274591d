from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import DATA_SAMPLERS

from faceuv.engine import KeepRandomState, SeekableSampler, random_state, set_random_state
from faceuv.errors import InputError


def take(sampler, count):
    return list(itertools.islice(iter(sampler), count))


def sampler(size=7, rank=0, world_size=1, shuffle=True, seed=3):
    built = SeekableSampler(range(size), shuffle=shuffle, seed=seed)
    built.rank, built.world_size = rank, world_size
    return built


def test_each_pass_is_a_new_permutation():
    drawn = take(sampler(), 21)
    passes = [drawn[:7], drawn[7:14], drawn[14:]]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1]
    assert take(sampler(shuffle=False), 10) == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]
    assert take(sampler(seed=4), 21) != drawn


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 60), st.booleans())
def test_seeking_gives_the_rest_of_the_sequence(size, position, shuffle):
    whole = take(sampler(size, shuffle=shuffle), position + 30)
    later = sampler(size, shuffle=shuffle)
    later.seek(position)
    assert take(later, 30) == whole[position:]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 40))
def test_ranks_together_see_what_one_process_sees(size, world_size, position):
    whole = sampler(size)
    whole.seek(position)
    shares = []
    for rank in range(world_size):
        share = sampler(size, rank, world_size)
        share.seek(position)
        shares.append(take(share, 6))
    assert [index for step in zip(*shares) for index in step] == take(whole, 6 * world_size)


def test_a_huge_ordered_dataset_costs_nothing():
    huge = sampler(2**50, shuffle=False)
    huge.seek(2**49)
    assert take(huge, 2) == [2**49, 2**49 + 1]


def test_an_empty_dataset_is_refused():
    with pytest.raises(InputError, match="the dataset is empty"):
        sampler(0)


def test_mmengine_finds_it_under_its_own_name():
    built = DATA_SAMPLERS.build({"type": "faceuv.InfiniteSampler", "dataset": range(4), "seed": 1})
    assert isinstance(built, SeekableSampler)


def test_random_states_are_restored_after_a_safe_checkpoint(tmp_path):
    import random

    torch.save(random_state(), tmp_path / "state.pth")
    drawn = (random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3))  # noqa: NPY002
    set_random_state(torch.load(tmp_path / "state.pth", weights_only=True))
    again = (random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3))  # noqa: NPY002
    assert drawn[:4] == again[:4]
    assert torch.equal(drawn[4], again[4])


def test_validation_leaves_trainings_random_numbers_alone():
    hook = KeepRandomState()
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    hook.before_val(None)
    torch.rand(5)
    hook.after_val(None)
    assert torch.equal(torch.rand(2), expected)
