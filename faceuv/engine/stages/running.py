"""Running a plan, on one process or on several."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process

from faceuv.engine.config_ranges import check_ranges
from faceuv.engine.lock import work_dir_lock
from faceuv.engine.runner_settings import check_runner_settings
from faceuv.engine.stages.base import StageContext
from faceuv.engine.stages.names import check_names
from faceuv.engine.stages.plan import PlannedStage, check_plan, make_plan, plain, show, stage_configs
from faceuv.engine.stages.record import begin, finish, kept_versions
from faceuv.engine.stages.rehearsal import rehearse
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.files.artefacts import check_writable, no_room

SHARED = ("default_hooks", "visualizer", "log_processor", "log_level", "env_cfg", "default_scope", "launcher")
"""What a recipe sets beside its stages for every training in it; none of it changes what is learned."""

LEAST_ROOM = 256 << 20
"""Bytes that must be free on the disk of the work dir before anything runs; checkpoints of small networks take that."""

SHOWN = 6  # numbers of a stage's summary on its last line

Log = Callable[[str], None]


def run_stages(
    config: Config,
    *,
    only: str | None = None,
    start: str | None = None,
    plan_only: bool = False,
    verify: bool = False,
    rehearsal: bool = False,
    log: Log = print,
) -> list[PlannedStage]:
    """Show the plan of a completed config (work dir and seed set), then run what is missing or stale, in order.

    Args:
        only, start: see :func:`~faceuv.engine.stages.plan.make_plan`.
        plan_only: show it and run nothing.
        verify: compare the contents of all outputs with the recorded hashes; without it, only of those whose time of
            change differs from the recorded one.
        rehearsal: first run everything on a few samples, see :mod:`~faceuv.engine.stages.rehearsal`.
        log: prints a line; called on the first rank only.

    Returns: the plan as it is afterwards.
    """
    with ExitStack() as held:

        def lock() -> None:
            held.enter_context(work_dir_lock(config.work_dir))

        locked = not plan_only and Path(config.work_dir).is_dir()
        if locked:  # before anything is looked at: another run may be writing it
            _first_rank_first(lock)
        seed, log = int(config.randomness["seed"]), log if is_main_process() else _silent
        chosen: dict[str, Any] = {"seed": seed, "only": only, "start": start}
        plan = _same_on_every_rank(lambda: make_plan(config, config.work_dir, **chosen, verify=verify))
        log(f"{config.work_dir}:\n{show(plan)}")
        runner = plain({key: config[key] for key in SHARED if key in config})

        def check() -> None:
            check_runner_settings(runner, "the recipe")
            check_names(runner, "the recipe")
            check_ranges(runner, "the recipe")
            check_plan(plan)
            if any(row.runs for row in plan):
                _check_room(Path(config.work_dir))
                if not plan_only:
                    check_writable(config.work_dir)

        _first_rank_first(check)
        if rehearsal:
            rehearse(plan, runner, seed=seed, log=log)
        if plan_only or not any(row.runs for row in plan):
            return plan
        if not locked:
            _first_rank_first(lock)
        for row in plan:
            if row.runs:
                _run(row, StageContext(row.name, row.folder, row.identity, seed, runner, log), log, verify)
        return _same_on_every_rank(lambda: make_plan(config, config.work_dir, **chosen))


def _silent(line: str) -> None:
    """The log of other ranks: nothing."""


def clean(config: Config, *, log: Log = print) -> list[Path]:
    """Delete the earlier versions of a config's stages, ``NAME.previous.1`` …, and list them; what was deleted.

    Only folders with a record of a stage are deleted; the stages themselves, and what is the user's, stay.
    """
    folders = kept_versions(Path(config.work_dir), list(stage_configs(config)))
    with work_dir_lock(config.work_dir) if folders else nullcontext():
        for folder in folders:
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder)
            log(f"deleted {folder} ({size / 2**20:,.1f} MiB)")
    if not folders:
        log(f"{config.work_dir} holds no earlier versions of its stages")
    return folders


def _run(row: PlannedStage, context: StageContext, log: Log, verify: bool) -> None:
    log(f"stage {row.name}: {'goes on' if row.finding.keep else 'begins'} → {row.folder}")

    def prepare() -> None:
        check_writable(row.folder.parent)
        for line in begin(row.folder, row.name, row.description, row.fingerprint, keep=row.finding.keep, verify=verify):
            log(f"stage {row.name}: {line}")

    _first_rank_first(prepare)
    began = time.monotonic()
    try:
        result = row.stage.run(context)
    except OSError as error:
        if not no_room(error):
            raise
        raise AssetError(
            f"the disk is full ({error.strerror}) while the stage {row.name!r} writes"
            f" {error.filename or 'below ' + str(row.folder)}; what is complete is kept: make room and run the same"
            " command again"
        ) from error
    barrier()
    seconds = time.monotonic() - began
    _first_rank_first(lambda: finish(row.folder, result.outputs, seconds=seconds, summary=result.summary))
    shown = [f"{key} {_short(value)}" for key, value in result.summary.items() if _showable(value)]
    numbers = ", ".join(shown[:SHOWN]) + (f", … in {row.name}/stage.json" if len(shown) > SHOWN else "")
    log(f"stage {row.name}: done in {seconds:.1f} s" + (f" ({numbers})" if numbers else ""))


def _check_room(work_dir: Path) -> None:
    """A disk that is full, or nearly, is an error with the plan; nothing is made for it."""
    folder = work_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"cannot make {work_dir}: {folder} is a file; choose another place with --work-dir")
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM:
        raise AssetError(
            f"the disk of {work_dir} has {free / 2**20:.0f} MiB left, and a recipe needs {LEAST_ROOM >> 20} at least:"
            " make room, or choose another place with --work-dir"
        )


def _first_rank_first(action: Callable[[], Any]) -> None:
    """Call a function on the first rank; an error there is raised on every rank."""
    error: list[Any] = [None]
    if is_main_process():
        try:
            action()
        except Exception as raised:
            error = [raised]
    broadcast_object_list(error)
    if error[0] is not None:
        raise error[0]


def _same_on_every_rank(plan: Callable[[], Sequence[PlannedStage]]) -> list[PlannedStage]:
    """The plan that the first rank made: another rank may look at a folder later, when it has changed."""
    made: list[Any] = [None]
    if is_main_process():
        try:
            made = [list(plan())]
        except FaceUVError as error:
            made = [error]
    broadcast_object_list(made)
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]


def _showable(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
