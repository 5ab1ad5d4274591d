"""The procedural face's cache: same model every time, and no way to be harmed by a bad file or folder."""

import pytest
import torch
from damage import damaged

from faceuv.files.cache import CacheWarning, cache_dir
from faceuv.models.faces.procedural import ProceduralFace, identity
from faceuv.models.faces.procedural.grid import Grid
from faceuv.models.faces.procedural.surface import follow

SMALL = dict(rows=49, columns=33, verbose=False)


@pytest.fixture(scope="module")
def reference():
    return ProceduralFace(**SMALL, cache=False)


def same(a, b):
    return all(torch.equal(x, b.arrays()[name]) for name, x in a.arrays().items()) and a.mode_names == b.mode_names


def test_cache_round_trip_is_identical(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
    sculpted = []
    with monkeypatch.context() as patch:
        patch.setattr(identity, "follow", lambda grid, *rest: sculpted.append(grid) or follow(grid, *rest))
        first = ProceduralFace(**SMALL)
    assert same(first, reference)  # two builds
    assert set(sculpted) == {Grid(49, 33)}  # heads of the reference chart are those of the first build
    files = list(tmp_path.rglob("*.safetensors"))
    assert len(files) == 1 and files[0].name.startswith("49x33_")
    with monkeypatch.context() as patch:
        patch.setattr("faceuv.models.faces.procedural.model.build", _must_not_run)
        again = ProceduralFace(**SMALL)
    assert same(again, reference)
    assert again.full_expression == reference.full_expression
    assert torch.equal(again.expression_coefficients(smile=1.0), reference.expression_coefficients(smile=1.0))


def _must_not_run(*args, **kwargs):
    raise AssertionError("the cache was not used")


def test_a_damaged_file_is_built_again(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
    monkeypatch.setattr("faceuv.models.faces.procedural.model.build", lambda *_: _built(reference))
    ProceduralFace(**SMALL)
    file = next(tmp_path.rglob("*.safetensors"))
    damaged(file, file.read_bytes()[:1000])
    with pytest.warns(CacheWarning, match="damaged and is built again"):
        repaired = ProceduralFace(**SMALL)
    assert same(repaired, reference) and file.stat().st_size > 1000


def test_an_unwritable_folder_only_warns(reference, tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    monkeypatch.setenv("FACEUV_CACHE", str(blocker))
    monkeypatch.setattr("faceuv.models.faces.procedural.model.build", lambda *_: _built(reference))
    with pytest.warns(CacheWarning, match="could not be cached"):
        assert same(ProceduralFace(**SMALL), reference)


def _built(model):
    from faceuv.models.faces.cached import Built

    return Built(model.arrays(), model.mode_names, model.metadata)


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("FACEUV_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "faceuv"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir().parts[-2:] == (".cache", "faceuv")
