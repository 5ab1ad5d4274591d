"""Runs trainings and tests of configs: the body of ``faceuv train``, ``faceuv test`` and their files in tools/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_rank, get_world_size

from faceuv.checks import shown
from faceuv.engine.compat.checkpoints import check_checkpoint
from faceuv.engine.compat.configs import RUNNER_KEYS
from faceuv.engine.compat.distributed import peer_is_lost, start_processes, stop_processes
from faceuv.engine.compat.optim import amp_precision
from faceuv.engine.lock import work_dir_lock
from faceuv.engine.runner import Runner
from faceuv.engine.stages import PlannedStage, run_stages
from faceuv.engine.stages.plan import plain
from faceuv.engine.stages.running import clean
from faceuv.engine.stages.same_generator import generator_facts
from faceuv.engine.training_check import check_randomness, check_training
from faceuv.errors import FaceUVError, InputError


def train(
    config: Config,
    *,
    work_dir: str | Path | None = None,
    resume: bool | str | Path = False,
    load_from: str | Path | None = None,
    amp: bool = False,
    launcher: str = "none",
    seed: int | None = None,
) -> Runner:
    """Run the training of ``config`` and return its runner.

    Args:
        config: from :func:`faceuv.engine.load_config`.
        work_dir: default ``work_dirs/<config name>``.
        resume: True (or ``"auto"``) for the newest readable checkpoint of the work dir, or the path of one.
        load_from: a checkpoint with the weights at iteration 0.
        amp: mixed precision in every optimiser wrapper.
        launcher: "none", "pytorch", "slurm" or "mpi".
        seed: default the config's, else 0: the same config gives the same result.
    """
    resume = True if resume == "auto" else resume
    if resume and load_from is not None:
        raise InputError(
            f"--load-from {load_from} starts a training with given weights, --resume continues an old one:"
            " choose one of them"
        )
    if not isinstance(resume, bool):
        resume = check_checkpoint(resume)
    if load_from is not None:
        load_from = check_checkpoint(load_from)
    config = completed(config, work_dir=work_dir, launcher=launcher, seed=seed)
    _require(config, "model", "train_cfg", "train_dataloader", "optim_wrapper")
    config.resume = bool(resume)
    if not isinstance(resume, bool):
        config.load_from = str(resume)
    elif load_from is not None:
        config.load_from = str(load_from)
    if amp:
        use_precision(config.optim_wrapper, amp_precision())
    _check_training(config)
    _make_work_dir(config)
    with _processes(launcher), work_dir_lock(config.work_dir):
        runner = Runner.from_cfg(config)
        runner.train()
        return runner


def train_stages(
    config: Config,
    *,
    work_dir: str | Path | None = None,
    only: str | None = None,
    start: str | None = None,
    plan_only: bool = False,
    verify: bool = False,
    rehearsal: bool = True,
    amp: bool = False,
    launcher: str = "none",
    seed: int | None = None,
) -> list[PlannedStage]:
    """Show the plan of a config with ``stages`` and run what is missing or stale, in order; the plan afterwards.

    Args:
        only: this stage alone.
        start: this stage and those after it.
        plan_only: show the plan and run nothing.
        verify: read all outputs, and make those again that are not as they were made.
        rehearsal: first run every stage that is to run on a few samples, in a temporary folder.
        others: as for :func:`train`. An interrupted stage continues by itself.
    """
    config = completed(config, work_dir=work_dir, launcher=launcher, seed=seed)
    _require(config, "stages")
    if amp:
        _use_precision_in_stages(config)
    with _processes(launcher):
        return run_stages(config, only=only, start=start, plan_only=plan_only, verify=verify, rehearsal=rehearsal)


def clean_stages(config: Config, *, work_dir: str | Path | None = None) -> list[Path]:
    """Delete what earlier runs of a config's stages set aside, see :func:`~faceuv.engine.stages.running.clean`."""
    config = completed(config, work_dir=work_dir, launcher="none", seed=None)
    _require(config, "stages")
    return clean(config)


@contextmanager
def _processes(launcher: str) -> Iterator[None]:
    """The process group of ``launcher``, closed at the end; the error of a lost process is not taken for our own."""
    start_processes(launcher)
    try:
        yield
    except RuntimeError as error:
        if not peer_is_lost(error):
            raise
        raise FaceUVError(
            f"process {get_rank()} of {get_world_size()} lost another one ({str(error).splitlines()[0][:120]}); its own"
            " message has the reason. Repair that and continue with --resume"
        ) from error
    finally:
        stop_processes()


def evaluate_stage(
    config: Config,
    checkpoint: str | Path,
    *,
    only: str | None = None,
    work_dir: str | Path | None = None,
    launcher: str = "none",
    seed: int | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Evaluate ``checkpoint`` as a stage of ``config`` describes, see
    :func:`~faceuv.engine.stages.testing.evaluate_checkpoint`; the folder that it wrote to, and the metrics."""
    from faceuv.engine.stages.testing import evaluate_checkpoint

    config = completed(config, work_dir=work_dir, launcher=launcher, seed=seed)
    with _processes(launcher):
        return evaluate_checkpoint(config, checkpoint, only=only)


def evaluate(
    config: Config,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    launcher: str = "none",
    seed: int | None = None,
) -> dict[str, Any]:
    """Evaluate ``checkpoint`` as ``config`` describes; the metrics. (With stages: :func:`evaluate_stage`.)"""
    check_checkpoint(checkpoint)
    config = completed(config, work_dir=work_dir, launcher=launcher, seed=seed)
    _require(config, "model", "test_cfg", "test_dataloader", "test_evaluator")
    config.load_from, config.resume = str(checkpoint), False
    # nothing but the test is built, so that its data are enough
    for key in ("train_cfg", "train_dataloader", "optim_wrapper", "param_scheduler", "val_cfg", "val_dataloader",
                "val_evaluator"):  # fmt: skip
        config.pop(key, None)
    _make_work_dir(config)
    start_processes(launcher)
    try:
        return dict(Runner.from_cfg(config).test())
    finally:
        stop_processes()


def completed(config: Config, *, work_dir: str | Path | None, launcher: str, seed: int | None) -> Config:
    """A copy of ``config`` with what every run needs."""
    config = config.copy()
    check_randomness(config.get("randomness"), "the config")
    for key in ("work_dir", "default_scope", "experiment_name"):
        if not isinstance(config.get(key) or "", str):
            raise InputError(f"the config: {key} must be a string, got {shown(config[key])}")
    name = Path(config.filename).stem if config.filename else "run"
    config.work_dir = str(work_dir or config.get("work_dir") or Path("work_dirs") / name)
    config.launcher = launcher
    config.setdefault("default_scope", "faceuv")
    randomness = dict(config.get("randomness") or {})
    if seed is not None:
        randomness["seed"] = seed
    elif randomness.get("seed") is None:
        randomness["seed"] = 0
    # ranks that draw the same noise would train on the same fakes
    randomness.setdefault("diff_rank_seed", True)
    config.randomness = randomness
    return config


def _check_training(config: Config) -> None:
    """Misspelt keys, wrong types and networks of several generators, in one line and before anything is built."""
    settings = {key: value for key, value in plain(config.to_dict()).items() if key in RUNNER_KEYS}
    check_training(settings, "the config")
    generator_facts(settings, "the config", {}, {})


def _make_work_dir(config: Config) -> None:
    """Make the work dir; not before everything that can be checked was, so that a typo leaves nothing behind."""
    try:
        Path(config.work_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {config.work_dir}: {error.strerror}; choose one with --work-dir") from error


def use_precision(optim_wrapper: Any, precision: str) -> None:
    """Set the precision of one optimiser wrapper's config, or of each in a config of several."""
    if not isinstance(optim_wrapper, Mapping):
        raise InputError("--amp needs optim_wrapper to be a config, got " + type(optim_wrapper).__name__)
    each = [optim_wrapper] if "optimizer" in optim_wrapper else list(optim_wrapper.values())
    for config in [one for one in each if isinstance(one, Mapping)]:
        if config.get("type", "OptimWrapper") != "OptimWrapper":
            raise InputError(f"--amp works with type='OptimWrapper', the config has {config['type']!r}")
        config["precision"] = precision  # type: ignore[index]


def _use_precision_in_stages(config: Config) -> None:
    """``--amp`` for every stage that trains."""
    for entry in config.stages:
        stage = config[entry] if isinstance(entry, str) else entry
        if "optim_wrapper" in stage:
            use_precision(stage["optim_wrapper"], amp_precision())


def _require(config: Config, *keys: str) -> None:
    missing = [key for key in keys if config.get(key) is None]
    if missing:
        raise InputError(
            f"{config.filename or 'the config'} does not set {', '.join(missing)}; it has {', '.join(sorted(config))}"
        )
