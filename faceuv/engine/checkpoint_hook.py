"""When checkpoints are written, which are kept, and which one a resumed run starts from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from faceuv.checks import shown
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import atomic_path, read_json
from faceuv.files.names import below
from faceuv.registry import HOOKS

POINTER = "last_checkpoint"
BEST = "best.json"
AUTO = "auto"
_NUMBERED = re.compile(r"(?:iter|epoch)_(\d+)\.pth")


def resumable(work_dir: str | Path) -> list[Path]:
    """Checkpoints of ``work_dir`` to resume from: the last written first, then the others from late to early."""
    folder = Path(work_dir)
    numbered = {path: int(match[1]) for path in folder.glob("*.pth") if (match := _NUMBERED.fullmatch(path.name))}
    found = sorted(numbered, key=lambda path: -numbered[path])
    pointer = folder / POINTER
    if pointer.is_file():
        last = folder / Path(pointer.read_text(encoding="utf-8").strip()).name
        # later ones, if any, are leftovers of an older run in the same folder
        limit = numbered.get(last, 0)
        if limit:
            found = [path for path in found if numbered[path] <= limit]
    return found


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Writes checkpoints every ``interval``, keeps the last few and the best by each metric.

    The new file is complete before an older one is removed, so that a full disk or a crash does not lose the last good
    one. Options have the names of MMEngine's.

    Args:
        interval: iterations (or epochs) between checkpoints.
        by_epoch: count epochs; the runner sets it to suit the training loop.
        max_keep_ckpts: number of checkpoints to keep; -1 keeps all.
        save_last: write one at the end, too.
        save_best: metric name or names, or ``"auto"`` for the first that validation gives; the best is kept as
            ``best_<metric>_iter_<n>.pth``. A training stage exports the weights of the (first) best.
        rule: "less" or "greater" is better: one for all metrics, or one for each.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        interval: int = 1000,
        by_epoch: bool = False,
        max_keep_ckpts: int = 3,
        save_last: bool = True,
        save_best: str | list[str] | None = None,
        rule: str | list[str] | None = None,
    ) -> None:
        if interval < 1 or max_keep_ckpts == 0:
            raise InputError(
                f"expected interval ≥ 1 and max_keep_ckpts ≥ 1 (or -1), got {interval} and {max_keep_ckpts}"
            )
        metrics = [save_best] if isinstance(save_best, str) else list(save_best or [])
        rules = [rule] * len(metrics) if isinstance(rule, str) else list(rule or [])
        if len(rules) != len(metrics) or not set(rules) <= {"less", "greater"}:
            raise InputError(f"save_best={save_best!r} needs rule='less' or 'greater' for each metric, got {rule!r}")
        self.interval, self.by_epoch, self.max_keep, self.save_last = interval, by_epoch, max_keep_ckpts, save_last
        self.rules = dict(zip(metrics, rules))
        self.best: dict[str, dict[str, Any]] = {}
        self.training = False

    def before_train(self, runner: Any) -> None:
        """Read the best score of an interrupted run."""
        self.training = True
        record = Path(runner.work_dir) / BEST
        if runner.resumed and record.is_file():
            self.best = _read_best(record)

    def after_train(self, runner: Any) -> None:
        """Validation on its own writes nothing."""
        self.training = False

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save every ``interval`` iterations and at the last."""
        done = runner.iter + 1
        if not self.by_epoch and (done % self.interval == 0 or (self.save_last and done == runner.max_iters)):
            self._save(runner, f"iter_{done}.pth", {"epoch": runner.epoch, "iter": done})

    def after_train_epoch(self, runner: Any) -> None:
        """Save every ``interval`` epochs and at the last."""
        done = runner.epoch + 1
        if self.by_epoch and (done % self.interval == 0 or (self.save_last and done == runner.max_epochs)):
            self._save(runner, f"epoch_{done}.pth", {"epoch": done, "iter": runner.iter})

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Save the best by each metric."""
        if not self.training:
            return
        for wanted, rule in self.rules.items():
            given = metrics or {}
            metric = next(iter(given), wanted) if wanted == AUTO else wanted
            if metric not in given:
                raise InputError(
                    f"save_best names the metric {metric!r}; validation gives {', '.join(sorted(given)) or 'none'}"
                )
            score = float(given[metric])
            known = self.best.get(metric)
            better = known is None or (score < known["score"] if rule == "less" else score > known["score"])
            if better and score == score:  # a NaN is never best
                self._save_best(runner, metric, score)

    def _save(self, runner: Any, name: str, meta: dict[str, int]) -> None:
        runner.save_checkpoint(runner.work_dir, name, meta=meta)
        if not is_main_process():
            return
        with atomic_path(Path(runner.work_dir) / POINTER) as temporary:
            temporary.write_text(name, encoding="utf-8")
        if self.max_keep > 0:
            for old in resumable(runner.work_dir)[self.max_keep :]:
                old.unlink(missing_ok=True)
        runner.logger.info(f"saved {name}")

    def _save_best(self, runner: Any, metric: str, score: float) -> None:
        step = f"epoch_{runner.epoch}" if self.by_epoch else f"iter_{runner.iter}"
        name = f"best_{re.sub(r'[^A-Za-z0-9.-]+', '-', metric)}_{step}.pth"
        previous = self.best.get(metric, {}).get("file")
        meta = {"epoch": runner.epoch, "iter": runner.iter, "best": {metric: score}}
        runner.save_checkpoint(runner.work_dir, name, save_optimizer=False, save_param_scheduler=False, meta=meta)
        self.best[metric] = {"score": score, "file": name, "iter": runner.iter}
        if not is_main_process():
            return
        with atomic_path(Path(runner.work_dir) / BEST) as temporary:
            temporary.write_text(json.dumps(self.best, indent=2), encoding="utf-8")
        if previous and previous != name:
            below(runner.work_dir, previous, f"a checkpoint in {BEST}").unlink(missing_ok=True)
        runner.logger.info(f"best {metric} so far: {score:.4g}, saved {name}")


def _read_best(path: Path) -> dict[str, dict[str, Any]]:
    """Metric → score and file of the best checkpoint; the files lie below the work dir."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise AssetError(f"{path} must be an object of metrics, found {shown(content)}; remove it to continue without")
    for metric, entry in content.items():
        score = entry.get("score") if isinstance(entry, dict) else None
        if type(score) not in (int, float):
            raise AssetError(f"{path}: {metric} must have a score and a file, found {shown(entry)}")
        below(path.parent, entry.get("file"), f"the checkpoint of {metric} in {path}")
    return content
