"""A flat description of everything that a stage's outputs depend on, and its fingerprint.

Two descriptions can be compared key by key, so that a stale stage can say *which* setting changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceuv.errors import InputError
from faceuv.files import zoo
from faceuv.files.artefacts import sha256_of
from faceuv.files.locate import locate

Description = dict[str, Any]
"""Dotted key → number, string, bool or None."""

FILE_KEY, INPUT_KEY = "file:", "input:"


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings and lists → (dotted key, plain value) pairs; what has no plain value is an error."""
    if isinstance(value, Mapping):
        if not value:
            yield key, "{}"
        for name, item in value.items():
            yield from flatten(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if all(item is None or isinstance(item, (bool, int, float, str)) for item in value):
            yield key, list(value)
        else:
            for index, item in enumerate(value):
                yield from flatten(item, f"{key}.{index}")
    elif value is None or isinstance(value, (bool, int, float, str)):
        yield key, value
    elif isinstance(value, Path):
        yield key, str(value)
    else:
        raise InputError(
            f"{key} is a {type(value).__name__}; the config of a stage holds numbers, strings, lists and dicts only,"
            " so that a change of it can be told"
        )


def describe(
    config: Mapping[str, Any], *, neutral: Sequence[str] = (), inputs: Mapping[str, str] | None = None
) -> Description:
    """Everything that a stage's outputs depend on.

    Files and folders that the config names count by their contents: their keys are followed by ``file:<key>``.

    Args:
        config: of the stage, before ``{stage}`` is replaced by a folder: a work dir may be moved.
        neutral: dotted keys (or beginnings of them) that change nothing in the outputs.
        inputs: earlier stage → its fingerprint.
    """
    found: Description = {}
    for key, value in flatten(config):
        if any(key == name or key.startswith(f"{name}.") for name in neutral):
            continue
        found[key] = value
        path = named_path(key, value)
        if path is not None and not _is_cache(config, key):
            found[FILE_KEY + key] = contents_hash(path)
    found |= {INPUT_KEY + name: fingerprint for name, fingerprint in (inputs or {}).items()}
    return found


def _is_cache(config: Mapping[str, Any], key: str) -> bool:
    """Whether a folder is where a data set keeps what it has drawn (:class:`~faceuv.data.cached.CachedImages`): running
    fills it, and decides nothing."""
    at: Any = config
    *parents, last = key.split(".")
    for name in parents:
        at = at[int(name)] if isinstance(at, (list, tuple)) else at.get(name, {})
    return last == "folder" and isinstance(at, Mapping) and at.get("type") == "CachedImages"


PATH_KEYS = (
    "path",
    "file",
    "folder",
    "root",
    "weights",
    "regressor",
    "mapper",
    "stepper",
    "direction",
    "discriminator",
    "uv",
)
"""Settings whose value is a file or folder even if it is one bare word."""

LARGEST_FOLDER = 1 << 30
"""Bytes up to which the files of a folder are read; beyond it, names, sizes and times of change stand for them."""

MOST_FILES = 200_000


def named_path(key: str, value: Any) -> Path | None:
    """The existing file or folder that a config's value names: a path, one of the zoo, an asset.

    A bare word, without a suffix or a folder, is one only under keys such as ``path``.
    """
    if not isinstance(value, str) or not value or "{" in value or "\n" in value or "\0" in value or len(value) > 1024:
        return None
    path = locate(value)
    if value.startswith(zoo.PREFIX):
        return path
    if not (path.suffix or "/" in value or os.sep in value or key.rpartition(".")[2] in PATH_KEYS):
        return None
    try:
        return path if path.is_file() or path.is_dir() else None
    except OSError:  # a name that the system does not take
        return None


def contents_hash(path: Path) -> str:
    """SHA-256 of a file's contents, its first 16 digits; of a folder, of the names and contents of all files in it."""
    if path.is_file():
        return sha256_of(path)[:16]
    files: list[Path] = []
    for one in path.rglob("*"):
        if len(files) >= MOST_FILES:
            raise InputError(f"{path} holds more than {MOST_FILES:,} files: name the folder that is meant")
        if one.is_file():
            files.append(one)
    stats = {one.relative_to(path).as_posix(): one.stat() for one in sorted(files)}
    small = sum(stat.st_size for stat in stats.values()) <= LARGEST_FOLDER
    digest = hashlib.sha256()
    for name, stat in stats.items():
        told = sha256_of(path / name) if small else f"{stat.st_size} {stat.st_mtime_ns}"
        digest.update(f"{name}\0{told}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def fingerprint(description: Description) -> str:
    """16 hexadecimal digits that stand for a description."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changed_keys(old: Description, new: Description) -> list[str]:
    """The keys in which two descriptions differ, in the order of the new one."""
    return [key for key in dict.fromkeys([*new, *old]) if key not in old or key not in new or old[key] != new[key]]


def reasons(old: Description, new: Description) -> list[str]:
    """What differs between two descriptions, in words."""
    words = []
    for key in changed_keys(old, new):
        if key.startswith(INPUT_KEY):
            name = key.removeprefix(INPUT_KEY)
            words.append(f"its input {name} changed" if key in new and key in old else f"{name} is now an input"
                         if key in new else f"{name} is no input any more")  # fmt: skip
        elif key.startswith(FILE_KEY):
            name = key.removeprefix(FILE_KEY)
            if name not in changed_keys(old, new):
                words.append(f"the contents of {new.get(name, name)} changed")
        else:
            words.append(f"{key}: {_show(old, key)} → {_show(new, key)}")
    return words


def _show(description: Description, key: str) -> str:
    return "absent" if key not in description else str(description[key])[:40]
