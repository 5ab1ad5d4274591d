"""The output of a run: short lines, and on a terminal a progress bar with the time left."""

from __future__ import annotations

import logging
import re
import sys
from datetime import timedelta
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.hooks import LoggerHook as MMEngineLoggerHook
from mmengine.runner import LogProcessor as MMEngineLogProcessor
from mmengine.visualization import TensorboardVisBackend as MMEngineTensorboardVisBackend
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from faceuv.engine.compat.checkpoints import HISTORY_LENGTH
from faceuv.errors import InputError, MissingDependency
from faceuv.registry import HOOKS, LOG_PROCESSORS, VISBACKENDS

# Messages of MMEngine that appear in every run and need no action.
_NOISE = ("has no metainfo", "Distributed training is not used", "The prefix is not set in metric class")


class ShortLines(logging.Filter):
    """Lets one-line messages through to the terminal; dumps (config, environment, hooks) stay in the log file."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the terminal shows ``record``."""
        message = record.getMessage()
        if any(noise in message for noise in _NOISE):
            return False
        return "\n" not in message.strip() or record.levelno >= logging.WARNING


def shorten_console(logger: logging.Logger) -> None:
    """Give the terminal's handler short lines: the time of day and the message, a level only if it is a warning."""
    for handler in _console_handlers(logger):
        handler.setFormatter(_Formatter())
        handler.addFilter(ShortLines())


class _Formatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if record.levelno >= logging.WARNING:
            line = line.replace(" ", f" {record.levelname.lower()}: ", 1)
        return line


def _console_handlers(logger: logging.Logger) -> list[Any]:
    return [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]


@LOG_PROCESSORS.register_module()
class LogProcessor(MMEngineLogProcessor):
    """Smooths every scalar over a window and writes short lines: place, losses, speed, time left, GPU memory.

    Learning rates and loading times go to the log backends, not into the line.
    """

    def __init__(self, window_size: int = 50, by_epoch: bool = False, num_digits: int = 4) -> None:
        super().__init__(window_size, by_epoch, num_digits=num_digits)
        self.mean_pattern: re.Pattern[str] = _SMOOTHED

    def get_log_after_iter(self, runner: Any, batch_idx: int, mode: str) -> tuple[dict[str, Any], str]:
        """The scalars for the log backends, and the line."""
        tag, _ = super().get_log_after_iter(runner, batch_idx, mode)
        if mode != "train":
            return tag, f"{mode} {batch_idx + 1}/{len(self._loader(runner, mode))}"
        place = f"iter {str(runner.iter + 1).rjust(len(str(runner.max_iters)))}/{runner.max_iters}"
        if self.by_epoch:
            place = f"epoch {runner.epoch + 1}/{runner.max_epochs} " + place
        losses = {key: tag[key] for key in tag if key not in _NOT_LOSSES and not key.endswith("lr")}
        parts = [place, self._values(losses)]
        seconds = tag.get("time", 0.0)
        if seconds > 0:
            samples = (runner.train_dataloader.batch_size or 1) * runner.world_size / seconds
            left = timedelta(seconds=int(runner.message_hub.get_info("eta", 0)))
            waiting = self._waiting(runner)
            speed = f"{samples:,.0f}" if samples >= 100 else f"{samples:.3g}"
            parts.append(f"{speed} samples/s" + (f" ({waiting:.0%} loading)" if waiting > 0.1 else ""))
            parts.append(f"{left} left")
        if "memory" in tag:
            parts.append(f"{tag['memory'] / 1024:.1f} GiB")
        return tag, "  ".join(part for part in parts if part)

    def get_log_after_epoch(
        self, runner: Any, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """The metrics for the log backends, and the line."""
        self.mean_pattern = _NOTHING  # a metric is not averaged with earlier ones
        try:
            tag, _ = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        finally:
            self.mean_pattern = _SMOOTHED
        return tag, f"{mode}  {self._values({key: value for key, value in tag.items() if key not in _NOT_LOSSES})}"

    def _values(self, scalars: dict[str, Any]) -> str:
        return "  ".join(
            f"{key} {value:.{self.num_digits}g}" if isinstance(value, (int, float)) else f"{key} {value}"
            for key, value in scalars.items()
        )

    def _waiting(self, runner: Any) -> float:
        """Share of a typical iteration spent on loading; medians, because saving and validation count as loading."""
        loading, whole = (
            float(np.median(runner.message_hub.get_scalar(f"train/{name}").data[0][-self.window_size :]))
            for name in ("data_time", "time")
        )
        return loading / whole

    @staticmethod
    def _loader(runner: Any, mode: str) -> Any:
        return runner.val_dataloader if mode == "val" else runner.test_dataloader


_SMOOTHED = re.compile(r"^(?!.*lr$).*")  # everything but learning rates
_NOTHING = re.compile(r"(?!)")
_NOT_LOSSES = {"time", "data_time", "iter", "epoch", "memory", "step"}


@HOOKS.register_module()
class LoggerHook(MMEngineLoggerHook):
    """Writes a line and the scalars to the log backends every ``interval`` iterations, and at the last one.

    Keeps the logged history short: MMEngine copies all of it at every iteration, milliseconds late in a long run.

    Args:
        interval: iterations from line to line.
        log_metric_by_epoch: whether metrics are logged by the epoch.
        runner: set by faceuv's Runner. MMEngine's own Runner builds this hook too when it is given a config of ours,
            and is refused here, before it fails in the middle of training.
    """

    def __init__(self, interval: int = 50, log_metric_by_epoch: bool = False, runner: Any = None) -> None:
        if runner is None:
            raise InputError(
                "a config with default_scope='faceuv' needs faceuv's Runner, which saves and resumes its own way: use"
                " faceuv.engine.Runner.from_cfg(config) instead of mmengine.runner.Runner.from_cfg(config), or"
                " runner_type='faceuv.Runner' with mmengine.registry.RUNNERS.build(config), or faceuv train CONFIG"
            )
        super().__init__(interval=interval, log_metric_by_epoch=log_metric_by_epoch)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Log when due."""
        done = runner.iter + 1
        if done % self.interval and done != runner.max_iters:
            return
        for history in runner.message_hub.log_scalars.values():
            history.max_length = HISTORY_LENGTH
        tag, line = runner.log_processor.get_log_after_iter(runner, batch_idx, "train")
        runner.logger.info(line)
        runner.visualizer.add_scalars(tag, step=done, file_path=self.json_log_path)


@HOOKS.register_module()
class ProgressBar(Hook):
    """A live bar with the time left below the log lines, where the output is a terminal; else nothing."""

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self._streams: list[tuple[Any, Any]] = []

    def before_train(self, runner: Any) -> None:
        """Start the bar, and lead the log's terminal lines past it."""
        console = Console(file=sys.stdout)
        if not console.is_terminal or not is_main_process():
            return
        self.progress = Progress(
            TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
            TimeRemainingColumn(), console=console, transient=True,
        )  # fmt: skip
        self.progress.start()
        self.task = self.progress.add_task("training", total=runner.max_iters, completed=runner.iter)
        for handler in _console_handlers(runner.logger):
            self._streams.append((handler, handler.stream))
            handler.setStream(sys.stdout)  # rich has put its own there: lines appear above the bar

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar."""
        if self.progress is not None:
            self.progress.update(self.task, completed=runner.iter + 1)

    def close(self, runner: Any) -> None:
        """Remove the bar, also after an error."""
        if self.progress is None:
            return
        for handler, stream in self._streams:
            handler.setStream(stream)
        self._streams.clear()
        self.progress.stop()
        self.progress = None


@VISBACKENDS.register_module()
class TensorboardVisBackend(MMEngineTensorboardVisBackend):
    """Scalars and image sheets for TensorBoard."""

    def __init__(self, save_dir: str) -> None:
        self.check_installed()
        super().__init__(save_dir)

    @classmethod
    def check_installed(cls) -> None:
        """Raise without the package."""
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError as error:
            raise MissingDependency(
                f'TensorboardVisBackend needs TensorBoard ({error}): pip install "faceuv[train]"; without it, scalars'
                " are in the work dir's vis_data/scalars.json (LocalVisBackend) and sheets in samples/"
            ) from error
