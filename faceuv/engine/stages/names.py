"""Names of parts in a config are checked before hours of work, not after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.device import get_device

from faceuv.errors import MissingDependency, UnknownName
from faceuv.registry import (
    COEFFICIENT_SOURCES,
    DATASETS,
    DIRECTION_FINDERS,
    FACE_MODELS,
    GENERATORS,
    HOOKS,
    LANDMARK_DETECTORS,
    LOSSES,
    METRICS,
    MODELS,
    RENDERERS,
    Registry,
)

# key of a config → where the part under it is registered
_PARTS: dict[str, Registry] = {
    "model": MODELS,
    "dataset": DATASETS,
    "generator": GENERATORS,
    "renderer": RENDERERS,
    "face_model": FACE_MODELS,
    "detector": LANDMARK_DETECTORS,
    "finder": DIRECTION_FINDERS,
    "source": COEFFICIENT_SOURCES,
    "val_evaluator": METRICS,
    "test_evaluator": METRICS,
}


def check_names(config: Any, where: str, key: str = "") -> None:
    """Every ``dict(type=…)`` under a key that says what it is must name a registered part; the error says where."""
    if isinstance(config, Mapping):
        registry = _PARTS.get(key.rpartition(".")[2])
        if registry is not None and isinstance(config.get("type"), str):
            _look_up(registry, config["type"], f"{where}, {key}")
        for name, value in config.items():
            full = f"{key}.{name}" if key else str(name)
            group = key.rpartition(".")[2]
            if group == "losses" and isinstance(value, Mapping) and isinstance(value.get("type"), str):
                _look_up(LOSSES, value["type"], f"{where}, {full}")
            check_names(value, where, full)
    elif isinstance(config, str) and key.rpartition(".")[2] == "renderer":
        _look_up(RENDERERS, config, f"{where}, {key}")
    elif isinstance(config, list):
        registry = HOOKS if key.rpartition(".")[2] == "custom_hooks" else _PARTS.get(key.rpartition(".")[2])
        for index, value in enumerate(config):
            if registry is not None and isinstance(value, Mapping) and isinstance(value.get("type"), str):
                _look_up(registry, value["type"], f"{where}, {key}.{index}")
            check_names(value, where, f"{key}.{index}")


def _look_up(registry: Registry, name: str, where: str) -> None:
    try:
        part = registry.get(name)
    except UnknownName as error:
        raise UnknownName(f"{where}: {error}") from error
    if registry is RENDERERS and not part.available(get_device()):
        raise MissingDependency(
            f"{where}: the renderer {name!r} cannot draw on {get_device()!r} here (faceuv doctor says why); 'torch' can"
        )
