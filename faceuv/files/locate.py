"""Paths in configs: a file of the zoo, an asset of the user, or a plain path."""

from __future__ import annotations

from pathlib import Path

from faceuv.files import assets, zoo
from faceuv.files.paths import user_path


def locate(name: str | Path) -> Path:
    """A path of a config: ``"zoo:entry/file"`` is a file of the zoo, which exists, ``"zoo:entry/"`` the entry's folder.

    ``"asset:name"`` is where that asset lies, or should lie; anything else is the path itself, with ``~`` expanded.

    >>> locate("zoo:teacher_64/generator.safetensors").name
    'generator.safetensors'
    """
    if isinstance(name, str) and name.startswith(zoo.PREFIX):
        entry, _, file = name.removeprefix(zoo.PREFIX).partition("/")
        return zoo.path(entry, file) if file or not name.endswith("/") else zoo.path(entry, zoo.CARD).parent
    if isinstance(name, str) and name.startswith(assets.PREFIX):
        return assets.place(name.removeprefix(assets.PREFIX))
    return user_path(name)
