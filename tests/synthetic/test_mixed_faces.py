"""Several populations in one dataset."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.registry import DATASETS
from faceuv.synthetic import MixedFaces

SMALL = {"type": "ProceduralFace", "rows": 65, "columns": 51, "verbose": False}
TINY = {"size": 32, "samples": 1, "texture_size": 64}


@pytest.fixture(scope="module")
def mixed():
    return MixedFaces(
        [dict(share=3, face_model=SMALL, world="calm"), dict(share=1, face_model=SMALL, hold=dict(pose=1))],
        length=100,
        truth=("landmarks", "mask"),
        **TINY,
    )


def test_registered():
    assert DATASETS.get("MixedFaces") is MixedFaces


def test_items_are_those_of_their_population_whatever_the_batch(mixed):
    batch = mixed.batch([6, 1, 14, 9, 0, 11, 20])
    chosen = mixed.population_of([6, 1, 14, 9, 0, 11, 20])
    assert set(chosen.tolist()) == {0, 1}
    for row, (index, number) in enumerate(zip([6, 1, 14, 9, 0, 11, 20], chosen.tolist())):
        alone = mixed.faces[number].batch([index])
        for name, value in batch.items():
            assert torch.equal(value[row], alone[name][0]), name
        assert torch.equal(mixed[index]["image"], batch["image"][row])


def test_shares_are_kept(mixed):
    share = (mixed.population_of(torch.arange(4000)) == 0).double().mean()
    assert abs(float(share) - 0.75) < 0.03
    again = MixedFaces([dict(face_model=SMALL), dict(face_model=SMALL, share=0)], seed=2, **TINY)
    assert int(again.population_of(torch.arange(200)).max()) == 0


def test_facts_are_the_truth_of_the_pictures(mixed):
    facts, drawn = mixed.facts(range(8)), mixed.batch(range(8))
    assert facts["landmarks"].shape == (8, 68, 2)
    # what is painted on the surface moves it by hairs' breadths
    assert float((facts["landmarks"] - drawn["landmarks"]).abs().max()) < 0.5
    assert "coefficients" not in facts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(populations=[]), r"populations must be a list of settings of SyntheticFaces"),
        (dict(populations=dict(face_model=SMALL)), r"populations must be a list"),
        (dict(populations=[dict(face_model=SMALL, share=-1)]), r"shares of populations must be numbers ≥ 0"),
        (
            dict(populations=[dict(face_model=SMALL)], truth=("diffuse",)),
            r"share no truth \['diffuse'\]; they share mask",
        ),
        (
            dict(populations=[dict(face_model=SMALL), dict(face_model=SMALL, size=64)]),
            r"populations must draw pictures of one size, got \[32, 64\]",
        ),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=message):
        MixedFaces(**{**TINY, **settings})
