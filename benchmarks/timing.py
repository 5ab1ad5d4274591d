"""How the benchmarks measure time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def seconds(task: Callable[[], Any], repeats: int = 3) -> float:
    """The median processor time of a warm call."""
    task()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        found.append(time.process_time() - start)
    return statistics.median(found)
