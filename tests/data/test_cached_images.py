from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from faceuv.data import cached
from faceuv.data.cached import CachedImages
from faceuv.errors import AssetError, InputError
from faceuv.registry import DATASETS

DRAWN: list[int] = []
"""Indices that any toy dataset has drawn since the test began."""


class ToyPictures:
    """Picture i is a function of (seed, i); values leave [0, 1] a little, as a network's do."""

    def __init__(self, seed: int = 0, size: int = 4, fail_at: int | None = None) -> None:
        self.seed, self.size, self.fail_at = seed, size, fail_at

    def batch(self, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        if self.fail_at in indices:
            raise KeyboardInterrupt
        DRAWN.extend(indices)
        return {"image": torch.stack([self.picture(index) for index in indices])}

    def picture(self, index: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1000 * self.seed + index)
        return torch.rand(3, self.size, self.size, generator=generator) * 1.2 - 0.1


@pytest.fixture(autouse=True)
def toy_is_registered() -> Iterator[None]:
    DATASETS.register_module(name="ToyPictures", module=ToyPictures, force=True)
    DRAWN.clear()
    yield
    DATASETS.module_dict.pop("ToyPictures")


def toy(length: int = 10, *, folder, chunk: int = 4, **settings) -> CachedImages:
    return CachedImages(ToyPictures(), length, folder=folder, chunk=chunk, **settings)


def test_items_are_the_source_s_pictures_in_bytes(tmp_path):
    kept = toy(folder=tmp_path)
    assert len(kept) == 10
    for index in range(10):
        item = kept[index]
        expected = (ToyPictures().picture(index).clamp(0, 1) * 255).round().to(torch.uint8)
        assert item["image"].dtype == torch.uint8
        assert torch.equal(item["image"], expected)
        assert item["index"].item() == index
    assert torch.equal(kept[-1]["image"], kept[9]["image"]) and kept[-1]["index"].item() == 9


def test_an_item_can_be_changed_without_changing_the_file(tmp_path):
    kept = toy(folder=tmp_path)
    before = kept[3]["image"].clone()
    kept[3]["image"].zero_()
    assert torch.equal(kept[3]["image"], before)


def test_pictures_that_are_there_are_not_drawn_again(tmp_path):
    toy(folder=tmp_path)
    assert sorted(DRAWN) == list(range(12))  # whole chunks
    DRAWN.clear()
    toy(folder=tmp_path, check=False)
    assert DRAWN == []
    toy(folder=tmp_path)
    assert DRAWN == [0]  # the check
    toy(14, folder=tmp_path, check=False)
    assert DRAWN == [0, 12, 13, 14, 15]  # a longer one goes on


def test_only_a_missing_chunk_is_drawn(tmp_path):
    first = toy(folder=tmp_path)
    expected = [first[index]["image"] for index in range(10)]
    first.file(1).unlink()
    assert first.missing() == [1]
    DRAWN.clear()
    second = toy(folder=tmp_path, check=False)
    assert DRAWN == [4, 5, 6, 7]
    assert all(torch.equal(second[index]["image"], expected[index]) for index in range(10))


def test_an_interrupted_filling_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        CachedImages(ToyPictures(fail_at=6), 10, folder=tmp_path, chunk=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset.json", "pictures_000000.npy"]
    DRAWN.clear()
    toy(folder=tmp_path, check=False)
    assert DRAWN == list(range(4, 12))


def test_filling_reports_how_far_it_is(tmp_path):
    kept = toy(folder=tmp_path)
    kept.file(0).unlink()
    kept.file(2).unlink()
    told: list[tuple[int, int]] = []
    kept.fill(lambda done, wanted: told.append((done, wanted)))
    assert told == [(8, 10), (10, 10)]


def test_a_config_names_its_own_folder_and_is_built_only_to_draw(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
    kept = CachedImages(dict(type="ToyPictures", seed=3), 4, chunk=2)
    assert kept.folder.is_relative_to(tmp_path) and kept.folder.name.startswith("ToyPictures_")
    assert json.loads((kept.folder / "dataset.json").read_text())["dataset"] == {"type": "ToyPictures", "seed": 3}
    others = [CachedImages(dict(type="ToyPictures", seed=4), 4, chunk=2)]
    others.append(CachedImages(dict(type="ToyPictures", seed=3), 4, chunk=4))
    assert len({kept.folder, *(other.folder for other in others)}) == 3
    DATASETS.module_dict.pop("ToyPictures")  # now it cannot be built
    again = CachedImages(dict(seed=3, type="ToyPictures"), 4, chunk=2, check=False)
    assert again.folder == kept.folder and torch.equal(again[1]["image"], kept[1]["image"])
    DATASETS.register_module(name="ToyPictures", module=ToyPictures)


def test_what_a_worker_writes_is_what_this_process_would(tmp_path):
    """The worker's own function, called here; it builds the dataset once."""
    cached._built_in_worker.clear()
    config = dict(type="ToyPictures", seed=5)
    for number in range(2):
        job = (tmp_path / f"{number}.npy", range(4 * number, 4 * number + 4))
        assert cached._write_in_worker(config, job) == 1
        expected = CachedImages(config, 8, folder=tmp_path / "here", chunk=4)
        assert np.array_equal(np.load(tmp_path / f"{number}.npy"), np.load(expected.file(number)))
    assert len(cached._built_in_worker) == 1


def test_it_goes_to_loader_workers_without_its_source(tmp_path):
    source = ToyPictures()
    source.lock = (_ for _ in ())  # type: ignore[attr-defined]  # what no pickle takes
    kept = CachedImages(source, 10, folder=tmp_path, chunk=4)
    expected = kept[5]["image"]
    DRAWN.clear()
    copy = pickle.loads(pickle.dumps(kept))
    assert len(copy) == 10 and torch.equal(copy[5]["image"], expected) and DRAWN == []
    assert kept._built() is source  # the original keeps it


@pytest.mark.parametrize("content", [b"", b"not an array", b"PK\x03\x04 not an archive"])
def test_a_corrupt_chunk_is_named(tmp_path, content):
    kept = toy(folder=tmp_path, check=False)
    kept.file(1).write_bytes(content)
    with pytest.raises(AssetError, match="pictures_000001.npy cannot be read .*; delete it and it is drawn again"):
        kept[4]


def test_a_truncated_chunk_is_named(tmp_path):
    kept = toy(folder=tmp_path, check=False)
    whole = kept.file(1).read_bytes()
    kept.file(1).write_bytes(whole[:-10])
    with pytest.raises(AssetError, match="pictures_000001.npy cannot be read"):
        kept[7]
    assert kept[3]["index"].item() == 3  # the others are fine


@pytest.mark.parametrize(
    "array", [np.zeros((3, 4, 4, 3), np.uint8), np.zeros((4, 4, 4, 3), np.float32), np.zeros((4, 4), np.uint8)]
)
def test_a_chunk_of_another_shape_is_named(tmp_path, array):
    kept = toy(folder=tmp_path, check=False)
    np.save(kept.file(0), array)
    with pytest.raises(AssetError, match=r"pictures_000000.npy must hold \(4, S, S, 3\) uint8, found .*; delete it"):
        kept[0]


def test_pickles_are_not_read(tmp_path):
    kept = toy(folder=tmp_path, check=False)
    np.save(kept.file(0), np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(AssetError, match="cannot be read"):
        kept[0]


def test_a_folder_of_another_dataset_is_refused(tmp_path):
    first = CachedImages(dict(type="ToyPictures", seed=1), 4, folder=tmp_path, chunk=4)
    kept = first[0]["image"]
    with pytest.raises(AssetError, match="holds pictures of .*'seed': 1.*not of .*'seed': 2.*; choose another folder"):
        CachedImages(dict(type="ToyPictures", seed=2), 4, folder=tmp_path, chunk=4)
    with pytest.raises(AssetError, match="'chunk': 4.*'chunk': 2"):
        CachedImages(dict(type="ToyPictures", seed=1), 4, folder=tmp_path, chunk=2)
    assert torch.equal(first[0]["image"], kept)


@pytest.mark.parametrize("now", [ToyPictures(seed=9), ToyPictures(size=8)])
def test_stale_pictures_are_refused(tmp_path, now):
    """The same config (here: none), but the dataset draws something else now."""
    toy(folder=tmp_path)
    with pytest.raises(AssetError, match="picture 0 in .* is not what the dataset draws now.*check=False"):
        CachedImages(now, 10, folder=tmp_path, chunk=4)
    assert len(CachedImages(now, 10, folder=tmp_path, chunk=4, check=False)) == 10


def test_the_check_passes_over_rounding(tmp_path):
    class Rounded(ToyPictures):
        def picture(self, index: int) -> torch.Tensor:
            return super().picture(index) + 0.5 / 255

    toy(folder=tmp_path)
    assert len(CachedImages(Rounded(), 10, folder=tmp_path, chunk=4)) == 10


@pytest.mark.parametrize("index", [10, 11, -11])  # 10 and 11 are drawn, but beyond the length
def test_an_index_out_of_range(tmp_path, index):
    with pytest.raises(IndexError, match=f"picture {index} of 10"):
        toy(folder=tmp_path)[index]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(length=0), "length must be a whole number of at least 1, got 0"),
        (dict(length=2.0), "length must be a whole number of at least 1, got 2.0"),
        (dict(chunk=0), "chunk must be a whole number of at least 1, got 0"),
        (dict(workers=-1), "workers must be a whole number of at least 0, got -1"),
    ],
)
def test_bad_settings_are_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        CachedImages(dict(type="ToyPictures"), **{"length": 4, "folder": tmp_path / "new", **settings})
    assert not (tmp_path / "new").exists()


def test_a_built_dataset_needs_a_folder_and_no_workers(tmp_path):
    for settings in (dict(), dict(folder=tmp_path, workers=1)):
        with pytest.raises(InputError, match=r"need the dataset as a config, dict\(type=…\)"):
            CachedImages(ToyPictures(), 4, **settings)


def test_facts_are_the_pictures_truth(tmp_path):
    dataset = dict(type="SyntheticFaces", size=32, seed=5)
    kept = CachedImages(dataset, 3, folder=tmp_path, chunk=4, facts=("latent", "coefficients"))
    drawn = DATASETS.build({**dataset, "truth": ("coefficients",)}).batch([0, 1, 2])
    for index in range(3):
        item = kept[index]
        assert item["latent"].shape == (383,)
        torch.testing.assert_close(item["coefficients"], drawn["coefficients"][index])
    with pytest.raises(InputError, match=r"no facts called \['depth'\]; it has latent, coefficients"):
        CachedImages(dataset, 3, folder=tmp_path, chunk=4, facts=("depth",))


def test_a_damaged_note_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "dataset.json").write_text('{"dataset": ', encoding="utf-8")
    with pytest.raises(AssetError, match=r"is not JSON .*delete"):
        CachedImages(dict(type="SyntheticFaces", size=32), 3, folder=tmp_path)
