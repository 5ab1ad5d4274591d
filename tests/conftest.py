"""Fixtures that many tests share."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

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
    """Keep the tests out of the user's cache, and the user's cache out of the tests.

    The processes of one run share a cache: face models are built, and kernels compiled, once. A run within a test takes
    that test's cache by FACEUV_TEST_CACHE.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a folder of its own in the run's
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEUV_CACHE", os.environ.get("FACEUV_TEST_CACHE", str(folder / "cache")))
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``-n``, the tests of a file run in one process: what they share is made once, not once in each process."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What the modules and the thousands of collected tests hold stays to the end: garbage collections skip it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def registries_stay(request: pytest.FixtureRequest):
    """Take away what a test registered: the next test of the same process finds the registries as they were.

    Parts of modules that a test imported stay, because a module registers its parts only once.
    """
    registry = sys.modules.get("faceuv.registry")
    before = {} if registry is None else {kind: dict(kind._module_dict) for kind in _registries(registry)}
    yield
    registry = sys.modules.get("faceuv.registry")
    for kind in () if registry is None else _registries(registry):
        known = before.get(kind, {})
        for name, part in list(kind._module_dict.items()):
            own = part.__module__ == request.module.__name__ or "<locals>" in part.__qualname__
            own = own or getattr(sys.modules.get(part.__module__), part.__qualname__, None) is not part
            if name in known:
                kind._module_dict[name] = known[name]
            elif own and part.__module__.split(".")[0] != "faceuv":
                del kind._module_dict[name]


def _registries(registry):
    return [value for value in vars(registry).values() if isinstance(value, registry.Registry)]
