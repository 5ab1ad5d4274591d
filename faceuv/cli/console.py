"""The console of the commands, and shared checks of options."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

from faceuv.errors import InputError

if TYPE_CHECKING:
    import torch

# Progress and results go to stdout, which may be closed; soft_wrap keeps a path in one piece, and a pipe gets tables
# with a line per row. Square brackets in paths and names are text, not rich's markup.
_TERMINAL = sys.stdout is not None and sys.stdout.isatty()
console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False, width=None if _TERMINAL else 240)


def require_positive(option: str, value: int) -> None:
    """Check a count or a size that came from the command line."""
    if value < 1:
        raise InputError(f"{option} must be at least 1, got {value}")


def add_device(parser: argparse.ArgumentParser, *, default: str | None = "cpu") -> None:
    """The option ``--device``; without a default it is MMEngine's choice, a GPU where there is one."""
    said = f"default {default}" if default else "default: a GPU where there is one"
    parser.add_argument("--device", default=default, metavar="D", help=f"cpu, cuda, cuda:1, … ({said})")


def checked_device(name: str) -> torch.device:
    """The device of ``--device``, if PyTorch knows it and finds it here."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from error
    if device.type == "cpu":
        return device
    backend: Any = getattr(torch, device.type, None)  # torch.cuda, torch.mps, torch.xpu
    count = backend.device_count() if hasattr(backend, "is_available") and backend.is_available() else 0
    if (device.index or 0) >= count:
        raise InputError(f"--device {name} cannot be used here: PyTorch finds {count} devices of this kind; take cpu")
    return device


def work_on(name: str | None) -> None:
    """Let trainings and stages run on this device, if one is given: all of them ask MMEngine for it."""
    if name is None:
        return
    import mmengine.device.utils

    mmengine.device.utils.DEVICE = str(checked_device(name))
