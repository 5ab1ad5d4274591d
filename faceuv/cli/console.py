"""What the commands print with, and the checks that their options share."""

from __future__ import annotations

from rich.console import Console

from faceuv.errors import InputError

# Progress and results go to stdout in short lines; soft_wrap keeps paths in one piece when piped.
console = Console(soft_wrap=True, highlight=False)


def require_positive(option: str, value: int) -> None:
    """Check a count or a size that came from the command line."""
    if value < 1:
        raise InputError(f"{option} must be at least 1, got {value}")
