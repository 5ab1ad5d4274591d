"""Stops a training at the first NaN, with the place where it appeared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from torch import Tensor

from faceuv.engine.checkpoint_hook import resumable
from faceuv.errors import FaceUVError
from faceuv.registry import HOOKS


class TrainingDiverged(FaceUVError, ArithmeticError):
    """A loss or a weight is NaN or infinite; the message names it, the iteration and the last good checkpoint."""


def diverged(work_dir: str | Path, iteration: int, what: str) -> TrainingDiverged:
    """The error for ``what`` at ``iteration`` (counted from 1)."""
    good = next(iter(resumable(work_dir)), None)
    last = f"last good checkpoint: {good}" if good else "no checkpoint was written before"
    return TrainingDiverged(
        f"training stopped at iteration {iteration}: {what}; {last}. Lower the learning rate, clip gradients"
        " (optim_wrapper.clip_grad), or look at that term"
    )


@HOOKS.register_module()
class StopOnDivergence(Hook):
    """Stops when a loss is NaN or infinite on any rank; turns the step's scalars into numbers, averaged over ranks.

    One transfer for all of them: everything after it (logs, smoothing) then costs no wait for the GPU.
    """

    priority = "HIGHEST"

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Check the outputs of ``train_step``."""
        names = [key for key, value in (outputs or {}).items() if isinstance(value, Tensor) and value.numel() == 1]
        if not outputs or not names:
            return
        values = torch.stack([outputs[name].detach().float().reshape(()) for name in names])
        if dist.is_initialized():
            dist.all_reduce(values)
            values /= dist.get_world_size()
        numbers = values.tolist()
        bad = [f"{name} = {number}" for name, number in zip(names, numbers) if not abs(number) < float("inf")]
        if bad:
            raise diverged(runner.work_dir, runner.iter + 1, f"the loss is not finite ({', '.join(bad)})")
        outputs.update(zip(names, numbers))
