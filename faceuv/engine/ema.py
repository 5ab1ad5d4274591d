"""Running averages of the weights of named sub-modules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import nn

from faceuv.engine.compat.distributed import unwrapped
from faceuv.errors import InputError
from faceuv.registry import HOOKS


class Averages(nn.ModuleDict):
    """Averaged sub-modules by name; they stay in evaluation mode when the loop says ``model.train()``."""

    def train(self, mode: bool = True) -> Averages:
        """Nothing changes."""
        return super().train(False)


@HOOKS.register_module()
class GeneratorEMA(Hook):
    """Keeps an exponential moving average of named sub-modules as ``model.ema[name]``, in every checkpoint.

    (MMEngine's EMAHook averages the whole model, discriminator and counters included, and swaps it in for validation.)
    A method reads it with ``self.averaged(name)``. Floating-point weights are averaged, buffers copied.

    Args:
        modules: names of sub-modules of the method.
        half_life: number of images (of all ranks) after which an old weight counts half.
        ramp_up: limit of the half-life at the start, as a share of the images seen, so that the average forgets the
            initial weights; ``None`` for a constant half-life.
    """

    priority = "ABOVE_NORMAL"  # after the divergence check, before logs and checkpoints

    def __init__(
        self, modules: Sequence[str] = ("generator",), half_life: float = 10_000, ramp_up: float | None = 0.05
    ) -> None:
        if half_life <= 0 or (ramp_up is not None and ramp_up <= 0):
            raise InputError(f"expected half_life > 0 and ramp_up > 0 or None, got {half_life} and {ramp_up}")
        self.names, self.half_life, self.ramp_up = tuple(modules), half_life, ramp_up

    def before_run(self, runner: Any) -> None:
        """Attach the averages, so that checkpoints load into them and save them."""
        model = unwrapped(runner.model)
        children = dict(model.named_children())
        missing = [name for name in self.names if name not in children]
        if missing:
            raise InputError(f"GeneratorEMA: {type(model).__name__} has no {missing}; it has {list(children)}")
        if "ema" not in children:
            copies = {name: copy.deepcopy(children[name]).requires_grad_(False) for name in self.names}
            model.ema = Averages(copies)

    def before_train(self, runner: Any) -> None:
        """Start from the weights as initialised, unless a checkpoint brought the averages."""
        if not runner._has_loaded:
            model = unwrapped(runner.model)
            for name, average in model.ema.items():
                average.load_state_dict(getattr(model, name).state_dict())

    @torch.no_grad()
    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the averages toward the weights."""
        batch = runner.train_dataloader.batch_size * runner.world_size
        model = unwrapped(runner.model)
        for name, average in model.ema.items():
            move_average(
                average, getattr(model, name), batch=batch, seen=(runner.iter + 1) * batch, half_life=self.half_life,
                ramp_up=self.ramp_up,
            )  # fmt: skip


@torch.no_grad()
def move_average(
    average: nn.Module, source: nn.Module, *, batch: int, seen: int, half_life: float, ramp_up: float | None = None
) -> None:
    """Move an averaged copy toward the weights after a step on ``batch`` images, ``seen`` of them so far."""
    if ramp_up is not None:
        half_life = min(half_life, seen * ramp_up)
    step = 1 - 0.5 ** (batch / half_life)
    torch._foreach_lerp_(list(average.parameters()), list(source.parameters()), step)
    for kept, new in zip(average.buffers(), source.buffers()):
        kept.copy_(new)
