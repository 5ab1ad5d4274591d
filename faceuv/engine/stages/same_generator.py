"""Whether all networks of a recipe are for one generator: the rows and width of its codes, the size of its pictures.

Only headers of files are read, and settings by the parts that they belong to (``code_facts``), so that a mapper of
another teacher, or a space of features for pictures of another size, is an error when the plan is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceuv.engine.stages.fingerprint import named_path
from faceuv.engine.stages.names import parts
from faceuv.engine.stages.references import referenced, strings
from faceuv.errors import AssetError, InputError
from faceuv.files.locate import locate
from faceuv.files.networks import file_facts
from faceuv.models.stylegan2.rosinality import peek

SUFFIX = ".safetensors"
_WORDS = {"num_layers": "L = {}", "code_dim": "D = {}", "size": "{}² pictures"}


@dataclass(frozen=True)
class Fact:
    """One number of a generator, and what says so."""

    value: int
    said_by: str


Facts = dict[str, Fact]
"""Some of ``num_layers`` (L), ``code_dim`` (D) and ``size``."""


def generator_facts(
    config: Mapping[str, Any], stage: str, made: Mapping[str, Facts], kept: Mapping[str, Path]
) -> Facts:
    """The facts about the generator in a stage's config; a contradiction is an error that names both sides.

    Args:
        config: of the stage, with ``{stage}`` and ``zoo:…`` as written.
        made: earlier stage → what it works with, which its outputs are for, be they made yet or not.
        kept: earlier stage that is fresh → its folder, whose files can be looked at.
    """
    facts: Facts = {}

    def add(found: Mapping[str, int], said_by: str) -> None:
        for name, value in found.items():
            known = facts.setdefault(name, Fact(value, said_by))
            if known.value != value:
                words = _WORDS[name]
                raise InputError(
                    f"{stage} mixes two generators: {known.said_by} is for {words.format(known.value)},"
                    f" {said_by} for {words.format(value)}. Take networks that were trained for one generator, or leave"
                    " them to the recipe's stages"
                )

    for name in [*config.get("inputs", ()), *referenced(config)]:
        for fact, known in made.get(name, {}).items():
            add({fact: known.value}, f"the stage {name!r} ({known.said_by})")
    for part in parts(config, ""):
        found = part.look_up()
        if hasattr(found, "code_facts"):
            add(found.code_facts(part.settings), part.where.removeprefix(", "))
    for key, value in strings(config):
        if "{" not in value:
            path = named_path(key, value)
            if path is not None and path.is_file():
                add(facts_of(path), f"{key} ({value})")
            elif path is None and value.endswith(SUFFIX):
                raise AssetError(f"{locate(value)} does not exist ({key} of {stage})")
        elif value.endswith(SUFFIX) and set(referenced(value)) <= set(kept):
            path = Path(value.format(**{name: str(folder) for name, folder in kept.items()}))
            if path.is_file():
                add(facts_of(path), f"{key} ({path})")
    return facts


def facts_of(path: Path) -> dict[str, int]:
    """What a file of weights says of the generator that it is, or is for; nothing if it is of another kind."""
    if path.suffix == SUFFIX:
        return file_facts(path).known()
    return peek(path) if path.suffix == ".pt" else {}
