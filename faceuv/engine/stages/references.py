"""References to files of other stages and of the zoo: ``"{fits}"``, ``"zoo:regressor/weights…"``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceuv.checks import shown
from faceuv.errors import InputError, did_you_mean
from faceuv.files import zoo
from faceuv.files.locate import locate

_REFERENCE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
PLACE = re.compile(r"\{(?P<stage>[A-Za-z_][A-Za-z0-9_]*)\}(?:/(?P<file>.+))?")
"""The folder of a stage, or a file in it."""


def referenced(config: Any) -> list[str]:
    """The stages that a config points at, in the order in which they are met."""
    if isinstance(config, Mapping):
        return list(dict.fromkeys(name for value in config.values() for name in referenced(value)))
    if isinstance(config, Sequence) and not isinstance(config, str):
        return list(dict.fromkeys(name for value in config for name in referenced(value)))
    return _REFERENCE.findall(config) if isinstance(config, str) else []


def resolve(config: Any, folders: Mapping[str, Path]) -> Any:
    """``config`` with every ``{stage}`` replaced by that stage's folder, and ``zoo:…`` by the path of the file."""
    if isinstance(config, Mapping):
        return {key: resolve(value, folders) for key, value in config.items()}
    if isinstance(config, Sequence) and not isinstance(config, str):
        return [resolve(value, folders) for value in config]
    if not isinstance(config, str):
        return config
    if config.startswith(zoo.PREFIX):
        return str(locate(config))
    return _REFERENCE.sub(lambda match: str(folders[match[1]]), config)


def inputs_of(name: str, config: Mapping[str, Any], earlier: Sequence[str], every: Sequence[str]) -> list[str]:
    """The inputs of a stage: what its config points at, and what it lists in ``inputs``; all must come before it."""
    listed = config.get("inputs", ())
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise InputError(f"the stage {name!r}: inputs must be a list of stages, inputs=['fits'], got {shown(listed)}")
    wanted = list(dict.fromkeys([*config.get("inputs", ()), *referenced(config)]))
    for other in wanted:
        if other in earlier:
            continue
        if other in every:
            raise InputError(f"the stage {name!r} needs {other!r}, which comes after it: change the order of stages")
        raise InputError(
            f"the stage {name!r} needs {other!r}, which is no stage; the stages are"
            f" {', '.join(every)}{did_you_mean(other, every)}"
        )
    return wanted


def strings(config: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a config, with its key."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            yield from strings(value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from strings(value, f"{key}.{index}")
    elif isinstance(config, str):
        yield key, config
