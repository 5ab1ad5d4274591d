from __future__ import annotations

import os
import stat

import pytest
import torch

from faceuv.errors import AssetError
from faceuv.files.artefacts import atomic_path, load_tensors, save_tensors


def test_round_trip(tmp_path):
    path = save_tensors(tmp_path / "deep" / "a.safetensors", {"x": torch.arange(3)}, {"kind": "toy", "seed": 7})
    tensors, metadata = load_tensors(path, kind="toy")
    assert torch.equal(tensors["x"], torch.arange(3))
    assert metadata["seed"] == 7
    assert metadata["faceuv_version"]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_files_have_ordinary_permissions(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~umask


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(AssetError, match=r"cannot write .*choose a folder you may write to"):
        save_tensors(tmp_path / "file" / "a.safetensors", {}, {})


def test_missing_truncated_and_wrong_files(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(AssetError, match=r"does not exist; expected a faceuv toy file"):
        load_tensors(path, kind="toy")
    save_tensors(path, {"x": torch.zeros(1000)}, {"kind": "toy"})
    with pytest.raises(AssetError, match="holds 'toy', expected 'face_model'"):
        load_tensors(path, kind="face_model")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(AssetError, match="not a readable safetensors file.*truncated"):
        load_tensors(path, kind="toy")
