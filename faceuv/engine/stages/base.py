"""The base of stages: a stage is one step of a recipe, with its own folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from faceuv.engine.config_ranges import check_ranges
from faceuv.engine.config_types import check_arguments


@dataclass(frozen=True)
class StageContext:
    """The environment of a running stage.

    name         of the stage
    folder       the stage's own; nothing of an older version of it lies there, but perhaps the beginning of this one
    fingerprint  of everything that the outputs depend on, but for what the stage extends; its files may carry it
    seed         of all its randomness
    runner       settings that every training of the recipe shares (hooks, logs, visualizer, …)
    log          prints a line, on the first rank only
    """

    name: str
    folder: Path
    fingerprint: str
    seed: int
    runner: dict[str, Any] = field(default_factory=dict)
    log: Callable[[str], None] = print


@dataclass(frozen=True)
class StageResult:
    """The result of a stage: its output files, as names below its folder, and numbers for its summary."""

    outputs: Sequence[str]
    summary: dict[str, Any] = field(default_factory=dict)


class Stage(ABC):
    """One step of a recipe: reads the folders of earlier stages, writes its own.

    A subclass takes its settings as keyword arguments, is registered in ``STAGES``, and implements :meth:`run`. It is
    built when the plan is made, so that building must be quick: networks and data are made in :meth:`run`.

    ``version``  to be raised when the code changes what is written: it makes older outputs stale.
    ``neutral``  settings (dotted keys) that change nothing in the outputs, such as a batch size.
    ``seeded``   whether the recipe's seed decides about the outputs (not where a stage has one of its own).
    ``extends``  settings whose change keeps what is there: :meth:`run` goes on from it and removes what is too much.
    """

    version: ClassVar[int] = 1
    seeded: ClassVar[bool] = False
    neutral: ClassVar[tuple[str, ...]] = ()
    extends: ClassVar[tuple[str, ...]] = ()

    def check(self) -> None:  # noqa: B027 (nothing to check is fine)
        """Raise for problems that are known before anything runs: missing files, parts, devices."""

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any], where: str) -> None:
        """Raise for settings (as written, with ``{stage}`` in them) that are misspelt, of a wrong type or out of range;
        ``where`` begins the error."""
        check_arguments(cls, "the stage", settings, where, complete=True)
        check_ranges(settings, where)

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any] | None:
        """Settings with which the stage does as little as it can, for the rehearsal before a recipe runs; None if there
        are none: the stage, and those that read its files, are not rehearsed.

        Args:
            settings: as written.
            runner: what every training of the recipe shares.
        """
        return None

    @classmethod
    def leaves(cls, settings: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Names (with ``*`` where they count) of all files that later stages may read; None: not known beforehand."""
        return None

    @classmethod
    def samples_of(cls, settings: Mapping[str, Any]) -> int | None:
        """How many samples the stage makes for the data loaders of later ones; None: none, or not known beforehand."""
        return None

    def rehearse(self, context: StageContext) -> None:
        """Do once what :meth:`run` does, with the settings of :meth:`small`; what later stages read is then there."""
        self.run(context)

    @abstractmethod
    def run(self, context: StageContext) -> StageResult:
        """Make the outputs, on every rank; continue an interrupted run of the same settings.

        Files are written atomically. The result of rank 0 is recorded when all ranks have returned.
        """
