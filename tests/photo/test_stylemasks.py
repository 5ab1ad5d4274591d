"""The points of hair styles are kept between processes, and a cache never changes what is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.cache import CacheWarning
from faceuv.models.faces import FaceModel
from faceuv.models.faces.hair import STYLES
from faceuv.models.faces.hair.stored import fingerprint
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.photo import stylemasks
from faceuv.photo.stylemasks import SIDE, style_masks
from faceuv.structures import Camera


@pytest.fixture
def model() -> FaceModel:
    return ProceduralFace(rows=65, columns=51, verbose=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
    return tmp_path / "hair"


def _masks(model: FaceModel) -> torch.Tensor:
    stylemasks._KNOWN.pop(model, None)  # as in a new process
    identity, nothing = torch.full((1, model.layout.identity), 0.3), torch.zeros(1, 3)
    depth = torch.full((SIDE, SIDE), torch.inf)
    return style_masks(model, identity, nothing, nothing, Camera(focal=Camera().focal * 0.5), depth)


def test_stored_points_give_the_same_masks_and_are_not_grown_again(model, folder, monkeypatch) -> None:
    grown = _masks(model)
    assert grown.shape == (len(STYLES), SIDE, SIDE) and (grown.flatten(1).sum(1) > 20).all()
    (stored,) = folder.iterdir()
    monkeypatch.setattr(stylemasks, "hair_mesh", lambda *_: pytest.fail("the styles were grown again"))
    assert torch.equal(_masks(model), grown)
    assert list(folder.iterdir()) == [stored]


def test_another_head_has_points_of_its_own(model, folder) -> None:
    other = ProceduralFace(rows=65, columns=51, verbose=False)
    other.mean += 0.01
    assert fingerprint(other) != fingerprint(model)
    same = ProceduralFace(rows=65, columns=51, verbose=False)
    assert fingerprint(same) == fingerprint(model)


@pytest.mark.parametrize("harm", ["cut", "vertex"])
def test_a_damaged_file_is_said_and_made_again(model, folder, harm) -> None:
    grown = _masks(model)
    (stored,) = folder.iterdir()
    if harm == "cut":
        stored.write_bytes(stored.read_bytes()[:-40])
    else:
        found, facts = load_tensors(stored)
        save_tensors(stored, {**found, "vertex": found["vertex"] + len(model.mean)}, {"kind": facts["kind"]})
    with pytest.warns(CacheWarning, match="damaged and will be grown again"):
        assert torch.equal(_masks(model), grown)
    assert int(load_tensors(stored)[0]["vertex"].max()) < len(model.mean)


def test_a_cache_that_cannot_be_written_is_a_warning(model, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path / "file"))
    with pytest.warns(CacheWarning, match="could not be cached"):
        assert _masks(model).any()
