"""The console of the commands, and shared checks of options."""

from __future__ import annotations

import sys

from rich.console import Console

from faceuv.errors import InputError

# Progress and results go to stdout, which may be closed; soft_wrap keeps a path in one piece, and a pipe gets tables
# with a line per row. Square brackets in paths and names are text, not rich's markup.
_TERMINAL = sys.stdout is not None and sys.stdout.isatty()
console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False, width=None if _TERMINAL else 240)


def require_positive(option: str, value: int) -> None:
    """Check a count or a size that came from the command line."""
    if value < 1:
        raise InputError(f"{option} must be at least 1, got {value}")
