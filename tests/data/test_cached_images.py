from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from faceuv.data.cached import CachedImages
from faceuv.errors import AssetError, InputError
from faceuv.registry import DATASETS


class Ramps:
    """Picture i is flat, of level i · step."""

    drawn: list[int] = []

    def __init__(self, step: int = 10) -> None:
        self.step = step

    def batch(self, indices):
        Ramps.drawn += indices
        levels = torch.tensor([i * self.step / 255 for i in indices])
        return {"image": levels.view(-1, 1, 1, 1).expand(-1, 3, 4, 4)}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    DATASETS.names()  # fill it before a toy joins, so that only the toy goes away again
    monkeypatch.setitem(DATASETS._module_dict, "Ramps", Ramps)
    Ramps.drawn = []


def cached(folder, **settings):
    return CachedImages({"type": "Ramps", **settings.pop("source", {})}, 10, folder=folder, chunk=4, **settings)


def test_items_are_the_pictures(tmp_path):
    pictures = cached(tmp_path)
    assert len(pictures) == 10
    for k in (0, 3, 4, 9):
        item = pictures[k]
        assert item["image"].dtype == torch.uint8
        assert item["image"].shape == (3, 4, 4)
        assert set(item["image"].flatten().tolist()) == {10 * k}
        assert int(item["index"]) == k
    assert int(pictures[-1]["index"]) == 9


def test_nothing_is_drawn_twice(tmp_path):
    cached(tmp_path)
    Ramps.drawn = []
    cached(tmp_path, check=False)
    assert Ramps.drawn == []


def test_an_interrupted_filling_goes_on(tmp_path):
    cached(tmp_path).file(1).unlink()
    Ramps.drawn = []
    pictures = cached(tmp_path, check=False)
    assert Ramps.drawn == [4, 5, 6, 7]
    assert set(pictures[5]["image"].flatten().tolist()) == {50}


def test_progress_is_reported(tmp_path):
    pictures, told = cached(tmp_path), []
    for number in (0, 2):
        pictures.file(number).unlink()
    pictures.fill(lambda done, wanted: told.append((done, wanted)))
    assert told == [(8, 10), (10, 10)]


def test_pictures_of_another_version_are_refused(tmp_path, monkeypatch):
    cached(tmp_path)
    monkeypatch.setattr(Ramps, "batch", lambda self, indices: {"image": torch.ones(len(indices), 3, 4, 4)})
    with pytest.raises(AssetError, match="is not what the dataset draws now.*Delete the folder"):
        cached(tmp_path)


def test_a_folder_of_another_dataset_is_refused(tmp_path):
    cached(tmp_path)
    with pytest.raises(AssetError, match="holds pictures of .*choose another folder"):
        cached(tmp_path, source={"step": 20})


def test_a_truncated_file_is_named(tmp_path):
    path = cached(tmp_path).file(0)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(AssetError, match=r"pictures_000000\.npy cannot be read .*delete it"):
        cached(tmp_path, check=False)[0]


def test_a_file_of_another_kind_is_named(tmp_path):
    pictures = cached(tmp_path)
    np.save(pictures.file(0), np.zeros((4, 4, 4, 3)))
    with pytest.raises(AssetError, match=r"must hold \(4, S, S, 3\) uint8, found .*float64"):
        cached(tmp_path, check=False)[0]


def test_loader_processes_never_draw(tmp_path):
    Ramps.drawn = []
    again = pickle.loads(pickle.dumps(cached(tmp_path)))  # what a loader does to send it to its processes
    assert set(again[2]["image"].flatten().tolist()) == {20}
    assert again._source is None


def test_bad_input(tmp_path):
    with pytest.raises(IndexError, match="picture 10 of 10"):
        cached(tmp_path)[10]
    for name in ("length", "chunk"):
        with pytest.raises(InputError, match=f"{name} must be a whole number of at least 1, got 0"):
            CachedImages({"type": "Ramps"}, **{"length": 4, name: 0}, folder=tmp_path / name)
    with pytest.raises(InputError, match="need the dataset as a config"):
        CachedImages(Ramps(), 4)
