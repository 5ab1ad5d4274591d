"""Starts a run with sub-modules of another run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from faceuv.engine.checkpoint_hook import resumable
from faceuv.engine.compat.checkpoints import load_weights, read_checkpoint
from faceuv.engine.compat.distributed import unwrapped
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors
from faceuv.files.locate import locate
from faceuv.files.zoo import PREFIX
from faceuv.registry import HOOKS


@HOOKS.register_module()
class WarmStart(Hook):
    """Loads sub-modules from a checkpoint before the first iteration; does nothing in a resumed run.

    Config: ``dict(type="WarmStart", source="work_dirs/start", modules=dict(generator="ema.generator"))``, or without a
    source ``modules=dict(generator="zoo:teacher_64/generator.safetensors")``.

    Args:
        source: a checkpoint, or the work dir of a run, of which the newest checkpoint is read.
        modules: sub-module of the method → prefix of its weights in the checkpoint, or a file of its own
            (``.safetensors``, ``zoo:…``). Names and shapes must match.
    """

    priority = "HIGH"  # before GeneratorEMA copies what it averages

    def __init__(self, source: str | Path | None = None, *, modules: Mapping[str, str]) -> None:
        if not modules:
            raise InputError('WarmStart needs modules=dict(name="where.in.the.checkpoint")')
        inside = [place for place in modules.values() if not _is_file(place)]
        if (source is None) == bool(inside):
            raise InputError(
                f"WarmStart needs a source for prefixes in a checkpoint, and none for files: source={source!r},"
                f" modules {dict(modules)}"
            )
        self.source, self.modules = None if source is None else Path(source), dict(modules)

    def before_train(self, runner: Any) -> None:
        """Load the weights, unless the run was resumed from a checkpoint."""
        if runner._has_loaded:
            return
        model = unwrapped(runner.model)
        path = None if self.source is None else _checkpoint(self.source)
        weights = {} if path is None else read_checkpoint(path)["state_dict"]
        children = dict(model.named_children())
        for name, place in self.modules.items():
            if name not in children:
                raise InputError(f"WarmStart: {type(model).__name__} has no {name!r}; it has {', '.join(children)}")
            if _is_file(place):
                file = str(locate(place))
                own = {key: value.float() for key, value in load_tensors(file)[0].items()}
            else:
                file = f"{path} [{place}]"
                own = {k.removeprefix(f"{place}."): v for k, v in weights.items() if k.startswith(f"{place}.")}
            if not own:
                tops = sorted({".".join(key.split(".")[:2]) for key in weights})
                raise AssetError(f"WarmStart: {path} has nothing under {place!r}; it has {', '.join(tops[:12])}")
            load_weights(children[name], own, file)
            runner.logger.info(f"started {name} from {file}")


def _is_file(place: str) -> bool:
    return place.startswith(PREFIX) or place.endswith(".safetensors")


def _checkpoint(source: Path) -> Path:
    if not source.is_dir():
        return source  # read_checkpoint says it if there is none
    found = resumable(source)
    if not found:
        raise AssetError(f"WarmStart: {source} has no checkpoint; train what belongs there first")
    return found[0]
