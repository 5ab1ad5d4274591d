"""YAML and JSON configs are data: they are read by safe loaders, name registered parts, and import nothing.

A ``.py`` config is code that runs when it is read. A data config may come from anybody, so that what MMEngine would run
for it (YAML tags, ``custom_imports``, dotted names, a ``.py`` file as ``_base_``) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from faceuv.checks import one_line, shown
from faceuv.errors import FaceUVError, InputError
from faceuv.files.artefacts import read_json

SUFFIXES = (".yaml", ".yml", ".json")
SCOPES = ("faceuv", "mmengine")
MOST_VALUES = 100_000  # aliases of YAML let a few lines stand for billions
DEEPEST = 50
_BASE = "_base_"


class SafeLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe loader; a tag that would build an object is an error that says so."""


def is_data(path: Path) -> bool:
    """Whether a config file is data and not code."""
    return path.suffix.lower() in SUFFIXES


def check_data_config(path: Path, _above: tuple[Path, ...] = ()) -> None:
    """Raise unless a data config and all that it inherits from hold plain values and names of registered parts."""
    path = path.resolve()
    if path in _above:
        raise InputError(f"the config {_above[0]} inherits from itself: {' → '.join(p.name for p in (*_above, path))}")
    config = _read(path)
    if not isinstance(config, Mapping):
        raise InputError(f"the config {path} must be a mapping of keys to values, found {shown(config)}")
    for place, value in _walk(config, path):
        if isinstance(value, Mapping):
            _check_mapping(value, place, path)
    if config.get("custom_imports"):
        raise InputError(
            f"the config {path} has custom_imports, which run code; a {path.suffix} config is data: use a .py"
            " config, or a plug-in package with the entry point faceuv.plugins"
        )
    if config.get("default_scope", "faceuv") != "faceuv":
        raise InputError(f"the config {path}: default_scope must be 'faceuv', got {shown(config['default_scope'])}")
    bases = config.get(_BASE, [])
    for base in bases if isinstance(bases, list) else [bases]:
        _check_base(base, path, (*_above, path))


def _read(path: Path) -> Any:
    if path.suffix.lower() == ".json":
        try:
            return read_json(path)
        except FaceUVError as error:
            raise InputError(f"cannot read the config: {error}") from error
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=SafeLoader)
    except yaml.constructor.ConstructorError as error:
        raise InputError(
            f"the config {path} has a YAML tag that builds an object ({one_line(error.problem)}): refused, nothing was"
            " run. Write plain values, or a .py config"
        ) from error
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"cannot read the config {path}: {type(error).__name__}: {one_line(error)}") from error


def _walk(config: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Every value with its place; bounded, because shared values are met as often as they are named."""
    todo: list[tuple[str, Any, int]] = [("", config, 0)]
    met = 0
    while todo:
        place, value, depth = todo.pop()
        met += 1
        if met > MOST_VALUES or depth > DEEPEST:
            raise InputError(
                f"the config {path} unfolds to more than {MOST_VALUES:,} values or {DEEPEST} levels: refused;"
                " a recipe has some hundred"
            )
        yield place, value
        if isinstance(value, Mapping):
            todo += [(f"{place}.{key}" if place else str(key)[:40], item, depth + 1) for key, item in value.items()]
        elif isinstance(value, list):
            todo += [(f"{place}.{index}", item, depth + 1) for index, item in enumerate(value)]


def _check_mapping(value: Mapping[Any, Any], place: str, path: Path) -> None:
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"the config {path}: keys are texts, found {shown(key)}{' in ' + place if place else ''}")
    if "_scope_" in value:
        raise InputError(f"the config {path}: {place or 'it'} has _scope_, which a data config may not set; remove it")
    named = value.get("type")
    scope, _, name = named.rpartition(".") if isinstance(named, str) else ("", "", "")
    if scope and (scope not in SCOPES or not re.fullmatch(r"\w+", name)):
        raise InputError(
            f"the config {path}: {place}.type = {shown(named)} is a dotted name, which would be imported: refused."
            " Name a registered part (faceuv list), or use a .py config, which is code"
        )


def _check_base(base: Any, path: Path, above: tuple[Path, ...]) -> None:
    if not isinstance(base, str):
        raise InputError(f"the config {path}: {_BASE} must name files, found {shown(base)}")
    if re.fullmatch(r"(\w+)::.+", base):
        return  # a recipe of an installed package, which is code that the user installed
    target = path.parent / base
    if not is_data(target):
        raise InputError(
            f"the config {path} inherits from {shown(base)}, which is code; a {path.suffix} config inherits from"
            " data, or from a recipe of an installed package ('faceuv::stylefaceuv_64.py')"
        )
    if not target.is_file():
        raise InputError(f"the config {path} inherits from {target}, which does not exist")
    check_data_config(target, above)
