"""The stage that trains: an ordinary MMEngine config with a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mmengine.config import Config
from mmengine.dist import is_main_process

from faceuv.checks import shown
from faceuv.engine.checkpoint_hook import CheckpointHook, resumable
from faceuv.engine.compat.checkpoints import load_weights, read_checkpoint
from faceuv.engine.compat.configs import RUNNER_KEYS
from faceuv.engine.compat.distributed import unwrapped
from faceuv.engine.runner import Runner
from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import AssetError, InputError, did_you_mean
from faceuv.registry import MODELS, STAGES

REQUIRED = ("model", "train_cfg", "train_dataloader", "optim_wrapper")


@STAGES.register_module(name="train")
class TrainStage(Stage):
    """Trains a method; its settings are those of a runner's config.

    What the recipe sets beside its stages (``default_hooks``, ``visualizer``, …) holds for every training; a stage's
    own settings take its place. After training, ``method.export(folder)`` writes what later stages read, and returns
    the names of the files; a method without one leaves its last checkpoint.

    With ``val_evaluator`` and ``default_hooks.checkpoint.save_best``, what is exported are the weights of the best
    checkpoint, else those at the end; the stage's result says which.

    A run that was interrupted goes on from its newest checkpoint, to the very same bits.
    """

    seeded: ClassVar[bool] = True
    neutral: ClassVar[tuple[str, ...]] = (
        "visualizer", "log_processor", "log_level", "env_cfg", "train_dataloader.num_workers",
        "val_dataloader.num_workers", "val_dataloader.batch_size", "default_hooks.logger",
    )  # fmt: skip

    def __init__(self, **config: Any) -> None:
        missing = [key for key in REQUIRED if config.get(key) is None]
        if missing:
            raise InputError(f"a stage of type 'train' does not set {', '.join(missing)}; it has {', '.join(config)}")
        for key in config:
            if key not in RUNNER_KEYS:
                raise InputError(f"a stage of type 'train' has no setting {key!r}{did_you_mean(key, RUNNER_KEYS)}")
        for key in ("resume", "load_from"):
            if config.get(key):
                raise InputError(
                    f"a stage of type 'train' goes on from its own newest checkpoint, {key}={shown(config[key])} is not"
                    " for it: to start with weights of another training, use the hook WarmStart"
                )
        self.config = config

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any], where: str) -> None:
        """What would fail when the training begins, or at its first evaluation or sheet."""
        from faceuv.engine.training_check import check_training

        check_training(settings, where)

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any]:
        """One step and one evaluation of a few samples."""
        from faceuv.engine.stages.small import small_training

        return small_training({**runner, **settings})

    @classmethod
    def leaves(cls, settings: Mapping[str, Any]) -> tuple[str, ...] | None:
        """What the method says that it exports, and checkpoints."""
        exports = getattr(MODELS.get(settings["model"]["type"]), "exports", None)
        return None if exports is None else (*exports, "*.pth")

    def run(self, context: StageContext) -> StageResult:
        """Train to the end and export."""
        settings = {"default_scope": "faceuv", **context.runner, **self.config}
        randomness = {"seed": context.seed, "diff_rank_seed": True, **self.config.get("randomness", {})}
        settings |= {"work_dir": str(context.folder), "randomness": randomness, "resume": True, "load_from": None}
        settings.setdefault("experiment_name", context.name)
        runner = Runner.from_cfg(Config(settings))
        runner.train()
        method, best = unwrapped(runner.model), best_checkpoint(runner)
        exported: dict[str, Any] = {"exported": f"iteration {runner.iter}"}
        if best is not None:
            load_weights(method, read_checkpoint(context.folder / best["file"])["state_dict"], best["file"])
            exported = {"exported": f"iteration {best['iter']}, the best", f"best {best['metric']}": best["score"]}
            context.log(f"{context.name}: iteration {best['iter']} has the best {best['metric']}, {best['score']:.4g}")
        outputs = self._export(method, context.folder, best)
        return StageResult(outputs, {"iterations": runner.iter, **exported, **_last_metrics(runner)})

    def _export(self, method: Any, folder: Path, best: Mapping[str, Any] | None) -> list[str]:
        if hasattr(method, "export"):
            return list(method.export(folder)) if is_main_process() else []
        last = [best["file"]] if best is not None else [path.name for path in resumable(folder)[:1]]
        if not last:
            raise AssetError(f"{folder} holds no checkpoint after training; set default_hooks.checkpoint.save_last")
        return last


def best_checkpoint(runner: Any) -> dict[str, Any] | None:
    """Metric, score, file and iteration of the best checkpoint, by the first metric that one was kept for."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.best:
            metric, found = next(iter(hook.best.items()))
            return {"metric": metric, **found}
    return None


def _last_metrics(runner: Any) -> dict[str, float]:
    """The newest value of every validation metric."""
    scalars = runner.message_hub.log_scalars
    return {name.removeprefix("val/"): float(history.current()) for name, history in scalars.items()
            if name.startswith("val/") and not name.endswith("time")}  # fmt: skip
