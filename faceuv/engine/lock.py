"""One run per work dir: a lock that names its holder and does not outlive it."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmengine.dist import is_main_process

from faceuv.errors import FaceUVError, InputError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".faceuv.lock"


class WorkDirInUse(FaceUVError):
    """Another run writes to the work dir."""


@contextmanager
def work_dir_lock(work_dir: str | Path) -> Iterator[None]:
    """Hold the lock of a work dir, on the first rank; :class:`WorkDirInUse` names the process that has it.

    The system releases the lock when its process ends, however it does: what a killed run leaves is taken over. A
    process forked from here, such as a worker of a data loader, does not hold it.
    """
    if not is_main_process():
        yield
        return
    path = Path(work_dir) / LOCK_FILE
    handle = _acquire(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(handle)


def _acquire(path: Path) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; choose another place with --work-dir") from error
        if not _lock(handle):
            holder = _holder(handle)
            os.close(handle)
            raise WorkDirInUse(
                f"{path.parent} is in use by {holder}: wait until it ends, or choose another place with --work-dir"
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                break
        os.close(handle)  # the one before us has just removed the file that we opened
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "start": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": " ".join(sys.argv)[:500],
    }
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(note).encode())
    return handle


def _lock(handle: int) -> bool:
    """Whether the lock of an open file could be taken."""
    if fcntl is None:  # the note is all there is to go by
        note = _note(handle)
        return not note or note.get("host") != socket.gethostname() or not _lives(note.get("pid"))
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lives(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ValueError, OSError):
        return False
    return True


def _note(handle: int) -> dict[str, object]:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        found = json.loads(os.read(handle, 4096).decode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _holder(handle: int) -> str:
    note = _note(handle)
    if not note:
        return "another run that has just begun"
    return f"process {note.get('pid')} on {note.get('host')} since {note.get('start')} ({note.get('command')})"
