"""One thing on two charts: modes are found on the reference chart and evaluated on the wanted one.

Principal modes of two samplings of one head differ: close eigenvalues swap or turn into each other. So that a
coefficient means the same person at every resolution, all that is found from data (which source has what share of a
mode, where a kernel has its nodes, how long a mode is) is found on the reference chart alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Twin(Generic[T]):
    """``reference`` and ``wanted`` are one object where the wanted chart is the reference."""

    reference: T
    wanted: T


def each(function: Callable[..., T], *twins: Twin[Any]) -> Twin[T]:
    """``function`` of the reference's arguments and of the wanted ones; once, if they are the same."""
    first = function(*(twin.reference for twin in twins))
    if all(twin.wanted is twin.reference for twin in twins):
        return Twin(first, first)
    return Twin(first, function(*(twin.wanted for twin in twins)))
