"""Files of the user that a command would replace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from faceuv.errors import InputError
from faceuv.files.names import printable


def refuse_strangers(folder: Path, command: str, replaced: Callable[[Path], bool]) -> None:
    """Refuse a ``--out`` in which lies a file that the command has not written and would replace.

    Args:
        replaced: whether a file has a name that is to be written, and is not known as the command's own.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if replaced(path):
            raise InputError(
                f"--out {printable(folder)} has a file {printable(path.name)}, which faceuv {command} has not written"
                " and would replace; choose another folder"
            )
