"""Packages that travel as wheels: unpacked and put on the path; what is still missing, in one line."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

NEEDED = (
    "torch", "numpy", "scipy", "safetensors", "mmengine", "addict", "yapf", "platformdirs", "termcolor", "rich", "yaml",
    "packaging", "cv2", "PIL",
)  # fmt: skip
"""What the parts import, directly or through MMEngine."""


class KitError(Exception):
    """Something that whoever runs the kit can change; one line."""


def unpack(folder: Path) -> list[Path]:
    """Unpack every wheel of ``folder`` below ``folder/unpacked`` (once), put them on the path; where they are."""
    if not folder.is_dir():
        raise KitError(f"--wheels {folder} is no folder; expected one with .whl files")
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise KitError(f"--wheels {folder} holds no .whl file")
    places = []
    for wheel in wheels:
        place, unfinished = folder / "unpacked" / wheel.stem, folder / "unpacked" / f".{wheel.stem}.{os.getpid()}"
        if not place.is_dir():
            try:
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(unfinished)
                unfinished.rename(place)
            except (zipfile.BadZipFile, OSError) as error:
                raise KitError(f"{wheel} cannot be unpacked to {place} ({error}); bring it again") from error
        places.append(place)
    # behind the checkout and what is installed: a wheel only fills a gap
    sys.path.extend(map(str, places))
    found = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    os.environ["PYTHONPATH"] = os.pathsep.join([*found, *map(str, places)])
    importlib.invalidate_caches()
    return places


def missing(names: Sequence[str] = NEEDED) -> list[str]:
    """Those that cannot be found."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def check(names: Sequence[str] = NEEDED) -> None:
    """One line that names everything that is missing, or nothing."""
    if lacking := missing(names):
        raise KitError(
            f"missing imports: {', '.join(lacking)} (Python {sys.version_info.major}.{sys.version_info.minor}); bring"
            " their wheels in a folder: --wheels DIR"
        )
