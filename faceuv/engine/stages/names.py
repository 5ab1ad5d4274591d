"""The parts that a config names are looked up before hours of work, not after them: names, settings, what they need."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.device import get_device

from faceuv.errors import InputError, MissingDependency, UnknownName, did_you_mean
from faceuv.files.assets import Missing
from faceuv.registry import (
    COEFFICIENT_SOURCES,
    DATA_SAMPLERS,
    DATASETS,
    DIRECTION_FINDERS,
    FACE_MODELS,
    FIT_STEPS,
    GENERATORS,
    HOOKS,
    LANDMARK_DETECTORS,
    LOSSES,
    METRICS,
    MODELS,
    OPTIMIZERS,
    RENDERERS,
    SUBJECTS,
    Registry,
)

# key of a config → where the part under it, or each part of the list under it, is registered
_PARTS: dict[str, Registry] = {
    "model": MODELS,
    "network": MODELS,
    "features": MODELS,
    "discriminator": MODELS,
    "dataset": DATASETS,
    "sampler": DATA_SAMPLERS,
    "generator": GENERATORS,
    "teacher": GENERATORS,
    "renderer": RENDERERS,
    "face_model": FACE_MODELS,
    "fit_model": FACE_MODELS,
    "detector": LANDMARK_DETECTORS,
    "finder": DIRECTION_FINDERS,
    "source": COEFFICIENT_SOURCES,
    "schedule": FIT_STEPS,
    "optimizer": OPTIMIZERS,
    "val_evaluator": METRICS,
    "test_evaluator": METRICS,
    "custom_hooks": HOOKS,
}
_BY_NAME = (RENDERERS, FACE_MODELS, LANDMARK_DETECTORS)  # that a bare string names as well
# key of a dict whose every entry is a part
_GROUPS: dict[str, Registry] = {"losses": LOSSES, "default_hooks": HOOKS, "subjects": SUBJECTS}


@dataclass(frozen=True)
class _Part:
    """A part as a config names it; ``where`` says at which key."""

    registry: Registry
    name: str
    settings: Mapping[str, Any]
    where: str

    def look_up(self) -> Any:
        """The class or function; the error says where it was named."""
        try:
            return self.registry.get(self.name)
        except UnknownName as error:
            raise UnknownName(f"{self.where}: {error}") from error


def check_names(config: Any, where: str) -> None:
    """Every part under a key that says what it is must be registered, take the settings that it is given, and, if it
    is a renderer, be able to draw here; the error says where it stands."""
    for named in _parts(config, where):
        part = named.look_up()
        if hasattr(part, "check_config"):  # first: it knows what a setting of an older version is called now
            try:
                part.check_config(named.settings)
            except InputError as error:
                raise InputError(f"{named.where}: {error}") from error
        _check_settings(named, part)
        if named.registry is RENDERERS:
            _check_renderer(named, part)


def missing_assets(config: Any, where: str) -> list[Missing]:
    """What the parts of a config need of the user's and have not got."""
    found: dict[Missing, None] = {}
    for named in _parts(config, where):
        part = named.look_up()
        if hasattr(part, "missing_assets"):
            found |= dict.fromkeys(part.missing_assets(**named.settings))
    return list(found)


def _parts(config: Any, where: str, key: str = "") -> Iterator[_Part]:
    last = key.rpartition(".")[2]
    registry = _PARTS.get(last)
    if isinstance(config, Mapping):
        if last in _GROUPS:
            yield from _group(config, where, key)
            return
        if registry is not None:
            yield from _one(registry, config, f"{where}, {key}")
        for name, value in config.items():
            yield from _parts(value, where, f"{key}.{name}" if key else str(name))
    elif isinstance(config, str) and registry in _BY_NAME and registry is not None:
        yield _Part(registry, config, {}, f"{where}, {key}")
    elif isinstance(config, list):
        for index, value in enumerate(config):
            if registry is not None:
                yield from _one(registry, value, f"{where}, {key}.{index}")
            yield from _parts(value, where, f"{key}.{index}")


def _group(config: Mapping[str, Any], where: str, key: str) -> Iterator[_Part]:
    """Named parts of one kind; their names say nothing else ("discriminator" is a loss among losses)."""
    registry = _GROUPS[key.rpartition(".")[2]]
    for name, value in config.items():
        full = f"{key}.{name}"
        if value is None:
            continue
        if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
            raise InputError(
                f"{where}, {full}: a {registry.name} is dict(type=…), or None to switch it off; got {value!r}"
            )
        yield from _one(registry, value, f"{where}, {full}")
        for setting, inner in value.items():
            yield from _parts(inner, where, f"{full}.{setting}")


def _one(registry: Registry, value: Any, where: str) -> Iterator[_Part]:
    if isinstance(value, Mapping) and isinstance(value.get("type"), str):
        beside = ("type", "weight") if registry is LOSSES else ("type",)
        yield _Part(registry, value["type"], {k: v for k, v in value.items() if k not in beside}, where)


def _check_settings(named: _Part, part: Any) -> None:
    try:
        parameters = inspect.signature(part).parameters
    except ValueError:  # something built in, which does not tell
        return
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in named.settings:
        if name not in parameters:
            raise InputError(
                f"{named.where}: {named.name} has no setting {name!r}; it has"
                f" {', '.join(parameters)}{did_you_mean(name, parameters)}"
            )


def _check_renderer(named: _Part, part: Any) -> None:
    try:
        part.check_installed()
    except MissingDependency as error:
        raise MissingDependency(f"{named.where}: {error}") from error
    if not part.available(get_device()):
        raise MissingDependency(
            f"{named.where}: the renderer {named.name!r} cannot draw on {get_device()!r} here (faceuv doctor says why);"
            " 'torch' can"
        )
