"""The Runner: MMEngine's, with safe checkpoints, exact resume, clean distribution and short messages."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import mmengine
import torch
import torch.distributed as dist
from mmengine.dist import all_gather_object, is_main_process
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapperDict
from mmengine.registry import LOOPS as LOOP_ROOT
from mmengine.runner import EpochBasedTrainLoop
from mmengine.runner import Runner as MMEngineRunner
from torch import nn

import faceuv
from faceuv.engine.checkpoint_hook import resumable
from faceuv.engine.compat.checkpoints import (
    CorruptCheckpoint,
    load_weights,
    non_finite,
    read_checkpoint,
    write_checkpoint,
)
from faceuv.engine.compat.configs import without_layout
from faceuv.engine.compat.distributed import Replicated, unwrapped
from faceuv.engine.compat.optim import OptimWrapper
from faceuv.engine.compat.randomness import random_state, set_random_state
from faceuv.engine.compat.sampling import SeekingTrainLoop
from faceuv.engine.divergence import diverged
from faceuv.engine.logs import shorten_console
from faceuv.errors import AssetError, InputError
from faceuv.registry import MODEL_WRAPPERS, RUNNERS

_RUNS = itertools.count()


def by_iteration(train_cfg: Any) -> bool:
    """Whether a ``train_cfg`` counts iterations: it says so, or gives ``max_iters``."""
    if not isinstance(train_cfg, Mapping):
        return not isinstance(train_cfg, EpochBasedTrainLoop)
    if "by_epoch" in train_cfg:
        return not train_cfg["by_epoch"]
    return "max_iters" in train_cfg


@RUNNERS.register_module()
class Runner(MMEngineRunner):
    """Trains and tests what a config describes; every MMEngine config with ``default_scope="faceuv"`` works.

    Beyond MMEngine's: checkpoints are plain (loadable with ``weights_only=True``), atomic, and hold the random states
    and the place in the data; ``resume`` falls back from a corrupt one to the one before; weights must fit exactly;
    divergence stops the run; ranks are kept equal by :class:`OptimWrapper`.
    """

    resumed = False
    _pending: dict[str, Any] | None = None
    """Checkpoint of which something is still to be restored."""

    def __init__(self, *args: Any, experiment_name: str | None = None, cfg: Any = None, **kwargs: Any) -> None:
        # MMEngine finds loggers and histories by this name and the second: two runs in one second would share them
        name = experiment_name or (Path(cfg.filename).stem if getattr(cfg, "filename", None) else "run")
        super().__init__(*args, experiment_name=f"{name}_{next(_RUNS)}", cfg=cfg, **kwargs)

    @classmethod
    def from_cfg(cls, cfg: Any) -> Runner:
        """As MMEngine's; a config of several stages is refused with one line."""
        missing = [key for key in ("model", "work_dir") if cfg.get(key) is None]
        if cfg.get("stages") is not None:
            raise InputError(
                "a config with stages=[…] is several trainings; run it with faceuv train CONFIG, or"
                " faceuv.engine.train_stages(config)"
            )
        if missing:
            raise InputError(f"a Runner needs {' and '.join(missing)}; the config has {', '.join(sorted(cfg))}")
        return cast(Runner, super().from_cfg(cfg))

    # --- what it is made of -----------------------------------------------------------------------------------------

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """The logger, with short lines on the terminal."""
        logger = super().build_logger(*args, **kwargs)
        shorten_console(logger)
        return logger

    def _log_env(self, env_cfg: Any) -> None:
        """One line instead of MMEngine's page, for which it also runs compilers; the config goes to the log file."""
        threads = f"CPU, {torch.get_num_threads()} thread(s)"
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else threads
        processes = f"{self.world_size} × " if self.world_size > 1 else ""
        self.logger.info(
            f"faceuv {faceuv.__version__}, torch {torch.__version__}, {processes}{device}, seed {self.seed}"
            f" → {self.work_dir}"
        )
        without_layout(self.cfg)
        self._config_text = self.cfg.pretty_text
        self.logger.info(f"Config:\n{self._config_text}")

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """Replicated on every rank, unless the config names another wrapper.

        MMEngine looks a name up in its root registry, where parts of ours are not.
        """
        config = model_wrapper_cfg or {"type": "Replicated"}
        if self.distributed and config.get("type") in MODEL_WRAPPERS.names():
            return MODEL_WRAPPERS.build({**config, "module": model.to(mmengine.device.get_device())})
        return super().wrap_model(model_wrapper_cfg, model)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """As MMEngine's; with several ranks only wrappers that average gradients are accepted."""
        built = super().build_optim_wrapper(optim_wrapper)
        if self.distributed and isinstance(self.model, Replicated):
            each = built.optim_wrappers if isinstance(built, OptimWrapperDict) else {"optim_wrapper": built}
            for name, wrapper in each.items():
                if not isinstance(wrapper, OptimWrapper):
                    raise InputError(
                        f"{name} is a {type(wrapper).__name__}, which does not average gradients over ranks: use"
                        " type='OptimWrapper' (it has precision= for mixed precision)"
                    )
        return built

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """As MMEngine's; with several optimisers, those without a schedule need no entry."""
        per_optimizer = isinstance(scheduler, Mapping) and "type" not in scheduler
        if isinstance(self.optim_wrapper, OptimWrapperDict) and per_optimizer:
            names = list(self.optim_wrapper.keys())
            unknown = sorted(set(scheduler) - set(names))
            if unknown:
                raise InputError(f"param_scheduler names {unknown}, the optimisers are {names}")
            scheduler = {name: scheduler.get(name, []) for name in names}
        return super().build_param_scheduler(scheduler)

    def build_train_loop(self, loop: Any) -> Any:
        """As MMEngine's; iteration-based loops are ours, which seek."""
        if isinstance(loop, Mapping) and "type" not in loop and by_iteration(loop):
            config = {key: value for key, value in loop.items() if key != "by_epoch"}
            defaults = {"runner": self, "dataloader": self._train_dataloader}
            return LOOP_ROOT.build({"type": "IterBasedTrainLoop", **config}, default_args=defaults)
        return super().build_train_loop(loop)

    def build_log_processor(self, log_processor: Any) -> Any:
        """As MMEngine's; counts epochs only if training does."""
        config = dict(log_processor)
        config.setdefault("type", "LogProcessor")
        config.setdefault("by_epoch", not by_iteration(self._train_loop))
        return super().build_log_processor(config)

    def register_default_hooks(self, hooks: Any = None) -> None:
        """MMEngine's, ours that every run needs, and the config's in their place; ``name=None`` removes one."""
        by_epoch = not by_iteration(self._train_loop)
        merged: dict[str, Any] = {
            "random_state": {"type": "KeepRandomState"},
            "divergence": {"type": "StopOnDivergence"},
            "progress": {"type": "ProgressBar"},
            "logger": {"type": "LoggerHook"},
            "checkpoint": {"type": "CheckpointHook", "interval": 1 if by_epoch else 1000},
        }
        for name, hook in (hooks or {}).items():
            ours = hook is None and name in ("random_state", "divergence", "progress")
            merged.pop(name) if ours else merged.update({name: hook})
        checkpoint = merged["checkpoint"]
        if isinstance(checkpoint, Mapping) and checkpoint.get("type") == "CheckpointHook":
            merged["checkpoint"] = {"by_epoch": by_epoch, **checkpoint}
        logger = merged["logger"]
        if isinstance(logger, Mapping) and logger.get("type", "LoggerHook") == "LoggerHook":
            merged["logger"] = {"type": "LoggerHook", **logger, "runner": self}
        super().register_default_hooks(merged)

    def _init_model_weights(self) -> None:
        """Methods initialise themselves when they are built; ranks were made equal by the wrapper."""
        model = unwrapped(self.model)
        if hasattr(model, "init_weights") and not getattr(model, "is_init", False):
            super()._init_model_weights()

    # --- running ----------------------------------------------------------------------------------------------------

    def train(self) -> nn.Module:
        """Launch training; resets the terminal also after an error."""
        try:
            return super().train()
        finally:
            self.call_hook("close")

    def restore_randomness(self) -> None:
        """Set the random states of the checkpoint that this run was resumed from; once."""
        if self._pending is not None:
            states = self._pending["random_states"]
            if len(states) == self.world_size:
                set_random_state(states[self.rank])
            else:
                self.logger.warning(
                    f"the checkpoint was written by {len(states)} processes, now {self.world_size}: random numbers"
                    " differ from here on"
                )
            self._pending = None

    # --- checkpoints ------------------------------------------------------------------------------------------------

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: Any = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = True,
        backend_args: Any = None,
    ) -> None:
        """Write ``out_dir/filename``; all ranks call it, because each has its own random state."""
        states = all_gather_object(random_state())
        if not is_main_process():
            return
        meta = dict(meta or {})
        meta.setdefault("epoch", self.epoch + by_epoch)
        meta.setdefault("iter", self.iter + (not by_epoch))
        model = unwrapped(self.model)
        weights = model.state_dict()
        broken = non_finite(weights)
        if broken:
            listed = ", ".join(broken[:5]) + (f" and {len(broken) - 5} more" if len(broken) > 5 else "")
            raise diverged(self.work_dir, meta["iter"], f"weights are not finite ({listed})")
        meta.update(
            cfg=self._config_text,
            seed=self.seed,
            experiment_name=self.experiment_name,
            model=type(model).__name__,
            time=time.strftime("%Y-%m-%d %H:%M:%S"),
            versions={"faceuv": faceuv.__version__, "torch": str(torch.__version__), "mmengine": mmengine.__version__},
        )
        checkpoint: dict[str, Any] = {
            "meta": meta,
            "state_dict": weights,
            "message_hub": self.message_hub.state_dict(),
            "random_states": states,
        }
        if isinstance(self.train_loop, SeekingTrainLoop):
            checkpoint["data"] = self.train_loop.data_state(meta["iter"])
        if save_optimizer:
            checkpoint["optimizer"] = self.optim_wrapper.state_dict()
        if save_param_scheduler and self.param_schedulers is not None:
            schedulers = self.param_schedulers
            checkpoint["param_schedulers"] = (
                {name: [each.state_dict() for each in group] for name, group in schedulers.items()}
                if isinstance(schedulers, dict)
                else [each.state_dict() for each in schedulers]
            )
        self.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        write_checkpoint(Path(out_dir) / filename, checkpoint)

    def load_checkpoint(
        self, filename: str, map_location: Any = "cpu", strict: bool = True, revise_keys: Any = ()
    ) -> dict[str, Any]:
        """Read a checkpoint safely and load its weights, which must fit the model exactly."""
        checkpoint = self._pending or read_checkpoint(filename)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        load_weights(unwrapped(self.model), checkpoint["state_dict"], filename)
        self._has_loaded = True
        self.logger.info(f"loaded {filename}")
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = "cpu",
    ) -> None:
        """Continue from ``filename``: weights, optimisers, schedules, random states, position in the data."""
        checkpoint = read_checkpoint(filename)
        if "optimizer" not in checkpoint or "random_states" not in checkpoint:
            raise AssetError(f"{filename} holds weights only, nothing to resume from: use load_from, or an iter_*.pth")
        self._pending = checkpoint
        super().resume(filename, resume_optimizer, self.param_schedulers is not None, map_location="cpu")
        self.resumed = True
        if isinstance(self.train_loop, SeekingTrainLoop):
            self.train_loop.resumed_data = checkpoint.get("data")

    def load_or_resume(self) -> None:
        """Resume from the newest checkpoint of the work dir that can be read, or load what the config names."""
        if self._has_loaded:
            return
        if self._resume and self._load_from is None:
            self._resume_latest()
        elif self._resume:
            self.resume(self._load_from)
        elif self._load_from is not None:
            self.load_checkpoint(self._load_from)
        elif dist.is_initialized():
            dist.barrier()

    def _resume_latest(self) -> None:
        candidates = resumable(self.work_dir)
        if not candidates:
            self.logger.info("nothing to resume from: starting afresh")
            return
        for index, path in enumerate(candidates):
            try:
                self.resume(str(path))
                return
            except CorruptCheckpoint as error:
                following = candidates[index + 1].name if index + 1 < len(candidates) else "none is left"
                self.logger.warning(f"{error}; falling back to the one before: {following}")
        raise AssetError(
            f"none of the {len(candidates)} checkpoints in {self.work_dir} can be read; start afresh without --resume"
        )
