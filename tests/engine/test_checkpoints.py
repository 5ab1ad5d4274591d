from __future__ import annotations

import collections
import enum
import os
import resource

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from faceuv.engine.checkpoint_hook import CheckpointHook, resumable
from faceuv.engine.compat.checkpoints import (
    HISTORY_LENGTH,
    CorruptCheckpoint,
    load_weights,
    non_finite,
    plain,
    read_checkpoint,
    rebuilt,
    write_checkpoint,
)
from faceuv.errors import AssetError, FaceUVError, InputError


class Colour(enum.IntEnum):
    RED = 3


def test_what_mmengine_logs_survives_a_safe_checkpoint(tmp_path):
    history = HistoryBuffer([1.0, 2.0, 4.0], [1, 1, 2])
    content = {
        "state_dict": collections.OrderedDict(w=torch.ones(2)),
        "hub": {"log_scalars": {"loss": history}, "score": np.float64(0.5), "n": np.int64(3), "colour": Colour.RED},
        "array": np.arange(3),
        "tuple": (1, [None, True, "text"]),
    }
    write_checkpoint(tmp_path / "a.pth", content)
    torch.load(tmp_path / "a.pth", weights_only=True)  # any reader may
    back = read_checkpoint(tmp_path / "a.pth")
    again = back["hub"]["log_scalars"]["loss"]
    assert isinstance(again, HistoryBuffer)
    assert again.mean() == history.mean()
    assert back["hub"]["score"] == 0.5
    assert type(back["hub"]["score"]) is float
    assert back["hub"]["n"] == 3
    assert back["hub"]["colour"] == 3
    assert back["array"].tolist() == [0, 1, 2]
    assert back["tuple"] == (1, [None, True, "text"])
    assert isinstance(back["state_dict"], collections.OrderedDict)


def test_a_long_history_is_cut():
    short = rebuilt(plain(HistoryBuffer(list(range(5000)), [1] * 5000)))
    assert short.data[0].tolist() == list(range(5000 - HISTORY_LENGTH, 5000))


def test_an_object_that_needs_pickle_is_refused_where_it_is():
    with pytest.raises(
        FaceUVError, match=r"cannot save checkpoint\['hub'\]\['model'\]\[1\]: a torch.nn.*Linear would need"
    ):
        plain({"hub": {"model": [0, nn.Linear(1, 1)]}})


def test_a_truncated_file_is_called_corrupt(tmp_path):
    path = tmp_path / "iter_1.pth"
    write_checkpoint(path, {"state_dict": {"w": torch.randn(1000)}})
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptCheckpoint, match=r"iter_1.pth cannot be read \(.+\): it is truncated or damaged"):
            read_checkpoint(path)


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "iter_1.pth"
    write_checkpoint(path, {"state_dict": {"w": torch.randn(10_000)}})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(CorruptCheckpoint, match="iter_1.pth is damaged: the checksum of .* is wrong"):
        read_checkpoint(path)


class _Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_pickled_code_is_refused_named_and_not_run(tmp_path):
    torch.save({"state_dict": {}, "evil": _Evil(tmp_path / "mark")}, tmp_path / "evil.pth")
    with pytest.raises(
        AssetError, match=r"evil.pth is refused: reading it would run pickled code \((posix|os|nt).system\)"
    ):
        read_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "mark").exists()


def test_other_files_are_not_checkpoints(tmp_path):
    with pytest.raises(AssetError, match=r"no checkpoint at .*nothing.pth"):
        read_checkpoint(tmp_path / "nothing.pth")
    torch.save({"weights": 1}, tmp_path / "other.pth")
    with pytest.raises(AssetError, match=r"it holds the keys \['weights'\], expected 'state_dict'"):
        read_checkpoint(tmp_path / "other.pth")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "iter_1.pth"
    write_checkpoint(path, {"state_dict": {"w": torch.zeros(10)}})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writes beyond fail, as on a full disk
    try:
        with pytest.raises(
            AssetError, match=r"cannot write the checkpoint .*iter_1.pth .*earlier checkpoints are complete"
        ):
            write_checkpoint(path, {"state_dict": {"w": torch.randn(1_000_000)}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["iter_1.pth"]


def test_weights_must_fit_exactly_and_are_not_touched_otherwise():
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    with pytest.raises(
        AssetError,
        match=r"x.pth does not fit the Linear of this config: bias is missing; extra is unknown to the model; "
        r"weight has shape \(3, 4\), expected \(3, 2\)",
    ):
        load_weights(model, {"weight": torch.zeros(3, 4), "extra": torch.zeros(1)}, "x.pth")
    assert torch.equal(model.weight, before)
    load_weights(model, {"weight": torch.ones(3, 2), "bias": torch.ones(3)}, "x.pth")
    assert torch.equal(model.weight, torch.ones(3, 2))


def test_non_finite_weights_are_named():
    assert non_finite({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")]), "n": torch.tensor(1)}) == ["b"]


def test_resumable_starts_with_the_last_written_and_ignores_leftovers_of_longer_runs(tmp_path):
    for name in ("iter_10.pth", "iter_9.pth", "iter_100.pth", "best_error_iter_9.pth", "other.pth"):
        (tmp_path / name).touch()
    assert [path.name for path in resumable(tmp_path)] == ["iter_100.pth", "iter_10.pth", "iter_9.pth"]
    (tmp_path / "last_checkpoint").write_text("iter_10.pth")
    assert [path.name for path in resumable(tmp_path)] == ["iter_10.pth", "iter_9.pth"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interval": 0}, "expected interval ≥ 1"),
        ({"max_keep_ckpts": 0}, "max_keep_ckpts ≥ 1"),
        ({"save_best": "fd"}, "save_best='fd' needs rule='less' or 'greater'"),
        ({"save_best": ["fd", "kd"], "rule": ["less"]}, "for each metric"),
    ],
)
def test_checkpoint_hook_says_what_is_wrong(arguments, message):
    with pytest.raises(InputError, match=message):
        CheckpointHook(**arguments)
