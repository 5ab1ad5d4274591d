"""A picture and its truth have the same bits whatever is drawn beside it, and however many scenes are drawn at once."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader

from faceuv.errors import InputError
from faceuv.models.faces import MakeHuman
from faceuv.synthetic import FIELDS, SyntheticFaces
from faceuv.synthetic.alone import one_by_one


@pytest.fixture(scope="module", params=["procedural", "MakeHuman"])
def head(request, face_model):
    return face_model if request.param == "procedural" else MakeHuman(verbose=False)


@pytest.mark.parametrize("world", ["full", "calm"])
def test_any_number_of_scenes_at_once_gives_the_same_bits(head, world):
    faces = SyntheticFaces(
        size=48, texture_size=96, seed=5, truth=tuple(FIELDS), face_model=head, world=world, together=1
    )
    alone = faces.batch(range(9))
    for together in (3, 4, 8):
        faces.together = together
        for name, value in faces.batch(range(9)).items():
            assert torch.equal(value, alone[name]), (together, name)


def test_numbers_that_fill_a_vector_of_the_processor_keep_their_bits(face_model):
    """32 scenes: what is computed per scene fills a vector, for which some functions have another formula."""
    faces = SyntheticFaces(size=16, samples=1, texture_size=64, seed=6, face_model=face_model, together=1)
    alone = faces.batch(range(33))["image"]
    faces.together = 33
    assert torch.equal(faces.batch(range(33))["image"], alone)


def test_the_company_does_not_matter(dataset, samples):
    assert dataset.together > 4
    among = dataset.batch([5, 90, 2])
    for name, value in among.items():
        assert torch.equal(value[[0, 2]], samples[name][[5, 2]]), name


def test_a_loader_draws_a_batch_at_once(dataset, samples, monkeypatch):
    asked: list[list[int]] = []
    batch = dataset.batch
    monkeypatch.setattr(dataset, "batch", lambda indices: asked.append(list(indices)) or batch(indices))
    loaded = next(iter(DataLoader(dataset, batch_size=3, sampler=[4, 1, 6])))
    assert asked == [[4, 1, 6]]
    for name, value in loaded.items():
        assert torch.equal(value, samples[name][[4, 1, 6]]), name
    assert int(dataset.__getitems__([-1])[0]["index"]) == len(dataset) - 1


def test_a_generator_s_pictures_do_not_depend_on_their_batch(generator, rng):
    codes = generator.sample_codes(3, generator=rng)
    together = generator.synthesis(codes)
    assert torch.equal(together, torch.cat([generator.synthesis(code[None]) for code in codes]))


def test_each_row_by_itself():
    a, b = torch.rand(5, 3), torch.rand(5, 3)
    seen = []

    def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x + y

    assert torch.equal(one_by_one(add, a, b), a + b)
    assert seen == [1] * 5


def test_the_number_at_once_is_checked(face_model):
    with pytest.raises(InputError, match="together must be a whole number of at least 1, got 0"):
        SyntheticFaces(10, size=64, face_model=face_model, together=0)
    large = SyntheticFaces(10, size=64, texture_size=512, face_model=face_model)
    assert large.together == 1  # few large maps at once: they leave the processor's cache, and take memory
