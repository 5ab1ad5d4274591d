"""What a stage's outputs depend on, as a flat description, and the fingerprint of it.

Two descriptions can be compared key by key, so that a stale stage can say *which* setting changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceuv.errors import InputError
from faceuv.files import assets, zoo
from faceuv.files.artefacts import sha256_of

Description = dict[str, Any]
"""Dotted key → number, string, bool or None."""

FILE, INPUT = "file:", "input:"


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

    Files that the config names count by their contents: their keys are followed by ``file:<key>``.

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
        path = named_file(value)
        if path is not None:
            found[FILE + key] = contents_hash(path)
    found |= {INPUT + name: fingerprint for name, fingerprint in (inputs or {}).items()}
    return found


def named_file(value: Any) -> Path | None:
    """The existing file that a config's value names: with a suffix, in the zoo (``zoo:entry/file``), or an asset."""
    if not isinstance(value, str) or "{" in value or "\n" in value or len(value) > 1024:
        return None
    if value.startswith(zoo.PREFIX):
        return zoo.locate(value)
    path = assets.locate(value)
    return path if path.suffix and path.is_file() else None


def contents_hash(path: Path) -> str:
    """SHA-256 of a file's contents, its first 16 digits."""
    return sha256_of(path)[:16]


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
        if key.startswith(INPUT):
            name = key.removeprefix(INPUT)
            words.append(f"its input {name} changed" if key in new and key in old else f"{name} is now an input"
                         if key in new else f"{name} is no input any more")  # fmt: skip
        elif key.startswith(FILE):
            name = key.removeprefix(FILE)
            if name not in changed_keys(old, new):
                words.append(f"the contents of {new.get(name, name)} changed")
        else:
            words.append(f"{key}: {_show(old, key)} → {_show(new, key)}")
    return words


def _show(description: Description, key: str) -> str:
    return "absent" if key not in description else str(description[key])[:40]
