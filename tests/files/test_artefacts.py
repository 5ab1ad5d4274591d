from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
import torch

from faceuv.errors import AssetError
from faceuv.files.artefacts import atomic_path, check_writable, load_tensors, save_tensors


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
    save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(2)}, {"kind": "toy"})
    umask = os.umask(0)
    os.umask(umask)
    for name in ("a.txt", "a.safetensors"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask, name


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


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
class TestPermissions:
    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
    def test_a_file_keeps_its_own(self, tmp_path, mode):
        path = tmp_path / "a.txt"
        path.write_text("old")
        path.chmod(mode)
        with atomic_path(path) as temporary:
            assert stat.S_IMODE(temporary.stat().st_mode) & ~mode & 0o077 == 0  # never wider, not even meanwhile
            temporary.write_text("new")
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == mode

    def test_the_umask_is_never_touched(self, tmp_path, monkeypatch):
        """It belongs to the whole process: files of other threads would come out writable by everybody."""

        def refuse(mask):
            raise AssertionError("the umask was set")

        monkeypatch.setattr(os, "umask", refuse)
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
        check_writable(tmp_path)


def test_contents_reach_the_disk_before_the_name(tmp_path, monkeypatch):
    told = []
    sync, replace = os.fsync, os.replace

    def note(handle):
        told.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", lambda a, b: (told.append(("rename", str(b))), replace(a, b)))
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the name of a handle is read from /proc")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert told == [("sync", str(temporary)), ("rename", str(tmp_path / "a.txt")), ("sync", str(tmp_path))]


def test_a_write_that_cannot_reach_the_disk_is_not_renamed(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(AssetError, match="the incomplete file was removed"),
        atomic_path(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"
