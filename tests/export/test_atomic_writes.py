"""An interrupted write leaves the folder as it was: no half file, no orphan texture, the old file intact."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.export import MeshFile, save_mesh, save_png, save_video


def listing(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(("suffix", "call"), [("glb", 1), ("ply", 1), ("obj", 1), ("obj", 2), ("obj", 3)])
def test_mesh(small, suffix: str, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = MeshFile.build(**small)
    save_mesh(tmp_path / f"a.{suffix}", mesh)
    before = listing(tmp_path)
    calls = 0
    write = Path.write_bytes

    def failing(self: Path, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == call:
            write(self, data[: len(data) // 2])
            raise Interrupted
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", failing)
    other = MeshFile.build(**{**small, "vertices": small["vertices"] * 2})
    with pytest.raises(Interrupted):
        save_mesh(tmp_path / f"a.{suffix}", other)
    assert listing(tmp_path) == before


def test_an_obj_never_appears_before_its_material(small, tmp_path: Path, monkeypatch) -> None:
    replace = os.replace

    def refuse(source, target):
        if str(target).endswith("a.mtl"):
            raise OSError(13, "Permission denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match=r"a\.mtl"):
        save_mesh(tmp_path / "a.obj", MeshFile.build(**small))
    assert {p.name for p in tmp_path.iterdir()} == {"a_diffuse.png"}


def test_a_folder_in_the_place_of_a_file_leaves_nothing(small, tmp_path: Path) -> None:
    (tmp_path / "a.mtl").mkdir()
    with pytest.raises(AssetError, match=r"a\.mtl: it is a folder"):
        save_mesh(tmp_path / "a.obj", MeshFile.build(**small))
    assert {p.name for p in tmp_path.iterdir()} == {"a.mtl"}


@pytest.mark.parametrize("name", ["t.gif", "t.mp4"])
def test_animation(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"old")

    def frames():
        yield torch.zeros(3, 16, 16)
        yield torch.ones(3, 16, 16)
        raise Interrupted

    with pytest.raises(Interrupted):
        save_video(tmp_path / name, frames())
    assert listing(tmp_path) == {name: b"old"}


def test_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the image holds NaN"):
        save_png(tmp_path / "a.png", torch.full((3, 2, 2), float("nan")))
    assert listing(tmp_path) == {}


def test_folder_that_is_a_file_is_one_clear_error(small, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(AssetError, match="cannot write .*choose a folder you may write to"):
        save_mesh(tmp_path / "taken" / "a.glb", MeshFile.build(**small))
