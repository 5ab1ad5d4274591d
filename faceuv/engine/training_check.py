"""What can be known to be wrong with a training's config before its model, data and optimisers are built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop, ValLoop
from torch.utils.data import DataLoader

from faceuv.checks import shown
from faceuv.engine.compat.optim import PRECISIONS, OptimWrapper
from faceuv.engine.config_ranges import check_ranges
from faceuv.engine.config_types import check_arguments, mismatch
from faceuv.engine.runner_settings import check_runner_settings
from faceuv.engine.stages.names import check_names
from faceuv.errors import InputError, UnknownName, did_you_mean
from faceuv.models.base.method import BaseMethod
from faceuv.registry import FUNCTIONS, HOOKS, LOOPS, MODELS, OPTIM_WRAPPERS

_LOADER_KEYS = (set(inspect.signature(DataLoader.__init__).parameters) - {"self"}) | {"num_batch_per_epoch"}
_BUILT_IN = ("runner", "dataloader", "evaluator")  # arguments of a loop that the runner gives
_RANDOMNESS = ("seed", "diff_rank_seed", "deterministic")


def check_training(config: Mapping[str, Any], where: str) -> None:
    """Raise for misspelt or wrongly typed settings anywhere in a training's config, and for parts that do not go
    together: an evaluation of a model that predicts nothing, sheets of one that shows nothing, a missing device.

    Args:
        config: plain dicts and lists.
        where: begins the error: ``"the stage 'uv'"``.
    """
    required = ("model", "train_cfg", "train_dataloader", "optim_wrapper")
    if missing := [key for key in required if config.get(key) is None]:
        raise InputError(f"{where} does not set {', '.join(missing)}; it has {', '.join(config)}")
    for key in required:
        if not isinstance(config.get(key), Mapping):
            raise InputError(f"{where}: {key} must be a dict, got {shown(config.get(key))}")
    if not isinstance(config["model"].get("type"), str):
        raise InputError(f"{where}: model needs a type, model=dict(type=…), got {shown(config['model'])}")
    check_runner_settings(config, where)
    check_names({key: value for key, value in config.items() if key not in ("stages",)}, where)
    check_randomness(config.get("randomness"), where)
    check_ranges(config, where)
    _check_loops(config, where)
    for kind in ("train", "val", "test"):
        _check_loader(config.get(f"{kind}_dataloader"), f"{where}, {kind}_dataloader")
    _check_batch(config["train_dataloader"], f"{where}, train_dataloader")
    model = MODELS.get(config["model"]["type"])
    networks = model.networks_of(config["model"]) if hasattr(model, "networks_of") else ()
    _check_optimisers(config, networks, where)
    _check_hooks(config, model, networks, where)


def _check_loops(config: Mapping[str, Any], where: str) -> None:
    loop = config["train_cfg"]
    if "type" in loop:
        part = _known(LOOPS, loop["type"], f"{where}, train_cfg")
        check_arguments(part, loop["type"], _rest(loop, "type"), f"{where}, train_cfg", allowed=_BUILT_IN)
    else:
        by_epoch = bool(loop.get("by_epoch", "max_epochs" in loop))
        part, count = (EpochBasedTrainLoop, "max_epochs") if by_epoch else (IterBasedTrainLoop, "max_iters")
        check_arguments(part, "train_cfg", _rest(loop, "by_epoch"), where, allowed=_BUILT_IN)
        if count not in loop:
            raise InputError(f"{where}: train_cfg needs max_iters=N, or by_epoch=True, max_epochs=N; got {shown(loop)}")
    for kind, part in (("val", ValLoop), ("test", TestLoop)):
        settings = {name: config.get(f"{kind}_{name}") for name in ("cfg", "dataloader", "evaluator")}
        lacking = [f"{kind}_{name}" for name, value in settings.items() if value is None]
        if 0 < len(lacking) < 3:
            raise InputError(
                f"{where}: {kind}_cfg, {kind}_dataloader and {kind}_evaluator belong together, and"
                f" {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not set: set all three, or none"
            )
        if isinstance(settings["cfg"], Mapping) and "type" not in settings["cfg"]:
            check_arguments(part, f"{kind}_cfg", settings["cfg"], where, allowed=_BUILT_IN)
        elif settings["cfg"] is not None and not isinstance(settings["cfg"], Mapping):
            raise InputError(f"{where}: {kind}_cfg must be a dict, got {shown(settings['cfg'])}")


def _check_loader(loader: Any, where: str) -> None:
    if loader is None:
        return
    if not isinstance(loader, Mapping):
        raise InputError(f"{where} must be a dict, got {shown(loader)}")
    for key in loader:
        if key not in _LOADER_KEYS:
            raise InputError(f"{where} has no setting {key!r}{did_you_mean(str(key), _LOADER_KEYS)}")
    lacking = [key for key in ("dataset", "sampler") if key not in loader and "batch_sampler" not in loader]
    lacking += [] if "batch_size" in loader or "batch_sampler" in loader else ["batch_size"]
    if lacking:
        raise InputError(f"{where} does not set {', '.join(lacking)}; it has {', '.join(loader)}")
    for key, kind in (("batch_size", int), ("num_workers", int), ("drop_last", bool), ("pin_memory", bool)):
        wrong = mismatch(loader[key], kind) if key in loader else None
        if wrong is not None:
            raise InputError(f"{where}.{key} must be {wrong}, got {shown(loader[key])}")
    for key in ("dataset", "sampler"):
        if key in loader and not (isinstance(loader[key], Mapping) and isinstance(loader[key].get("type"), str)):
            raise InputError(f"{where}.{key} must be a dict(type=…), got {shown(loader[key])}")
    collate = loader.get("collate_fn")
    if isinstance(collate, Mapping):
        _known(FUNCTIONS, collate.get("type"), f"{where}.collate_fn")


def _check_batch(loader: Mapping[str, Any], where: str) -> None:
    """A batch must not hold the same sample twice. (A plan knows the lengths of stages' samples, too.)"""
    dataset, batch = loader.get("dataset"), loader.get("batch_size")
    while isinstance(dataset, Mapping):
        length = dataset.get("length")
        if isinstance(length, int) and isinstance(batch, int) and length < batch:
            raise InputError(f"{where}: batch_size={batch:,} is more than the dataset has, length={length:,}")
        dataset = dataset.get("dataset")


def _check_optimisers(config: Mapping[str, Any], networks: Sequence[str], where: str) -> None:
    wrapper = config["optim_wrapper"]
    if wrapper.get("constructor") != "OptimizerPerModule":
        _check_optimiser(wrapper, f"{where}, optim_wrapper", more=("constructor", "paramwise_cfg"))
        return
    each = _rest(wrapper, "constructor")
    for name, one in each.items():
        if networks and name not in networks:
            raise InputError(
                f"{where}, optim_wrapper names {name!r}; {config['model']['type']} trains {', '.join(networks)}"
                f"{did_you_mean(name, networks)}"
            )
        _check_optimiser(one, f"{where}, optim_wrapper.{name}", more=("rates",))
    if lacking := [name for name in networks if name not in each]:
        raise InputError(
            f"{where}, optim_wrapper has no optimiser for {' and '.join(lacking)}, which {config['model']['type']}"
            " trains"
        )
    schedules = config.get("param_scheduler")
    if isinstance(schedules, Mapping) and "type" not in schedules:
        for name in schedules:
            if name not in each:
                raise InputError(f"{where}, param_scheduler names {name!r}, the optimisers are {', '.join(each)}")


def _check_optimiser(config: Any, where: str, *, more: Sequence[str]) -> None:
    if not isinstance(config, Mapping) or not isinstance(config.get("optimizer"), Mapping):
        raise InputError(f"{where} must be dict(optimizer=dict(type=…, lr=…)), got {shown(config)}")
    if not isinstance(config["optimizer"].get("type"), str):
        raise InputError(f"{where}.optimizer needs a type, such as 'Adam'; got {shown(config['optimizer'])}")
    kind = config.get("type", "OptimWrapper")
    part = OptimWrapper if kind == "OptimWrapper" else _known(OPTIM_WRAPPERS, kind, where)
    check_arguments(part, kind, _rest(config, "type"), where, allowed=("optimizer", *more))
    precision = config.get("precision", "float32")
    if part is OptimWrapper and precision not in PRECISIONS:
        raise InputError(f"{where}.precision must be one of {', '.join(PRECISIONS)}, got {shown(precision)}")
    if precision == "float16" and not torch.cuda.is_available():
        raise InputError(f"{where}: float16 training needs a GPU, and CUDA finds none here: use precision='bfloat16'")


def _check_hooks(config: Mapping[str, Any], model: Any, networks: Sequence[str], where: str) -> None:
    if not isinstance(config.get("custom_hooks") or [], (list, tuple)):
        raise InputError(f"{where}: custom_hooks must be a list of dict(type=…), got {shown(config['custom_hooks'])}")
    hooks = [hook for hook in config.get("custom_hooks") or [] if isinstance(hook, Mapping)]
    for hook in hooks:
        part = HOOKS.get(hook["type"])
        for method in getattr(part, "needs", ()):
            if not _implements(model, method):
                raise InputError(
                    f"{where}: the hook {hook['type']} needs {model.__name__}.{method}, which it does not have: write"
                    " it, or remove the hook from custom_hooks"
                )
        if hook["type"] == "GeneratorEMA":
            for name in hook.get("modules", ("generator",)):
                if networks and name not in networks:
                    raise InputError(
                        f"{where}: GeneratorEMA.modules names {name!r}; {model.__name__} trains {', '.join(networks)}"
                        f"{did_you_mean(str(name), networks)}"
                    )
                if name in getattr(model, "critics", ()):
                    raise InputError(
                        f"{where}: GeneratorEMA.modules names {name!r}, which only judges: nothing reads an average of"
                        f" it; average {', '.join(one for one in networks if one not in model.critics) or 'another'}"
                    )
    if config.get("val_evaluator") is not None and not _implements(model, "forward"):
        raise InputError(
            f"{where}: {model.__name__} has no forward(data), so it cannot be evaluated: leave val_evaluator, val_cfg"
            " and val_dataloader out"
        )


def _implements(model: Any, method: str) -> bool:
    """Whether a class has a method of its own, not the one that :class:`BaseMethod` only promises."""
    found = getattr(model, method, None)
    promised = getattr(BaseMethod, method, None)
    return callable(found) and (found is not promised or not inspect.isclass(model))


def check_randomness(config: Any, where: str) -> None:
    """Raise for a ``randomness`` that is not ``dict(seed=…)``."""
    if config is None:
        return
    if not isinstance(config, Mapping):
        raise InputError(f"{where}: randomness must be dict(seed=…), got {shown(config)}")
    for key in config:
        if key not in _RANDOMNESS:
            raise InputError(f"{where}: randomness has no setting {key!r}{did_you_mean(str(key), _RANDOMNESS)}")
    check_seed(config.get("seed"), f"{where}: randomness.seed")
    for key in ("diff_rank_seed", "deterministic"):
        if not isinstance(config.get(key, False), bool):
            raise InputError(f"{where}: randomness.{key} must be True or False, got {shown(config[key])}")


def check_seed(seed: Any, where: str) -> None:
    """Raise unless ``seed`` is None or a whole number that every random generator takes."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32):
        raise InputError(f"{where} must be a whole number from 0 to {2**32 - 1:,}, got {shown(seed)}")


def _known(registry: Any, name: Any, where: str) -> Any:
    try:
        return registry.get(name)
    except UnknownName as error:
        raise UnknownName(f"{where}: {error}") from error


def _rest(config: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in without}
