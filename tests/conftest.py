"""Fixtures that many tests share."""

from __future__ import annotations

import hypothesis
import pytest
import torch

# The first example pays for lazy imports and caches: a deadline would make that a random failure.
hypothesis.settings.register_profile("faceuv", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.load_profile("faceuv")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep the tests out of the user's cache, and the user's cache out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEUV_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
