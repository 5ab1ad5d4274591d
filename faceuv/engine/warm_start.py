"""A run that begins with sub-modules that another run trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from faceuv.engine.checkpoint_hook import resumable
from faceuv.engine.compat.checkpoints import load_weights, read_checkpoint
from faceuv.engine.compat.distributed import unwrapped
from faceuv.errors import AssetError, InputError
from faceuv.registry import HOOKS


@HOOKS.register_module()
class WarmStart(Hook):
    """Before the first iteration, load sub-modules from a checkpoint; a run that is resumed keeps its own.

    Config: ``dict(type="WarmStart", source="work_dirs/start", modules=dict(generator="ema.generator"))``.

    Args:
        source: a checkpoint, or the work dir of a run, whose newest checkpoint is taken.
        modules: sub-module of the method → where its weights are in the checkpoint. They must fit exactly.
    """

    priority = "HIGH"  # before GeneratorEMA copies what it averages

    def __init__(self, source: str | Path, modules: Mapping[str, str]) -> None:
        if not modules:
            raise InputError('WarmStart needs modules=dict(name="where.in.the.checkpoint")')
        self.source, self.modules = Path(source), dict(modules)

    def before_train(self, runner: Any) -> None:
        """Load, unless a checkpoint of this very run was."""
        if runner._has_loaded:
            return
        path = self._checkpoint()
        weights, model = read_checkpoint(path)["state_dict"], unwrapped(runner.model)
        children = dict(model.named_children())
        for name, place in self.modules.items():
            if name not in children:
                raise InputError(f"WarmStart: {type(model).__name__} has no {name!r}; it has {', '.join(children)}")
            own = {
                key.removeprefix(f"{place}."): value for key, value in weights.items() if key.startswith(f"{place}.")
            }
            if not own:
                tops = sorted({".".join(key.split(".")[:2]) for key in weights})
                raise AssetError(f"WarmStart: {path} has nothing under {place!r}; it has {', '.join(tops[:12])}")
            load_weights(children[name], own, f"{path} [{place}]")
        runner.logger.info(f"started from {path}: {', '.join(self.modules)}")

    def _checkpoint(self) -> Path:
        if not self.source.is_dir():
            return self.source  # read_checkpoint says it if there is none
        found = resumable(self.source)
        if not found:
            raise AssetError(f"WarmStart: {self.source} has no checkpoint; train what belongs there first")
        return found[0]
