"""One small dataset and one generator for all tests of the synthetic faces."""

from __future__ import annotations

import pytest
import torch

from faceuv.models.faces.procedural import ProceduralFace
from faceuv.synthetic import FIELDS, ProceduralGenerator, SyntheticFaces


@pytest.fixture(scope="session")
def face_model():
    return ProceduralFace(rows=65, columns=51, verbose=False)


@pytest.fixture(scope="session")
def dataset(face_model):
    return SyntheticFaces(1000, size=64, texture_size=96, truth=tuple(FIELDS), face_model=face_model)


@pytest.fixture(scope="session")
def samples(dataset):
    """Eight items with every truth."""
    return dataset.batch(range(8))


@pytest.fixture(scope="session")
def generator(face_model):
    return ProceduralGenerator(32, samples=1, texture_size=64, face_model=face_model).requires_grad_(False)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)
