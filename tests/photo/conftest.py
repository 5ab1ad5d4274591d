"""People and the maker of heads that these tests share."""

from __future__ import annotations

import pytest
import torch

from faceuv.models.faces.procedural import ProceduralFace
from faceuv.photo import PhotoHeads
from faceuv.synthetic import SyntheticFaces


@pytest.fixture(scope="session")
def portraits() -> torch.Tensor:
    """``(2, 3, 192, 192)``, two synthetic people."""
    return SyntheticFaces(size=192, seed=4).batch(range(2))["image"]


@pytest.fixture(scope="session")
def maker() -> PhotoHeads:
    return PhotoHeads(ProceduralFace(rows=65, columns=51, verbose=False), texture_size=128)
