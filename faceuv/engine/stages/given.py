"""Whether stages give what later ones read: the files that a config names, and enough samples for each data loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from faceuv.engine.stages.base import Stage
from faceuv.engine.stages.references import PLACE, strings
from faceuv.errors import InputError, did_you_mean
from faceuv.registry import DATASETS, STAGES

LEAST = 2
"""Samples of a data loader: statistics of one say nothing."""


def check_files(name: str, config: Mapping[str, Any], stages: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise for a path ``{stage}/FILE`` in the config of the stage ``name`` that ``stage`` does not leave there.

    Args:
        stages: name → config of every stage.
    """
    for key, value in strings(config):
        found = PLACE.fullmatch(value)
        if found is None or found["file"] is None or found["stage"] not in stages:
            continue
        settings = stages[found["stage"]]
        leaves = _class(settings).leaves(settings)
        if leaves is None or any(fnmatchcase(found["file"], one) for one in leaves):
            continue
        raise InputError(
            f"the stage {name!r}, {key}: the stage {found['stage']!r} leaves no file {found['file']!r}; it leaves"
            f" {', '.join(leaves)}{did_you_mean(found['file'], leaves)}"
        )


def check_samples(name: str, config: Mapping[str, Any], stages: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise for a data loader of the stage ``name`` that reads more samples at a time than an earlier stage makes."""
    for kind in ("train", "val", "test"):
        loader = config.get(f"{kind}_dataloader")
        if not isinstance(loader, Mapping):
            continue
        for dataset in _datasets(loader):
            part = DATASETS.get(dataset["type"])
            found = PLACE.fullmatch(str(dataset.get("folder")))
            if found is None or found["stage"] not in stages or not hasattr(part, "rows_of"):
                continue
            settings = stages[found["stage"]]
            samples = _class(settings).samples_of(settings)
            if samples is None:
                continue
            where, made = f"the stage {name!r}, {kind}_dataloader", f"the {samples:,} samples of {found['stage']!r}"
            try:
                rows = part.rows_of(dataset, samples)
            except InputError as error:
                raise InputError(f"{where}.dataset: {error}") from error
            batch = loader.get("batch_size", 1) if kind == "train" else 1
            if rows < max(batch, LEAST):
                raise InputError(
                    f"{where}: it has {rows:,} of {made}, and needs {max(batch, LEAST):,}"
                    f"{f' for batch_size={batch}' if batch > LEAST else ''}: raise {found['stage']}.count"
                    f"{', or lower batch_size' if rows >= LEAST else ''}"
                )


def _class(settings: Mapping[str, Any]) -> type[Stage]:
    found: type[Stage] = STAGES.get(settings["type"])
    return found


def _datasets(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A loader's dataset, and those within it."""
    dataset = config.get("dataset")
    if isinstance(dataset, Mapping) and isinstance(dataset.get("type"), str):
        yield dataset
        yield from _datasets(dataset)
