"""Settings of a training with which it does as little as it can: one step and one evaluation, on a few samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faceuv.engine.config_types import parameters_of
from faceuv.registry import DATASETS, MODELS

FEW = 4
"""Fits and samples of a dataset in a rehearsal."""
BATCH = 2  # as many as statistics over a batch need
NEVER = 2**40


def small_training(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a training, with ``{stage}`` in it or not, for one iteration (or an epoch of few samples), one
    evaluation and sheets of one picture; networks, losses, optimisers and metrics are as they were."""
    small = dict(config)
    loop = {key: value for key, value in config["train_cfg"].items() if key not in ("val_begin", "dynamic_intervals")}
    by_epoch = loop.get("by_epoch", "max_epochs" in loop) or "Epoch" in loop.get("type", "")
    small["train_cfg"] = {**loop, "max_epochs" if by_epoch else "max_iters": 1, "val_interval": 1}
    if config.get("param_scheduler"):
        small["param_scheduler"] = _from_the_first(config["param_scheduler"])
    for kind in ("train", "val", "test"):
        if isinstance(config.get(f"{kind}_dataloader"), Mapping):
            small[f"{kind}_dataloader"] = _small_loader(config[f"{kind}_dataloader"])
    hooks = config.get("default_hooks") or {}
    if isinstance(hooks.get("checkpoint"), Mapping):
        kept = not hasattr(MODELS.get(config["model"]["type"]), "export")  # it is all that such a stage leaves
        checkpoint = {**hooks["checkpoint"], "interval": NEVER, "save_last": kept}
        small["default_hooks"] = {**hooks, "checkpoint": checkpoint}
    small["custom_hooks"] = [
        {**hook, "interval": 1, "count": 1} if hook.get("type") == "ImageSheets" else hook
        for hook in config.get("custom_hooks") or []
    ]
    return small


def _from_the_first(schedulers: Any) -> Any:
    """Without those that begin after the one step: their end would lie before their begin."""
    if isinstance(schedulers, Mapping) and "type" not in schedulers:  # of several optimisers
        return {name: _from_the_first(each) for name, each in schedulers.items()}
    each = [schedulers] if isinstance(schedulers, Mapping) else list(schedulers)
    return [scheduler for scheduler in each if not scheduler.get("begin")]


def _small_loader(loader: Mapping[str, Any]) -> dict[str, Any]:
    small = dict(loader)
    if loader.get("num_workers"):  # its processes would take longer to start than all the rest
        small["num_workers"] = 0
        for key in ("persistent_workers", "prefetch_factor", "multiprocessing_context", "timeout"):
            small.pop(key, None)
    if "batch_size" in small:
        small["batch_size"] = min(small["batch_size"], BATCH)
    if isinstance(small.get("dataset"), Mapping):
        small["dataset"] = _small_dataset(small["dataset"])
    return small


def _small_dataset(dataset: Mapping[str, Any]) -> dict[str, Any]:
    known = parameters_of(DATASETS.get(dataset["type"])) or {}
    small = dict(dataset)
    for name in ("length", "limit"):
        if name in known:
            small[name] = min(small.get(name) or FEW, FEW)
    if "held_out" in known:  # some for training, some for evaluation
        small["held_out"] = 2
    if "max_yaw_deg" in known:  # none of the few may be turned so little
        small.pop("max_yaw_deg", None)
    if "workers" in known:
        small["workers"] = 0
    if isinstance(small.get("dataset"), Mapping):
        small["dataset"] = _small_dataset(small["dataset"])
    return small
