"""Damaged files for tests."""

from __future__ import annotations

import os
from pathlib import Path


def damaged(path: Path, content: bytes) -> Path:
    """Put a file with ``content`` in the place of ``path``.

    Tensors that were read from a safetensors file may still be its pages in memory: where the file itself shrinks, the
    process ends at the next look at them.
    """
    beside = path.with_name(f"{path.name}.damaged")
    beside.write_bytes(content)
    os.replace(beside, path)
    return path
