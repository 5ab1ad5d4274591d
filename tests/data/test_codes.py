"""CodeFits: which fits belong to which part, and codes of nearly frontal faces."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.codes import CodeFits, FitShard
from faceuv.errors import AssetError, InputError
from faceuv.structures import CoefficientLayout, Coefficients

LAYOUT = CoefficientLayout(identity=2, expression=2, albedo=2)
YAWS_DEG = [-50, -31, -29, -10, 0, 12, 29.9, 30.1, 45, 5]


@pytest.fixture
def folder(tmp_path):
    """Ten fits at known yaws, in two shards."""
    coefficients = Coefficients.zeros(10, LAYOUT)
    rotation = torch.zeros(10, 3)
    rotation[:, 1] = torch.tensor(YAWS_DEG) * math.pi / 180
    rotation[:, 0] = 1.0  # a pitch, which must not count
    data = coefficients.replace(rotation=rotation).data
    codes = torch.arange(10.0)[:, None].repeat(1, 4)
    metadata = {"num_layers": 3, "layout": LAYOUT.groups, "run": "test", "seed": 0}
    for number, rows in enumerate((slice(0, 6), slice(6, 10))):
        index = torch.arange(10)[rows]
        shard = FitShard(
            index, codes[rows], data[rows], torch.ones(len(index), dtype=torch.bool), [""] * len(index), {}, metadata
        )
        shard.save(tmp_path / f"fits_{number:06d}.safetensors")
    return tmp_path


def test_faces_that_are_turned_far_are_left_out(folder):
    kept = CodeFits(folder, max_yaw_deg=30)
    assert kept.index.tolist() == [2, 3, 4, 5, 6, 9]
    assert kept.codes[:, 0].tolist() == [2, 3, 4, 5, 6, 9]
    assert len(CodeFits(folder)) == 10
    assert CodeFits(folder, max_yaw_deg=30, limit=2).index.tolist() == [2, 3]


def test_no_sample_is_in_both_parts(folder):
    train, val, every = (set(CodeFits(folder, split=s, held_out=3).index.tolist()) for s in ("train", "val", "all"))
    assert val == {0, 3, 6, 9}
    assert train == every - val
    assert len(every) == 10


def test_bad_limits(folder):
    with pytest.raises(InputError, match="max_yaw_deg lies in 0 … 180, got -3"):
        CodeFits(folder, max_yaw_deg=-3)
    with pytest.raises(AssetError, match=r"no fit with \|yaw\| < 4° for the split 'val'.*raise max_yaw_deg"):
        CodeFits(folder, split="val", held_out=9, max_yaw_deg=4)
