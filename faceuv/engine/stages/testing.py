"""``faceuv test`` for a recipe with stages: one stage's checkpoint, evaluated as that stage, or the report, would."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from torch import nn

from faceuv.engine.compat.checkpoints import load_weights, read_checkpoint
from faceuv.engine.ema import Averages
from faceuv.engine.report import ReportSettings, make_report
from faceuv.engine.runner import Runner
from faceuv.engine.stages.plan import plain, stage_configs
from faceuv.engine.stages.record import Record
from faceuv.engine.stages.references import inputs_of, referenced, resolve
from faceuv.engine.stages.running import SHARED
from faceuv.errors import AssetError, InputError, did_you_mean
from faceuv.files.paths import user_path
from faceuv.registry import MODELS

TESTS = "test"
"""Below the work dir: what tests write."""


def evaluate_checkpoint(
    config: Config, checkpoint: str | Path, *, only: str | None = None, log: Callable[[str], None] = print
) -> tuple[Path, dict[str, Any]]:
    """Evaluate ``checkpoint`` as a stage of a completed config describes; where that wrote, and the numbers.

    A stage of type ``train`` evaluates its own checkpoint (``.pth``) by its ``test_…`` settings, or its ``val_…`` ones.
    A stage of type ``report`` measures its method by the whole protocol: from an exported file (``.safetensors``), or a
    checkpoint of the training that wrote the method's file.

    Args:
        only: name of the stage; by default the report on the stage in whose folder the checkpoint lies, or that stage
            itself if it can evaluate, else the first report.
    """
    path, root = user_path(checkpoint), Path(config.work_dir)
    if not path.is_file():
        raise AssetError(f"no checkpoint at {path}; give a .pth that training wrote, or the weights that it exported")
    stages = stage_configs(config)
    name = choose(stages, root, path, only)
    settings = {key: value for key, value in stages[name].items() if key not in ("type", "inputs")}
    folder = root / TESTS / name
    if stages[name]["type"] == "report":
        return folder, _report(stages, name, settings, root, folder, path, log)
    _check_made(inputs_of(name, settings, _before(stages, name), list(stages)), root)
    return folder, _trained(config, settings, root, folder, path)


def choose(stages: Mapping[str, Mapping[str, Any]], root: Path, path: Path, only: str | None) -> str:
    """The name of the stage that evaluates the checkpoint ``path``."""
    if only is not None:
        if only not in stages:
            raise InputError(f"--stage {only}: the stages are {', '.join(stages)}{did_you_mean(only, stages)}")
        if not _can(stages[only], path):
            raise InputError(
                f"the stage {only!r} (type {stages[only]['type']!r}) cannot evaluate {path.name}: a 'report' evaluates"
                " its method, a 'train' stage with val_… or test_… settings its own .pth"
            )
        return only
    reports = [name for name, settings in stages.items() if settings["type"] == "report"]
    owner = path.resolve().parent
    for name, settings in stages.items():
        if owner == (root / name).resolve():
            if reported := [one for one in reports if name in referenced(_method_file(stages[one]))]:
                return reported[0]
            if _can(settings, path):
                return name
    if reports:
        return reports[0]
    able = [name for name, settings in stages.items() if _can(settings, path)]
    raise InputError(
        f"which stage should evaluate {path}? Name it with --stage"
        + (f", one of {', '.join(able)}" if able else f"; none of {', '.join(stages)} can")
    )


def _method_file(settings: Mapping[str, Any]) -> str | None:
    """The file of a report's method, as its config names it; None if the method is read from no file."""
    compared = {name: config for name, config in (settings.get("subjects") or {}).items() if config}
    method = settings.get("method") or next(iter(compared), None)
    path = compared.get(method, {}).get("path")
    return path if isinstance(path, str) else None


def _can(settings: Mapping[str, Any], path: Path) -> bool:
    """Whether a stage can evaluate a file of this kind."""
    if settings["type"] == "report":
        return True
    return settings["type"] == "train" and path.suffix == ".pth" and _loop(settings) is not None


def _loop(settings: Mapping[str, Any]) -> str | None:
    """Which settings a training is evaluated by."""
    return next((kind for kind in ("test", "val") if settings.get(f"{kind}_evaluator") is not None), None)


def _before(stages: Mapping[str, Any], name: str) -> list[str]:
    return list(stages)[: list(stages).index(name)]


def _check_made(names: list[str], root: Path) -> None:
    """The stages that are read must be complete."""
    for name in names:
        record = Record.read(root / name)
        if record is None or not record.complete:
            state = "missing" if record is None else "not finished"
            raise AssetError(f"{root / name} is {state}, and the evaluation reads it: run it with faceuv train CONFIG")


def _trained(config: Config, settings: Mapping[str, Any], root: Path, folder: Path, path: Path) -> dict[str, Any]:
    """A training's own evaluation."""
    kind = _loop(settings)
    found = resolve(plain(settings), {name: root / name for name in referenced(settings)})
    keys = ("model", "custom_hooks")
    chosen = {key: found[key] for key in keys if key in found} | {
        f"test_{part}": found.get(f"{kind}_{part}", {}) for part in ("cfg", "dataloader", "evaluator")
    }
    shared = plain({key: config[key] for key in SHARED if key in config})
    shared |= {key: found[key] for key in SHARED if key in found}
    place = {"work_dir": str(folder), "load_from": str(path), "resume": False, "experiment_name": folder.name}
    randomness = plain(config.randomness)
    return dict(
        Runner.from_cfg(
            Config({"default_scope": "faceuv", **shared, **chosen, **place, "randomness": randomness})
        ).test()
    )


def _report(
    stages: Mapping[str, Any],
    name: str,
    settings: dict[str, Any],
    root: Path,
    folder: Path,
    path: Path,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """The report's numbers of its method, with another file in the place of the method's."""
    method = ReportSettings(**settings).method_name
    config, reference = settings["subjects"][method], _method_file(settings)
    if reference is None:
        raise InputError(
            f"the report's method {method!r} (type {config['type']!r}) is read from no path, so that {path.name} cannot"
            " take its place"
        )

    def with_file(file: Path) -> dict[str, Any]:
        return {**settings, "subjects": {**settings["subjects"], method: {**config, "path": str(file)}}}

    _check_made(inputs_of(name, with_file(path), _before(stages, name), list(stages)), root)
    file = _exported(stages, reference, root, folder, path) if path.suffix == ".pth" else path
    found = ReportSettings(**resolve(plain(with_file(file)), {other: root / other for other in stages}))
    found.check()
    _, report = make_report(found, folder, title=f"{path.parent.name}/{path.name}", log=log)
    metrics = report["subjects"][method]["metrics"] if report else {}
    return {key: entry["value"] for key, entry in metrics.items()}


def _exported(stages: Mapping[str, Any], reference: str, root: Path, folder: Path, path: Path) -> Path:
    """The file ``reference`` of the method, made from a training's checkpoint as its stage would have left it."""
    trained = referenced(reference)
    if len(trained) != 1:
        raise InputError(
            f"{path.name} is a checkpoint of a training, and the method's path {reference!r} names no one stage whose"
            " model it is; give the exported weights (.safetensors)"
        )
    settings = resolve(plain(stages[trained[0]]), {name: root / name for name in stages})
    if is_main_process():
        method: Any = restored(settings["model"], path)
        folder.mkdir(parents=True, exist_ok=True)
        method.export(folder)
    barrier()
    return folder / Path(reference).name


def restored(model: Mapping[str, Any], path: Path) -> nn.Module:
    """The method of a checkpoint, with the averages that it holds."""
    weights = read_checkpoint(path)["state_dict"]
    method: nn.Module = MODELS.build(model)
    averaged = {key.split(".")[1] for key in weights if key.startswith("ema.")}
    if averaged:
        method.ema = Averages({name: copy.deepcopy(getattr(method, name)) for name in sorted(averaged)})
    with torch.no_grad():
        load_weights(method, weights, path)
    return method.eval()
