"""Checks the parts that a config names before a run: names, settings, and the files that they need.

The registries declare which key holds which kind of part (``Registry(keys=…, groups=…)``); parts declare the keys of
their own settings (a class attribute ``part_keys = {"judge": METRICS}``), plug-ins too. A part may also offer

- ``check_config(settings)``, a class method that raises for settings that do not go together;
- ``check_installed()``, a class method that raises :class:`~faceuv.errors.MissingDependency` without its package;
- ``missing_assets(**settings)``, what it needs of the user's and has not got;
- ``code_facts(settings)``, what its settings say of the generator: some of ``num_layers``, ``code_dim`` and ``size``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.device import get_device

from faceuv.checks import one_line, shown
from faceuv.engine.config_types import check_arguments
from faceuv.errors import InputError, MissingDependency, UnknownName
from faceuv.files.assets import Missing
from faceuv.registry import RENDERERS, Registry


@dataclass(frozen=True)
class Part:
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
    """Every part under a key that says what it is must be registered, take the settings that it is given with values
    of their types, and, if it is a renderer, be able to draw here; the error says where it stands."""
    for named in parts(config, where):
        part = named.look_up()
        confused = _ask(part, named)  # first: a part knows best what its old settings are called today
        check_arguments(part, named.name, named.settings, named.where, allowed=named.registry.taken)
        if confused is not None:
            told = one_line(f"{type(confused).__name__}: {confused}")
            raise InputError(f"{named.where}: the settings of {named.name} cannot be read ({told})") from confused
        if hasattr(part, "check_installed"):
            _check_installed(named, part)
        device = named.settings.get("device")
        if isinstance(device, str) and device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"{named.where}: device={device!r} needs a GPU, and CUDA finds none here: use 'cpu'")


def _ask(part: Any, named: Part) -> Exception | None:
    """Let a part check its own settings; what it stumbles over is returned, since a wrong type may be the reason."""
    if not hasattr(part, "check_config"):
        return None
    try:
        part.check_config(named.settings)
    except InputError as error:
        raise InputError(f"{named.where}: {error}") from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        return error
    return None


def missing_assets(config: Any, where: str) -> list[Missing]:
    """The missing files and packages of the parts of a config."""
    found: dict[Missing, None] = {}
    for named in parts(config, where):
        part = named.look_up()
        if hasattr(part, "missing_assets"):
            found |= dict.fromkeys(part.missing_assets(**named.settings))
    return list(found)


def parts(config: Any, where: str) -> Iterator[Part]:
    """Every part that a config names, the outer ones before those in their settings."""
    by_key = {key: registry for registry in Registry.every for key in registry.keys}
    groups = {key: registry for registry in Registry.every for key in registry.groups}
    yield from _Walk(where, by_key, groups).below(config, "", {})


@dataclass(frozen=True)
class _Walk:
    where: str
    by_key: Mapping[str, Registry]
    groups: Mapping[str, Registry]

    def below(self, config: Any, key: str, own: Mapping[str, Registry]) -> Iterator[Part]:
        """The parts in ``config``, which stands under ``key`` of something with the part keys ``own``."""
        last = key.rpartition(".")[2]
        registry = own.get(last, self.by_key.get(last))
        if isinstance(config, Mapping):
            if last in self.groups and not _names(config):
                yield from self._group(config, key, self.groups[last])
                return
            inner: Mapping[str, Registry] = {}
            if registry is not None and _names(config):
                part = self._part(registry, config, key)
                yield part
                inner = getattr(part.look_up(), "part_keys", {})
            for name, value in config.items():
                yield from self.below(value, f"{key}.{name}" if key else str(name), inner)
        elif isinstance(config, str) and registry is not None and registry.bare:
            yield Part(registry, config, {}, f"{self.where}, {key}")
        elif isinstance(config, list):
            for index, value in enumerate(config):
                if registry is not None and _names(value):
                    part = self._part(registry, value, f"{key}.{index}")
                    yield part
                    own = getattr(part.look_up(), "part_keys", {})
                    for name, inside in value.items():
                        yield from self.below(inside, f"{key}.{index}.{name}", own)
                else:
                    yield from self.below(value, f"{key}.{index}", {})

    def _group(self, config: Mapping[str, Any], key: str, registry: Registry) -> Iterator[Part]:
        """Named parts of one kind; their names say nothing else ("discriminator" is a loss among losses)."""
        for name, value in config.items():
            full = f"{key}.{name}"
            for place, one in _entries(full, value):
                if one is None:
                    continue
                if not _names(one):
                    raise InputError(
                        f"{self.where}, {place}: a {registry.name} is dict(type=…), or None to switch it off; got"
                        f" {shown(one)}"
                    )
                part = self._part(registry, one, place)
                yield part
                own = getattr(part.look_up(), "part_keys", {})
                for setting, inner in one.items():
                    yield from self.below(inner, f"{place}.{setting}", own)

    def _part(self, registry: Registry, config: Mapping[str, Any], key: str) -> Part:
        settings = {name: value for name, value in config.items() if name != "type" and name not in registry.beside}
        return Part(registry, config["type"], settings, f"{self.where}, {key}")


def _names(config: Any) -> bool:
    return isinstance(config, Mapping) and isinstance(config.get("type"), str)


def _entries(key: str, value: Any) -> list[tuple[str, Any]]:
    return [(f"{key}.{index}", one) for index, one in enumerate(value)] if isinstance(value, list) else [(key, value)]


def _check_installed(named: Part, part: Any) -> None:
    try:
        part.check_installed()
    except MissingDependency as error:
        raise MissingDependency(f"{named.where}: {error}") from error
    if named.registry is RENDERERS and not part.available(get_device()):
        raise MissingDependency(
            f"{named.where}: the renderer {named.name!r} cannot draw on {get_device()!r} here (faceuv doctor says why);"
            " 'torch' can"
        )
