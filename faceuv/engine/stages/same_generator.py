"""Whether all networks of a recipe are for one generator: the rows and width of its codes, the size of its pictures.

Only headers of files are read, so that a mapper of another teacher is told when the plan is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceuv.engine.stages.references import referenced
from faceuv.errors import InputError
from faceuv.files import assets, zoo
from faceuv.files.locate import locate
from faceuv.files.networks import file_facts
from faceuv.models.stylegan2.channels import style_layers
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
    """What a stage's config says of the generator; a contradiction is an error that names both sides.

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
                    f"the stage {stage!r} mixes two generators: {known.said_by} is for {words.format(known.value)},"
                    f" {said_by} for {words.format(value)}. Take networks that were trained for one generator, or leave"
                    " them to the recipe's stages"
                )

    for name in [*config.get("inputs", ()), *referenced(config)]:
        for fact, known in made.get(name, {}).items():
            add({fact: known.value}, f"the stage {name!r} ({known.said_by})")
    for key, value in _leaves(config):
        if value is None:
            continue
        if isinstance(value, Mapping):
            add(_described(value), key)
        elif value.startswith((zoo.PREFIX, assets.PREFIX)) or ("{" not in value and value.endswith((SUFFIX, ".pt"))):
            add(facts_of(locate(value)), f"{key} ({value})")
        elif value.endswith(SUFFIX) and set(referenced(value)) <= set(kept):
            path = Path(value.format(**{name: str(folder) for name, folder in kept.items()}))
            if path.is_file():
                add(facts_of(path), f"{key} ({path})")
    return facts


def facts_of(path: Path) -> dict[str, int]:
    """What a file of weights says of the generator that it is, or is for; nothing if it is of another kind."""
    if path.suffix != SUFFIX:
        return peek(path) if path.is_file() else {}
    return file_facts(path).known()


def _described(config: Mapping[str, Any]) -> dict[str, int]:
    """Of a generator that is described instead of read: ``dict(type="StyleGAN2Generator", size=64, code_dim=128)``."""
    size, width = config["size"], config.get("code_dim", 512)
    return {"num_layers": style_layers(size), "code_dim": width, "size": size}


def _leaves(config: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Strings, and the configs of new generators, with their keys."""
    if isinstance(config, Mapping):
        if config.get("type") == "StyleGAN2Generator" and isinstance(config.get("size"), int):
            yield key, config
        for name, value in config.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from _leaves(value, f"{key}.{index}")
    elif isinstance(config, str):
        yield key, config
