"""Codes with pictures that the face model explains completely."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig_world import draw


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See :func:`rig_world.draw`."""
    return draw(tmp_path_factory.mktemp("pictures"))
