"""What a build gives, and the hash that tells one recipe from another."""

from __future__ import annotations

import hashlib
from importlib import resources

_PACKAGES = ("faceuv.models.faces.makehuman", "faceuv.models.faces.appearance")


def recipe_fingerprint() -> str:
    """A hash of the source of shapes and colours: a cached model of another recipe is never taken for this one."""
    digest = hashlib.sha256()
    for name in ("blink.py", "cap.py", "contour.py", "slits.py"):
        digest.update((resources.files("faceuv.models.faces") / name).read_bytes())
    for name in _PACKAGES:
        for file in sorted(resources.files(name).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".py"):
                digest.update(f"{name}/{file.name}".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
