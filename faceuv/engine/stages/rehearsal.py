"""The rehearsal of a plan: every stage that is to run does so once in a temporary folder, on a few samples.

It finds what no look at a config can find: networks whose shapes do not fit together, a loss that cannot take what the
method gives it, an evaluation of pictures that nobody makes, an optimiser's setting that its constructor refuses. The
work dir is not touched, and random states are as before.
"""

from __future__ import annotations

import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size

from faceuv.checks import one_line
from faceuv.engine.compat.randomness import random_state, set_random_state
from faceuv.engine.stages.base import StageContext
from faceuv.engine.stages.plan import PlannedStage
from faceuv.engine.stages.references import resolve
from faceuv.errors import FaceUVError, InputError
from faceuv.registry import STAGES


def rehearse(
    plan: Sequence[PlannedStage], runner: Mapping[str, Any], *, seed: int, log: Callable[[str], None] = print
) -> None:
    """Run every stage of ``plan`` that is to run, at its smallest; the first that fails is an error of one line.

    A stage that knows no small version of itself (:meth:`~faceuv.engine.stages.base.Stage.small`) is left out, and so
    are those that read its files. With several processes nothing is rehearsed: one of them cannot do it alone.

    Args:
        runner: what the trainings share, as in :class:`~faceuv.engine.stages.base.StageContext`.
    """
    if get_world_size() > 1 or not any(row.runs for row in plan):
        return
    began, left_out = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="faceuv-rehearsal-") as temporary:
        folders = {row.name: row.folder for row in plan if row.finding.state == "fresh"}
        for row in plan:
            if not row.runs:
                continue
            small = row.stage.small(row.settings, runner)
            if small is None or any(name not in folders for name in row.inputs):
                left_out.append(row.name)
                continue
            log(f"rehearsal of {row.name} …")
            folders[row.name] = Path(temporary) / row.name
            _run(row, small, folders, runner, seed)
    log(
        f"rehearsal: every stage runs on a few samples ({time.monotonic() - began:.1f} s)"
        + (f"; not rehearsed: {', '.join(left_out)}" if left_out else "")
    )


def _run(
    row: PlannedStage, small: Mapping[str, Any], folders: Mapping[str, Path], runner: Mapping[str, Any], seed: int
) -> None:
    folder = folders[row.name]
    folder.mkdir()
    context = StageContext(row.name, folder, row.identity, seed, dict(runner), log=lambda line: None)
    try:
        with _quiet():
            stage = STAGES.build(resolve(small, folders))
            stage.rehearse(context)
    except Exception as error:
        told = str(error) if isinstance(error, FaceUVError) else one_line(f"{type(error).__name__}: {error}")
        for name, place in folders.items():
            told = told.replace(str(place), f"{{{name}}}")
        raise InputError(f"the stage {row.name!r} would fail, as its rehearsal on a few samples did: {told}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is printed and no random number is drawn, as far as others can see."""
    state, disabled = random_state(), logging.root.manager.disable
    try:
        logging.disable(logging.CRITICAL)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        set_random_state(state)
