"""How a bad input is refused: one line, an error of ours, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceuv.errors import FaceUVError


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def check_refused(action: Callable[[], Any], folder: Path, limit: int = 1200) -> str:
    """Run ``action``; it must raise one of our errors with one line, and leave the folder as it was."""
    before = contents(folder)
    with pytest.raises(FaceUVError) as caught:
        action()
    message = str(caught.value)
    assert message.strip() and "\n" not in message, message
    assert len(message) < limit + 3 * len(str(folder)), message
    assert contents(folder) == before
    return message
