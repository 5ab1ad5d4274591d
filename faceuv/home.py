"""A home folder for users who have none."""

from __future__ import annotations

import os
import stat


def have_a_home() -> None:
    """Set ``HOME`` to a private folder among the temporary files if there is no home folder.

    A container's user often has neither ``HOME`` nor an entry in the list of users. Libraries below (MMEngine's yapf)
    fail at import there, and caches have no place.
    """
    if os.name != "posix" or os.path.expanduser("~") != "~":
        return
    import tempfile

    folder = os.path.join(tempfile.gettempdir(), f"faceuv-home-{os.getuid()}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            folder = tempfile.mkdtemp(prefix="faceuv-home-")  # somebody else's: nothing is read from it
    os.environ["HOME"] = folder
