"""Files of FLAME's layout, and the model read from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flame_files import IDENTITY, Truth, made, write_files

from faceuv.models.faces import FLAME


@pytest.fixture(scope="session")
def truth() -> Truth:
    return made(49, 41, 4, 6)


@pytest.fixture(scope="session")
def files(tmp_path_factory, truth) -> dict[str, Path]:
    return write_files(tmp_path_factory.mktemp("flame"), truth)


@pytest.fixture(scope="session")
def flame(files) -> FLAME:
    return FLAME.from_files(
        files["model"], landmarks=[files["static"], files["dynamic"]], uv="cylindrical", identity_modes=IDENTITY
    )


@pytest.fixture
def write(tmp_path, truth) -> Callable[..., dict[str, Path]]:
    """``write(key=value)``: files with some arrays exchanged, or left out with None."""
    return lambda **changes: write_files(tmp_path, truth, **changes)
